import { ActionIcon, Button, Checkbox, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { del, newKey, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { tokensQuery, usersQuery } from '~/api/queries';
import type { ApiToken } from '~/api/types';
import { ago, full } from '~/lib/format';
import { Empty, PageHead, uiCss, When } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import { Secret, TableCard } from './parts';

const SCOPES = [
  'tickets:read',
  'tickets:write',
  'calls:read',
  'calls:write',
  'recordings:read',
  'live:read',
  'phone',
  'admin',
];

export function TokensPage() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState('');
  const [removing, setRemoving] = useState<ApiToken | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: ['tokens'] });
  const remove = useMutation({
    mutationFn: (x: ApiToken) => del(`/tokens/${x.id}`),
    onSuccess: () => {
      setRemoving(null);
      void refresh();
    },
    onError: toastError,
  });
  return (
    <div className={uiCss.page}>
      <PageHead title={t('admin.nav.tokens')} text={t('admin.tokens.text')}>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
          {t('admin.tokens.add')}
        </Button>
      </PageHead>
      <TableCard
        query={tokens}
        label={t('admin.nav.tokens')}
        empty={
          tokens.data?.length === 0 ? (
            <Empty icon={IconKey} title={t('admin.tokens.none')} text={t('admin.tokens.noneText')} />
          ) : undefined
        }
      >
        <thead>
          <tr>
            <th>{t('admin.tokens.name')}</th>
            <th>{t('admin.tokens.actsFor')}</th>
            <th>{t('admin.tokens.scopes')}</th>
            <th>{t('admin.tokens.used')}</th>
            <th>{t('admin.tokens.expires')}</th>
            <th aria-label={t('live.actions')} />
          </tr>
        </thead>
        <tbody>
          {(tokens.data ?? []).map((x) => (
            <tr key={x.id}>
              <td style={{ fontWeight: 600 }}>{x.name}</td>
              <td>{x.login}</td>
              <td>
                {x.scopes.map((s) => t(`scope.${s.replace(':', '_')}`, { defaultValue: s })).join(', ')}
              </td>
              <td>
                {x.last_used_at ? (
                  <When at={x.last_used_at}>{ago(x.last_used_at)}</When>
                ) : (
                  t('admin.tokens.never')
                )}
              </td>
              <td>{x.expires_at ? full(x.expires_at) : t('admin.tokens.noEnd')}</td>
              <td>
                <ActionIcon
                  aria-label={t('admin.tokens.remove', { name: x.name })}
                  onClick={() => setRemoving(x)}
                >
                  <IconTrash size={17} />
                </ActionIcon>
              </td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      <Modal opened={creating} onClose={() => setCreating(false)} title={t('admin.tokens.add')}>
        {creating ? (
          <Form
            onDone={(x) => {
              setCreating(false);
              setSecret(x.secret);
              void refresh();
            }}
          />
        ) : null}
      </Modal>
      <Modal
        opened={secret !== ''}
        onClose={() => setSecret('')}
        title={t('admin.tokens.made')}
        closeOnClickOutside={false}
      >
        <Stack gap="md">
          <span>{t('admin.secretOnce')}</span>
          <Secret value={secret} />
          <Group justify="flex-end">
            <Button onClick={() => setSecret('')}>{t('admin.secretSaved')}</Button>
          </Group>
        </Stack>
      </Modal>
      <Modal
        opened={removing !== null}
        onClose={() => setRemoving(null)}
        title={t('admin.tokens.removeTitle')}
        size="sm"
      >
        <Stack gap="md">
          <span>{t('admin.tokens.removeText', { name: removing?.name ?? '' })}</span>
          <Group justify="flex-end">
            <Button variant="default" data-autofocus onClick={() => setRemoving(null)}>
              {t('common.cancel')}
            </Button>
            <Button
              color="red"
              loading={remove.isPending}
              onClick={() => removing && remove.mutate(removing)}
            >
              {t('admin.tokens.doRemove')}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </div>
  );
}

function Form({ onDone }: { onDone: (x: { token: ApiToken; secret: string }) => void }) {
  const { t } = useTranslation();
  const users = useQuery(usersQuery);
  const [key] = useState(newKey);
  const [f, setF] = useState({ name: '', login: null as string | null, scopes: ['tickets:read'] });
  const save = useMutation({
    mutationFn: () =>
      post<{ token: ApiToken; secret: string }>(
        '/tokens',
        { name: f.name.trim(), login: f.login, scopes: f.scopes },
        key,
      ),
    onSuccess: onDone,
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
          required
          data-autofocus
          label={t('admin.tokens.name')}
          description={t('admin.tokens.nameHint')}
          value={f.name}
          error={errors.name}
          onChange={(e) => setF({ ...f, name: e.currentTarget.value })}
        />
        <Select
          required
          label={t('admin.tokens.actsFor')}
          description={t('admin.tokens.actsForHint')}
          searchable
          data={(users.data ?? [])
            .filter((u) => u.active)
            .map((u) => ({ value: u.login, label: `${u.name} (${u.login})` }))}
          value={f.login}
          error={errors.login}
          onChange={(login) => setF({ ...f, login })}
        />
        <Checkbox.Group
          label={t('admin.tokens.scopes')}
          value={f.scopes}
          onChange={(scopes) => setF({ ...f, scopes })}
          error={errors.scopes}
        >
          <Stack gap={8} mt={6}>
            {SCOPES.map((s) => (
              <Checkbox key={s} value={s} label={t(`scope.${s.replace(':', '_')}`)} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Group justify="flex-end">
          <Button
            type="submit"
            loading={save.isPending}
            disabled={!f.name.trim() || !f.login || f.scopes.length === 0}
          >
            {t('common.create')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
