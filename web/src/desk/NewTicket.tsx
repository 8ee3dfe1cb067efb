import { Button, Group, Modal, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { newKey, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { teamsQuery } from '~/api/queries';
import type { Ticket } from '~/api/types';
import { toastError } from '~/ui/toast';
import { KINDS } from './ticketFields';

export function NewTicket({
  opened,
  onClose,
  contact,
}: {
  opened: boolean;
  onClose: () => void;
  contact?: number;
}) {
  const { t } = useTranslation();
  return (
    <Modal opened={opened} onClose={onClose} title={t('ticket.new')} size="lg">
      {opened ? <Form onClose={onClose} contact={contact} /> : null}
    </Modal>
  );
}

function Form({ onClose, contact }: { onClose: () => void; contact?: number }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const navigate = useNavigate();
  const teams = useQuery(teamsQuery);
  // One key for the whole form: sending twice makes one ticket.
  const [key] = useState(newKey);
  const [f, setF] = useState({
    title: '',
    kind: 'question',
    phone: '',
    body: '',
    team: null as string | null,
  });
  const save = useMutation({
    mutationFn: () =>
      post<Ticket>(
        '/tickets',
        {
          title: f.title.trim(),
          kind: f.kind,
          ...(contact ? { contact_id: contact } : f.phone.trim() ? { phone: f.phone.trim() } : {}),
          ...(f.body.trim() ? { body: f.body.trim() } : {}),
          ...(f.team ? { team: f.team } : {}),
        },
        key,
      ),
    onSuccess: (made) => {
      onClose();
      void client.invalidateQueries({ queryKey: ['tickets'] });
      void navigate({ to: '/desk/$view/$number', params: { view: 'all', number: made.number } });
    },
    onError: (err) => {
      if (Object.keys(fieldErrors(err)).length === 0) toastError(err);
    },
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
        <TextInput
          label={t('ticket.title')}
          required
          maxLength={500}
          data-autofocus
          value={f.title}
          error={errors.title}
          onChange={(e) => setF({ ...f, title: e.currentTarget.value })}
        />
        <Group grow align="flex-start">
          <Select
            label={t('ticket.kind')}
            data={KINDS.map((value) => ({ value, label: t(`kind.${value}`) }))}
            value={f.kind}
            onChange={(v) => v && setF({ ...f, kind: v })}
            allowDeselect={false}
          />
          <Select
            label={t('ticket.team')}
            placeholder={t('ticket.ownTeam')}
            clearable
            data={(teams.data ?? []).map((x) => ({ value: String(x.id), label: x.name }))}
            value={f.team}
            error={errors.team}
            onChange={(team) => setF({ ...f, team })}
          />
        </Group>
        {contact ? null : (
          <TextInput
            label={t('ticket.phone')}
            description={t('ticket.phoneHint')}
            type="tel"
            value={f.phone}
            error={errors.phone}
            onChange={(e) => setF({ ...f, phone: e.currentTarget.value })}
          />
        )}
        <Textarea
          label={t('ticket.firstNote')}
          autosize
          minRows={3}
          maxRows={10}
          value={f.body}
          onChange={(e) => setF({ ...f, body: e.currentTarget.value })}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!f.title.trim()}>
            {t('ticket.create')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
