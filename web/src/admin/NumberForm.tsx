import { Button, Group, NumberInput, SegmentedControl, Select, Stack, TextInput } from '@mantine/core';
import { IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, newKey, patch, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { flowsQuery, queuesQuery } from '~/api/queries';
import type { PhoneNumber } from '~/api/types';
import { local } from '~/i18n';
import { toastError } from '~/ui/toast';
import { EditorFoot } from './parts';

/** Where the calls of one number go: through a menu, or straight into a queue. */
export function NumberForm({
  number,
  onDone,
  onClose,
}: {
  number: PhoneNumber | null;
  onDone: () => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const flows = useQuery(flowsQuery);
  const queues = useQuery(queuesQuery);
  const [key] = useState(newKey);
  const [f, setF] = useState({
    number: number?.number ?? '',
    flow: number?.flow ?? '',
    queue: number?.queue ?? '',
    label: number?.label ?? '',
    max_calls: number?.max_calls ?? 0,
  });
  const [to, setTo] = useState<'flow' | 'queue'>(number && !number.flow ? 'queue' : 'flow');
  const save = useMutation({
    mutationFn: () => {
      const body = {
        flow: to === 'flow' ? f.flow : '',
        queue: to === 'queue' ? f.queue : '',
        label: f.label,
        max_calls: f.max_calls,
      };
      return number
        ? patch(`/numbers/${encodeURIComponent(number.number)}`, body, number.version)
        : post('/numbers', { ...body, number: f.number.trim() }, key);
    },
    onSuccess: onDone,
    onError: (err) => {
      if (Object.keys(fieldErrors(err)).length === 0) toastError(err);
    },
  });
  const remove = useMutation({
    mutationFn: () => del(`/numbers/${encodeURIComponent(number?.number ?? '')}`),
    onSuccess: onDone,
    onError: toastError,
  });
  const errors = fieldErrors(save.error);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="md">
        {number ? null : (
          <TextInput
            required
            data-autofocus
            label={t('admin.numbers.number')}
            description={t('admin.numbers.numberHint')}
            value={f.number}
            error={errors.number}
            onChange={(e) => setF({ ...f, number: e.currentTarget.value })}
          />
        )}
        <TextInput
          label={t('admin.numbers.label')}
          value={f.label}
          onChange={(e) => setF({ ...f, label: e.currentTarget.value })}
        />
        <SegmentedControl
          aria-label={t('admin.numbers.goes')}
          value={to}
          onChange={(v) => setTo(v as 'flow' | 'queue')}
          data={[
            { value: 'flow', label: t('admin.numbers.flow') },
            { value: 'queue', label: t('admin.numbers.queue') },
          ]}
        />
        {to === 'flow' ? (
          <Select
            required
            label={t('admin.numbers.flow')}
            data={(flows.data ?? []).map((x) => ({
              value: x.id,
              label: `${local(x.title, x.id)} (${x.id})`,
            }))}
            value={f.flow || null}
            error={errors.flow}
            onChange={(v) => setF({ ...f, flow: v ?? '' })}
          />
        ) : (
          <Select
            required
            label={t('admin.numbers.queue')}
            data={(queues.data ?? []).map((x) => ({ value: x.key, label: x.name || x.key }))}
            value={f.queue || null}
            error={errors.queue}
            onChange={(v) => setF({ ...f, queue: v ?? '' })}
          />
        )}
        <NumberInput
          label={t('admin.trunks.maxCalls')}
          description={t('admin.trunks.h.max_calls')}
          min={0}
          value={f.max_calls}
          onChange={(v) => setF({ ...f, max_calls: Number(v) || 0 })}
        />
        {number ? (
          <Group>
            <Button
              variant="subtle"
              color="red"
              leftSection={<IconTrash size={16} />}
              loading={remove.isPending}
              onClick={() => remove.mutate()}
            >
              {t('admin.numbers.delete')}
            </Button>
          </Group>
        ) : null}
      </Stack>
      <EditorFoot
        busy={save.isPending}
        disabled={(!number && !f.number.trim()) || (to === 'flow' ? !f.flow : !f.queue)}
        onClose={onClose}
      />
    </form>
  );
}
