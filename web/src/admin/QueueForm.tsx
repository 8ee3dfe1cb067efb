// Every setting of a queue with what it does and what is usual.

import { Button, Group, NumberInput, Select, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, newKey, patch, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { teamsQuery } from '~/api/queries';
import type { QueueSettings } from '~/api/types';
import { toastError } from '~/ui/toast';
import css from './admin.module.css';
import { EditorFoot } from './parts';

type Values = Omit<QueueSettings, 'version' | 'closed'>;

export const QUEUE_DEFAULTS: Values = {
  key: '',
  name: '',
  strategy: 'longest_idle',
  ring_timeout_s: 20,
  wrapup_s: 30,
  max_wait_s: 0,
  max_len: 0,
  on_timeout: 'voicemail',
  on_full: 'voicemail',
  on_no_agents: 'voicemail',
  moh: '',
  announce_first_s: 20,
  announce_every_s: 60,
  record: 'always',
  retention_days: 0,
  max_missed: 0,
  missed_rest_s: 5,
  sl_threshold_s: 20,
  sl_target: 80,
  short_abandon_s: 5,
  team: '',
  weight: 0,
};

type NumberField = { [K in keyof Values]: Values[K] extends number ? K : never }[keyof Values];

const NUMBERS: Record<
  'offer' | 'wait' | 'announce' | 'record' | 'goal',
  { key: NumberField; max: number; unit?: 's' | 'pct' | 'days' }[]
> = {
  offer: [
    { key: 'ring_timeout_s', max: 120, unit: 's' },
    { key: 'wrapup_s', max: 900, unit: 's' },
    { key: 'max_missed', max: 10 },
    { key: 'missed_rest_s', max: 120, unit: 's' },
    { key: 'weight', max: 100 },
  ],
  wait: [
    { key: 'max_wait_s', max: 86_400, unit: 's' },
    { key: 'max_len', max: 10_000 },
  ],
  announce: [
    { key: 'announce_first_s', max: 600, unit: 's' },
    { key: 'announce_every_s', max: 900, unit: 's' },
  ],
  record: [{ key: 'retention_days', max: 3650, unit: 'days' }],
  goal: [
    { key: 'sl_target', max: 100, unit: 'pct' },
    { key: 'sl_threshold_s', max: 600, unit: 's' },
    { key: 'short_abandon_s', max: 60, unit: 's' },
  ],
};

const POLICIES = ['voicemail', 'callback', 'hangup'];
const STRATEGIES = ['longest_idle', 'priority', 'skills'];

export function QueueForm({
  queue,
  onDone,
  onClose,
}: {
  queue: QueueSettings | null;
  onDone: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const teams = useQuery(teamsQuery);
  const [key] = useState(newKey);
  const [f, setF] = useState<Values>(queue ?? QUEUE_DEFAULTS);
  const [sure, setSure] = useState(false);
  const set = (next: Partial<Values>) => setF((v) => ({ ...v, ...next }));
  const save = useMutation({
    mutationFn: () => {
      const body = Object.fromEntries(
        (Object.keys(QUEUE_DEFAULTS) as (keyof Values)[]).map((k) => [k, f[k]]),
      );
      if (!queue) return post<QueueSettings>('/queues', body, key);
      delete body.key;
      return patch<QueueSettings>(`/queues/${queue.key}`, body, queue.version);
    },
    onSuccess: onDone,
    onError: (err) => {
      if (Object.keys(fieldErrors(err)).length === 0) toastError(err);
    },
  });
  const remove = useMutation({
    mutationFn: () => del(`/queues/${queue?.key}`),
    onSuccess: onDone,
    onError: toastError,
  });
  const errors = fieldErrors(save.error);
  const unit = (u?: 's' | 'pct' | 'days') =>
    u === 's' ? ` ${t('unit.sec')}` : u === 'pct' ? ' %' : u === 'days' ? ` ${t('unit.days')}` : '';
  const numbers = (group: keyof typeof NUMBERS) =>
    NUMBERS[group].map((n) => (
      <NumberInput
        key={n.key}
        label={t(`admin.queues.f.${n.key}`)}
        description={t(`admin.queues.h.${n.key}`)}
        min={0}
        max={n.max}
        suffix={unit(n.unit)}
        value={f[n.key]}
        error={errors[n.key]}
        onChange={(v) => set({ [n.key]: Number(v) || 0 })}
      />
    ));
  const policy = (k: 'on_timeout' | 'on_full' | 'on_no_agents', extra: string[] = []) => {
    const all = [...POLICIES, ...extra];
    if (f[k] && !all.includes(f[k])) all.push(f[k]);
    return (
      <Select
        label={t(`admin.queues.f.${k}`)}
        data={all.map((value) => ({
          value,
          label: t(`admin.queues.policy.${value}`, { defaultValue: value }),
        }))}
        value={f[k] || null}
        error={errors[k]}
        onChange={(v) => v && set({ [k]: v })}
        allowDeselect={false}
      />
    );
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <h3 className={css.formTitle}>{t('admin.queues.g.about')}</h3>
      <div className={css.grid}>
        <TextInput
          required
          data-autofocus
          label={t('admin.queues.f.name')}
          value={f.name}
          error={errors.name}
          onChange={(e) => set({ name: e.currentTarget.value })}
        />
        {queue ? null : (
          <TextInput
            required
            label={t('admin.queues.f.key')}
            description={t('admin.queues.h.key')}
            value={f.key}
            error={errors.key}
            onChange={(e) => set({ key: e.currentTarget.value.toLowerCase().replace(/[^a-z0-9_]/g, '_') })}
          />
        )}
        <Select
          label={t('admin.queues.f.team')}
          description={t('admin.queues.h.team')}
          data={(teams.data ?? []).map((x) => x.name)}
          value={f.team || null}
          error={errors.team}
          onChange={(v) => set({ team: v ?? '' })}
        />
      </div>
      <h3 className={css.formTitle}>{t('admin.queues.g.offer')}</h3>
      <div className={css.grid}>
        <Select
          label={t('admin.queues.f.strategy')}
          description={t(`admin.queues.strategyHint.${f.strategy}`, { defaultValue: '' })}
          data={STRATEGIES.map((value) => ({ value, label: t(`admin.queues.strategy.${value}`) }))}
          value={f.strategy}
          onChange={(v) => v && set({ strategy: v })}
          allowDeselect={false}
        />
        {numbers('offer')}
      </div>
      <h3 className={css.formTitle}>{t('admin.queues.g.wait')}</h3>
      <div className={css.grid}>
        {numbers('wait')}
        {policy('on_timeout')}
        {policy('on_full')}
        {policy('on_no_agents', ['wait'])}
      </div>
      <h3 className={css.formTitle}>{t('admin.queues.g.announce')}</h3>
      <div className={css.grid}>
        {numbers('announce')}
        <TextInput
          label={t('admin.queues.f.moh')}
          description={t('admin.queues.h.moh')}
          value={f.moh}
          error={errors.moh}
          onChange={(e) => set({ moh: e.currentTarget.value })}
        />
      </div>
      <h3 className={css.formTitle}>{t('admin.queues.g.record')}</h3>
      <div className={css.grid}>
        <Select
          label={t('admin.queues.f.record')}
          description={t('admin.queues.h.record')}
          data={['always', 'never'].map((value) => ({ value, label: t(`admin.queues.record.${value}`) }))}
          value={f.record || 'always'}
          onChange={(v) => v && set({ record: v })}
          allowDeselect={false}
        />
        {numbers('record')}
      </div>
      <h3 className={css.formTitle}>{t('admin.queues.g.goal')}</h3>
      <div className={css.grid}>{numbers('goal')}</div>
      {queue ? (
        <Group mt="lg">
          <Button
            variant={sure ? 'filled' : 'subtle'}
            color="red"
            leftSection={<IconTrash size={16} />}
            loading={remove.isPending}
            onClick={() => (sure ? remove.mutate() : setSure(true))}
            onBlur={() => setSure(false)}
          >
            {t(sure ? 'admin.queues.deleteSure' : 'admin.queues.delete')}
          </Button>
        </Group>
      ) : null}
      <EditorFoot busy={save.isPending} disabled={!f.name.trim() || !f.key} onClose={onClose} />
    </form>
  );
}
