import { Button, Group, Modal, Stack } from '@mantine/core';
import { IconKey, IconPhone, IconPlus, IconUserCheck, IconUserOff } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { post } from '~/api/client';
import { usersQuery } from '~/api/queries';
import type { User } from '~/api/types';
import { Avatar, Empty, PageHead, Pill, uiCss } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import css from './admin.module.css';
import { Editor, Secret, TableCard } from './parts';
import { UserForm } from './UserForm';

export function UsersPage() {
  const { t } = useTranslation();
  const client = useQueryClient();
  const users = useQuery(usersQuery);
  const [editing, setEditing] = useState<User | 'new' | null>(null);
  const [secret, setSecret] = useState<SecretInfo | null>(null);
  const done = (s?: SecretInfo) => {
    setEditing(null);
    if (s) setSecret(s);
    void client.invalidateQueries({ queryKey: usersQuery.queryKey });
  };
  const current =
    editing === 'new' || editing === null
      ? null
      : (users.data?.find((u) => u.login === editing.login) ?? editing);
  return (
    <div className={uiCss.page}>
      <PageHead title={t('admin.nav.users')} text={t('admin.users.text')}>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing('new')}>
          {t('admin.users.add')}
        </Button>
      </PageHead>
      <TableCard
        query={users}
        label={t('admin.nav.users')}
        empty={users.data?.length === 0 ? <Empty title={t('admin.users.none')} /> : undefined}
      >
        <thead>
          <tr>
            <th>{t('admin.users.name')}</th>
            <th>{t('admin.users.roles')}</th>
            <th>{t('admin.users.teams')}</th>
            <th>{t('admin.users.queues')}</th>
            <th>{t('admin.users.endpoint')}</th>
            <th>{t('admin.users.state')}</th>
          </tr>
        </thead>
        <tbody>
          {(users.data ?? []).map((u) => (
            <tr key={u.login}>
              <td>
                <Group gap={10} wrap="nowrap">
                  <Avatar name={u.name} size={30} />
                  <div style={{ lineHeight: 1.25 }}>
                    <button type="button" className={css.rowLink} onClick={() => setEditing(u)}>
                      {u.name}
                    </button>
                    <div className="dim" style={{ fontSize: 12 }}>
                      {u.login}
                    </div>
                  </div>
                </Group>
              </td>
              <td>{u.roles.map((r) => t(`role.${r}`, { defaultValue: r })).join(', ')}</td>
              <td>{(u.teams ?? []).map((x) => x.name).join(', ')}</td>
              <td>{(u.queues ?? []).map((x) => x.queue).join(', ')}</td>
              <td>
                {t(
                  `admin.users.ep.${u.endpoint === '' ? 'browser' : u.endpoint === 'registered' ? 'registered' : 'sip'}`,
                )}
              </td>
              <td>
                {u.active ? (
                  <Pill tone="green" icon={IconUserCheck}>
                    {t('admin.users.active')}
                  </Pill>
                ) : (
                  <Pill tone="neutral" icon={IconUserOff}>
                    {t('admin.users.inactive')}
                  </Pill>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      <Editor
        opened={editing !== null}
        onClose={() => setEditing(null)}
        title={current ? current.name : t('admin.users.add')}
      >
        {current ? <Passwords user={current} onSecret={setSecret} /> : null}
        <UserForm user={current} onDone={done} onClose={() => setEditing(null)} />
      </Editor>
      <Modal
        opened={secret !== null}
        onClose={() => setSecret(null)}
        title={secret?.title}
        closeOnClickOutside={false}
      >
        <Stack gap="md">
          <span>{t('admin.secretOnce')}</span>
          {(secret?.values ?? []).map((v) => (
            <Secret key={v.label} label={v.label} value={v.value} />
          ))}
          <Group justify="flex-end">
            <Button onClick={() => setSecret(null)}>{t('admin.secretSaved')}</Button>
          </Group>
        </Stack>
      </Modal>
    </div>
  );
}

export interface SecretInfo {
  title: string;
  values: { label: string; value: string }[];
}

/** New passwords, made by the server and shown once. */
function Passwords({ user, onSecret }: { user: User; onSecret: (s: SecretInfo) => void }) {
  const { t } = useTranslation();
  const reset = useMutation({
    mutationFn: () => post<{ password: string }>(`/users/${user.login}/password`),
    onSuccess: (a) =>
      onSecret({
        title: t('admin.users.newPassword', { who: user.name }),
        values: [{ label: t('session.password'), value: a.password }],
      }),
    onError: toastError,
  });
  const sip = useMutation({
    mutationFn: () =>
      post<{ user: string; password: string; realm: string }>(`/users/${user.login}/sip-password`),
    onSuccess: (a) =>
      onSecret({
        title: t('admin.users.newSip', { who: user.name }),
        values: [
          { label: t('admin.users.sipUser'), value: a.user },
          { label: t('admin.users.sipPassword'), value: a.password },
          { label: t('admin.users.sipRealm'), value: a.realm },
        ],
      }),
    onError: toastError,
  });
  return (
    <Group mb="md">
      <Button
        variant="default"
        leftSection={<IconKey size={16} />}
        loading={reset.isPending}
        onClick={() => reset.mutate()}
      >
        {t('admin.users.reset')}
      </Button>
      <Button
        variant="default"
        leftSection={<IconPhone size={16} />}
        loading={sip.isPending}
        onClick={() => sip.mutate()}
      >
        {t('admin.users.sip')}
      </Button>
    </Group>
  );
}
