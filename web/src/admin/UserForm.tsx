import { ActionIcon, Button, MultiSelect, NumberInput, Select, Switch, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { newKey, patch, post } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import { queuesQuery, teamsQuery } from '~/api/queries';
import type { Lang, NewUser, User } from '~/api/types';
import { LANGS } from '~/i18n';
import { toastError } from '~/ui/toast';
import css from './admin.module.css';
import { EditorFoot } from './parts';
import type { SecretInfo } from './Users';

const ROLES = ['agent', 'supervisor', 'admin'];
const ACCESS = ['read', 'reply', 'full', 'lead'];

const blank: NewUser = {
  login: '',
  name: '',
  email: '',
  locale: 'ru',
  roles: ['agent'],
  teams: [],
  queues: [],
  skills: {},
  endpoint: '',
  active: true,
};

export function UserForm({
  user,
  onDone,
  onClose,
}: {
  user: User | null;
  onDone: (s?: SecretInfo) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [key] = useState(newKey);
  const [f, setF] = useState<NewUser>(
    user
      ? { ...blank, ...user, teams: user.teams ?? [], queues: user.queues ?? [], skills: user.skills ?? {} }
      : blank,
  );
  const [kind, setKind] = useState(
    f.endpoint === '' ? 'browser' : f.endpoint === 'registered' ? 'registered' : 'sip',
  );
  const set = (next: Partial<NewUser>) => setF((v) => ({ ...v, ...next }));
  const save = useMutation({
    mutationFn: async () => {
      const endpoint = kind === 'browser' ? '' : kind === 'registered' ? 'registered' : f.endpoint;
      const { name, email, locale, roles, teams, queues, skills, active } = f;
      const body = { name, email, locale, roles, teams, queues, skills, endpoint, active };
      if (user) {
        await patch<User>(`/users/${user.login}`, body, user.version);
        return undefined;
      }
      const made = await post<User & { password?: string }>(
        '/users',
        { ...body, login: f.login.trim() },
        key,
      );
      if (made?.password) return made.password;
      return (await post<{ password: string }>(`/users/${f.login.trim()}/password`)).password;
    },
    onSuccess: (password) =>
      onDone(
        password
          ? {
              title: t('admin.users.newPassword', { who: f.name }),
              values: [
                { label: t('session.login'), value: f.login },
                { label: t('session.password'), value: password },
              ],
            }
          : undefined,
      ),
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
      <h3 className={css.formTitle}>{t('admin.users.person')}</h3>
      <div className={css.grid}>
        {user ? null : (
          <TextInput
            required
            data-autofocus
            label={t('session.login')}
            autoCapitalize="none"
            autoComplete="off"
            value={f.login}
            error={errors.login}
            onChange={(e) => set({ login: e.currentTarget.value })}
          />
        )}
        <TextInput
          required
          label={t('admin.users.name')}
          value={f.name}
          error={errors.name}
          onChange={(e) => set({ name: e.currentTarget.value })}
        />
        <TextInput
          label={t('contact.email')}
          type="email"
          value={f.email ?? ''}
          error={errors.email}
          onChange={(e) => set({ email: e.currentTarget.value })}
        />
        <Select
          label={t('settings.language')}
          data={LANGS.map((l) => ({ value: l.key, label: l.name }))}
          value={f.locale}
          onChange={(v) => v && set({ locale: v as Lang })}
          allowDeselect={false}
        />
        <MultiSelect
          label={t('admin.users.roles')}
          data={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
          value={f.roles}
          error={errors.roles}
          onChange={(roles) => set({ roles })}
        />
        <Switch
          label={t('admin.users.active')}
          description={t('admin.users.activeHint')}
          checked={f.active}
          onChange={(e) => set({ active: e.currentTarget.checked })}
        />
      </div>
      <h3 className={css.formTitle}>{t('admin.users.phone')}</h3>
      <div className={css.grid}>
        <Select
          label={t('admin.users.endpoint')}
          description={t(`admin.users.epHint.${kind}`)}
          data={['browser', 'registered', 'sip'].map((value) => ({
            value,
            label: t(`admin.users.ep.${value}`),
          }))}
          value={kind}
          onChange={(v) => v && setKind(v)}
          allowDeselect={false}
        />
        {kind === 'sip' ? (
          <TextInput
            required
            label={t('admin.users.sipAddress')}
            placeholder="sip:desk1@192.0.2.10:5060"
            value={f.endpoint === 'registered' ? '' : f.endpoint}
            error={errors.endpoint}
            onChange={(e) => set({ endpoint: e.currentTarget.value })}
          />
        ) : null}
      </div>
      <Memberships f={f} set={set} />
      <EditorFoot
        busy={save.isPending}
        disabled={!f.name.trim() || (!user && !f.login.trim())}
        onClose={onClose}
      />
    </form>
  );
}

function Memberships({ f, set }: { f: NewUser; set: (n: Partial<NewUser>) => void }) {
  const { t } = useTranslation();
  const teams = useQuery(teamsQuery);
  const queues = useQuery(queuesQuery);
  const [skill, setSkill] = useState('');
  const setAt = <T,>(list: T[], i: number, next: T): T[] => list.map((x, n) => (n === i ? next : x));
  const without = <T,>(list: T[], i: number): T[] => list.filter((_, n) => n !== i);
  const freeTeams = (teams.data ?? []).filter((x) => !f.teams.some((m) => m.name === x.name));
  const freeQueues = (queues.data ?? []).filter((x) => !f.queues.some((m) => m.queue === x.key));
  return (
    <>
      <h3 className={css.formTitle}>{t('admin.users.teams')}</h3>
      {f.teams.map((m, i) => (
        <div key={m.name} className={css.editor}>
          <TextInput readOnly aria-label={t('admin.users.team')} value={m.name} variant="filled" />
          <Select
            w={190}
            aria-label={t('admin.users.access')}
            data={ACCESS.map((value) => ({ value, label: t(`access.${value}`) }))}
            value={m.access}
            onChange={(v) => v && set({ teams: setAt(f.teams, i, { ...m, access: v }) })}
            allowDeselect={false}
          />
          <ActionIcon
            aria-label={t('admin.users.remove', { what: m.name })}
            onClick={() => set({ teams: without(f.teams, i) })}
          >
            <IconX size={17} />
          </ActionIcon>
        </div>
      ))}
      <Adder
        label={t('admin.users.addTeam')}
        options={freeTeams.map((x) => ({ value: x.name, label: x.name }))}
        onAdd={(name) => set({ teams: [...f.teams, { name, access: 'full' }] })}
      />
      <h3 className={css.formTitle}>{t('admin.users.queues')}</h3>
      {f.queues.map((m, i) => (
        <div key={m.queue} className={css.editor}>
          <TextInput
            readOnly
            aria-label={t('live.queue')}
            value={queues.data?.find((q) => q.key === m.queue)?.name || m.queue}
            variant="filled"
          />
          <NumberInput
            w={110}
            aria-label={t('admin.users.level')}
            title={t('admin.users.levelHint')}
            min={1}
            max={10}
            value={m.level}
            onChange={(v) => set({ queues: setAt(f.queues, i, { ...m, level: Number(v) || 1 }) })}
          />
          <ActionIcon
            aria-label={t('admin.users.remove', { what: m.queue })}
            onClick={() => set({ queues: without(f.queues, i) })}
          >
            <IconX size={17} />
          </ActionIcon>
        </div>
      ))}
      <Adder
        label={t('admin.users.addQueue')}
        options={freeQueues.map((x) => ({ value: x.key, label: x.name || x.key }))}
        onAdd={(queue) => set({ queues: [...f.queues, { queue, level: 1 }] })}
      />
      <h3 className={css.formTitle}>{t('admin.users.skills')}</h3>
      {Object.entries(f.skills).map(([name, level]) => (
        <div key={name} className={css.editor}>
          <TextInput readOnly aria-label={t('admin.users.skill')} value={name} variant="filled" />
          <NumberInput
            w={110}
            aria-label={t('admin.users.skillLevel')}
            min={1}
            max={10}
            value={level}
            onChange={(v) => set({ skills: { ...f.skills, [name]: Number(v) || 1 } })}
          />
          <ActionIcon
            aria-label={t('admin.users.remove', { what: name })}
            onClick={() =>
              set({ skills: Object.fromEntries(Object.entries(f.skills).filter(([k]) => k !== name)) })
            }
          >
            <IconX size={17} />
          </ActionIcon>
        </div>
      ))}
      <div className={css.editor}>
        <TextInput
          placeholder={t('admin.users.skillHint')}
          aria-label={t('admin.users.addSkill')}
          value={skill}
          onChange={(e) => setSkill(e.currentTarget.value)}
        />
        <Button
          variant="default"
          leftSection={<IconPlus size={15} />}
          disabled={!skill.trim()}
          onClick={() => {
            set({ skills: { ...f.skills, [skill.trim()]: 1 } });
            setSkill('');
          }}
        >
          {t('admin.users.addSkill')}
        </Button>
      </div>
    </>
  );
}

function Adder({
  label,
  options,
  onAdd,
}: {
  label: string;
  options: { value: string; label: string }[];
  onAdd: (v: string) => void;
}) {
  if (options.length === 0) return null;
  return (
    <Select
      placeholder={label}
      aria-label={label}
      leftSection={<IconPlus size={15} />}
      data={options}
      value={null}
      onChange={(v) => v && onAdd(v)}
    />
  );
}
