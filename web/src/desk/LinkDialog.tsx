// Where a call belongs: another ticket, a new one, or none with a reason.

import { Button, Group, Loader, Modal, Radio, Select, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { list, post } from '~/api/client';
import type { CallRecord, Ticket } from '~/api/types';
import { phone, timeOf } from '~/lib/format';
import { toastError, toastUndo } from '~/ui/toast';

type Mode = 'ticket' | 'new' | 'none';
const REASONS = ['wrong_number', 'sales', 'internal', 'other'];

export function LinkDialog({
  call,
  verb,
  onClose,
}: {
  call: CallRecord;
  verb: 'link' | 'move' | 'split';
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [mode, setMode] = useState<Mode>(verb === 'split' ? 'new' : 'ticket');
  const [ticket, setTicket] = useState<string | null>(null);
  const [title, setTitle] = useState(
    t('link.newTitle', { who: phone(call.caller.number), time: timeOf(call.started_at) }),
  );
  const [reason, setReason] = useState<string | null>(null);
  const refresh = () =>
    Promise.all(
      ['timeline', 'calls', 'tickets', 'ticket'].map((k) => client.invalidateQueries({ queryKey: [k] })),
    );
  const save = useMutation({
    mutationFn: () => {
      if (verb === 'move') return post(`/calls/${call.id}/move`, { ticket });
      if (verb === 'split') return post(`/calls/${call.id}/split`, { title });
      const body =
        mode === 'ticket' ? { ticket } : mode === 'new' ? { new: { title } } : { none: { reason } };
      return post(`/calls/${call.id}/link`, body);
    },
    onSuccess: async () => {
      onClose();
      await refresh();
      toastUndo(t('link.done'), () => post(`/calls/${call.id}/undo`).then(refresh));
    },
    onError: toastError,
  });
  const ready = mode === 'ticket' ? ticket : mode === 'new' ? title.trim() : reason;
  return (
    <Modal opened onClose={onClose} title={t(`link.title.${verb}`)}>
      <Stack gap="md">
        {verb === 'link' ? (
          <Radio.Group value={mode} onChange={(v) => setMode(v as Mode)} aria-label={t('link.title.link')}>
            <Group gap="lg">
              {(['ticket', 'new', 'none'] as const).map((m) => (
                <Radio key={m} value={m} label={t(`link.mode.${m}`)} />
              ))}
            </Group>
          </Radio.Group>
        ) : null}
        {mode === 'ticket' ? (
          <TicketPick value={ticket} onChange={setTicket} contact={call.contact?.id} />
        ) : null}
        {mode === 'new' ? (
          <TextInput
            label={t('ticket.title')}
            value={title}
            onChange={(e) => setTitle(e.currentTarget.value)}
            maxLength={500}
            data-autofocus
          />
        ) : null}
        {mode === 'none' ? (
          <Select
            label={t('incoming.noneWhy')}
            data={REASONS.map((value) => ({ value, label: t(`incoming.none.${value}`) }))}
            value={reason}
            onChange={setReason}
          />
        ) : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button disabled={!ready} loading={save.isPending} onClick={() => save.mutate()}>
            {t(`link.do.${verb}`)}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** Finds a ticket by number or words; the caller's own tickets come first. */
function TicketPick({
  value,
  onChange,
  contact,
}: {
  value: string | null;
  onChange: (v: string | null) => void;
  contact?: number;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  const [q] = useDebouncedValue(typed.replace(/[#\s-]/g, (c) => (c === ' ' ? ' ' : '')).trim(), 250);
  const found = useQuery({
    queryKey: ['pick', q, contact],
    queryFn: async () =>
      (
        await list<Ticket>(
          '/tickets',
          q ? { q, status: 'all', limit: 8 } : { contact, status: 'all', limit: 8 },
        )
      ).data,
  });
  const data = (found.data ?? []).map((x) => ({ value: x.number, label: `#${x.number}  ${x.title}` }));
  return (
    <Select
      label={t('link.ticket')}
      placeholder={t('link.ticketHint')}
      searchable
      data-autofocus
      data={data}
      filter={({ options }) => options}
      value={value}
      onChange={onChange}
      searchValue={typed}
      onSearchChange={setTyped}
      nothingFoundMessage={t('desk.nothing')}
      rightSection={found.isFetching ? <Loader size={14} /> : undefined}
    />
  );
}
