import {
  Button,
  Group,
  NumberInput,
  PasswordInput,
  Select,
  Switch,
  TagsInput,
  TextInput,
} from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, newKey, patch, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import type { Trunk } from '~/api/types';
import { toastError } from '~/ui/toast';
import css from './admin.module.css';
import { EditorFoot } from './parts';
import { TrunkStatus } from './Trunks';

type Values = Omit<Trunk, 'version' | 'state' | 'password_set'>;

const blank: Values = {
  name: '',
  cidrs: [],
  asserts_identity: false,
  region: 'RU',
  area_code: '',
  host: '',
  port: 5060,
  transport: 'udp',
  user: '',
  password: '',
  register: false,
  max_calls: 0,
  unknown_number: 'reject',
  caller_id: '',
  enabled: true,
};

export function TrunkForm({
  trunk,
  onDone,
  onClose,
}: {
  trunk: Trunk | null;
  onDone: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [key] = useState(newKey);
  const [f, setF] = useState<Values>(
    trunk ? { ...blank, ...trunk, cidrs: trunk.cidrs ?? [], password: '' } : blank,
  );
  const [sure, setSure] = useState(false);
  const set = (next: Partial<Values>) => setF((v) => ({ ...v, ...next }));
  const save = useMutation({
    mutationFn: () => {
      const body: Record<string, unknown> = Object.fromEntries(
        (Object.keys(blank) as (keyof Values)[]).map((k) => [k, f[k]]),
      );
      // The stored password never comes back; an empty field leaves it as it is.
      if (!f.password) delete body.password;
      if (!f.port) delete body.port;
      if (!trunk) return post<Trunk>('/trunks', body, key);
      delete body.name;
      return patch<Trunk>(`/trunks/${trunk.name}`, body, trunk.version);
    },
    onSuccess: onDone,
    onError: (err) => {
      if (Object.keys(fieldErrors(err)).length === 0) toastError(err);
    },
  });
  const remove = useMutation({
    mutationFn: () => del(`/trunks/${trunk?.name}`),
    onSuccess: onDone,
    onError: toastError,
  });
  const errors = fieldErrors(save.error);
  const text = (k: 'host' | 'user' | 'caller_id' | 'area_code', extra: object = {}) => (
    <TextInput
      label={t(`admin.trunks.f.${k}`)}
      description={t(`admin.trunks.h.${k}`)}
      value={f[k]}
      error={errors[k]}
      onChange={(e) => set({ [k]: e.currentTarget.value })}
      {...extra}
    />
  );
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      {trunk ? <TrunkStatus trunk={trunk} long /> : null}
      <h3 className={css.formTitle}>{t('admin.trunks.g.about')}</h3>
      <div className={css.grid}>
        {trunk ? null : (
          <TextInput
            required
            data-autofocus
            label={t('admin.trunks.f.name')}
            value={f.name}
            error={errors.name}
            onChange={(e) => set({ name: e.currentTarget.value })}
          />
        )}
        <Switch
          label={t('admin.trunks.f.enabled')}
          description={t('admin.trunks.h.enabled')}
          checked={f.enabled}
          onChange={(e) => set({ enabled: e.currentTarget.checked })}
        />
      </div>
      <h3 className={css.formTitle}>{t('admin.trunks.g.in')}</h3>
      <div className={css.grid}>
        <TagsInput
          label={t('admin.trunks.f.cidrs')}
          description={t('admin.trunks.h.cidrs')}
          placeholder="203.0.113.0/24"
          value={f.cidrs}
          error={errors.cidrs}
          onChange={(cidrs) => set({ cidrs })}
          splitChars={[',', ' ']}
        />
        <Switch
          label={t('admin.trunks.f.asserts_identity')}
          description={t('admin.trunks.h.asserts_identity')}
          checked={f.asserts_identity}
          onChange={(e) => set({ asserts_identity: e.currentTarget.checked })}
        />
        <Select
          label={t('admin.trunks.f.unknown_number')}
          description={t('admin.trunks.h.unknown_number')}
          data={['reject', 'notice'].map((value) => ({ value, label: t(`admin.trunks.unknown.${value}`) }))}
          value={f.unknown_number}
          onChange={(v) => v && set({ unknown_number: v })}
          allowDeselect={false}
        />
        <TextInput
          label={t('admin.trunks.f.region')}
          description={t('admin.trunks.h.region')}
          maxLength={2}
          value={f.region}
          error={errors.region}
          onChange={(e) => set({ region: e.currentTarget.value.toUpperCase() })}
        />
        {text('area_code')}
      </div>
      <h3 className={css.formTitle}>{t('admin.trunks.g.out')}</h3>
      <div className={css.grid}>
        {text('host', { placeholder: 'sip.example.net' })}
        <NumberInput
          label={t('admin.trunks.f.port')}
          min={0}
          max={65535}
          value={f.port}
          error={errors.port}
          onChange={(v) => set({ port: Number(v) || 0 })}
        />
        <Select
          label={t('admin.trunks.f.transport')}
          data={['udp', 'tcp']}
          value={f.transport}
          onChange={(v) => v && set({ transport: v })}
          allowDeselect={false}
        />
        {text('user', { autoComplete: 'off' })}
        <PasswordInput
          label={t('session.password')}
          description={t(trunk?.password_set ? 'admin.trunks.h.passwordSet' : 'admin.trunks.h.password')}
          autoComplete="new-password"
          visibilityToggleButtonProps={{ 'aria-label': t('session.showPassword') }}
          value={f.password}
          error={errors.password}
          onChange={(e) => set({ password: e.currentTarget.value })}
        />
        <Switch
          label={t('admin.trunks.f.register')}
          description={t('admin.trunks.h.register')}
          checked={f.register}
          onChange={(e) => set({ register: e.currentTarget.checked })}
        />
        {text('caller_id')}
        <NumberInput
          label={t('admin.trunks.maxCalls')}
          description={t('admin.trunks.h.max_calls')}
          min={0}
          max={10000}
          value={f.max_calls}
          onChange={(v) => set({ max_calls: Number(v) || 0 })}
        />
      </div>
      {trunk ? (
        <Group mt="lg">
          <Button
            variant={sure ? 'filled' : 'subtle'}
            color="red"
            leftSection={<IconTrash size={16} />}
            loading={remove.isPending}
            onClick={() => (sure ? remove.mutate() : setSure(true))}
            onBlur={() => setSure(false)}
          >
            {t(sure ? 'admin.trunks.deleteSure' : 'admin.trunks.delete')}
          </Button>
        </Group>
      ) : null}
      <EditorFoot busy={save.isPending} disabled={!f.name.trim()} onClose={onClose} />
    </form>
  );
}
