import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { newKey, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { orgsQuery } from '~/api/queries';
import type { Contact } from '~/api/types';
import { toastError } from '~/ui/toast';

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The number that called, when that is why we are here. */
  phone?: string;
  name?: string;
  onSaved: (c: Contact) => void;
}

export function ContactForm(props: Props) {
  const { t } = useTranslation();
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={t('contact.create')}>
      {props.opened ? <Form {...props} /> : null}
    </Modal>
  );
}

function Form({ onClose, phone = '', name = '', onSaved }: Props) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [key] = useState(newKey);
  const [f, setF] = useState({ name, phone, email: '', org: null as string | null });
  const [typed, setTyped] = useState('');
  const [q] = useDebouncedValue(typed, 250);
  const orgs = useQuery(orgsQuery(q));
  const save = useMutation({
    mutationFn: () =>
      post<Contact>(
        '/contacts',
        {
          name: f.name.trim(),
          ...(f.org ? { org_id: Number(f.org) } : {}),
          points: [
            ...(f.phone.trim() ? [{ kind: 'phone', value: f.phone.trim() }] : []),
            ...(f.email.trim() ? [{ kind: 'email', value: f.email.trim() }] : []),
          ],
        },
        key,
      ),
    onSuccess: (c) => {
      void client.invalidateQueries({ queryKey: ['contacts'] });
      onClose();
      onSaved(c);
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
          label={t('contact.name')}
          required
          data-autofocus
          value={f.name}
          error={errors.name}
          onChange={(e) => setF({ ...f, name: e.currentTarget.value })}
        />
        <TextInput
          label={t('contact.phone')}
          type="tel"
          value={f.phone}
          error={errors.phone ?? errors['points[0].value'] ?? errors.value}
          onChange={(e) => setF({ ...f, phone: e.currentTarget.value })}
        />
        <TextInput
          label={t('contact.email')}
          type="email"
          value={f.email}
          onChange={(e) => setF({ ...f, email: e.currentTarget.value })}
        />
        <Select
          label={t('contact.org')}
          placeholder={t('contact.orgHint')}
          searchable
          clearable
          data={(orgs.data ?? []).map((o) => ({ value: String(o.id), label: o.name }))}
          filter={({ options }) => options}
          value={f.org}
          onChange={(org) => setF({ ...f, org })}
          searchValue={typed}
          onSearchChange={setTyped}
          nothingFoundMessage={t('desk.nothing')}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!f.name.trim()}>
            {t('common.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
