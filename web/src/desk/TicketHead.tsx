// Status, severity, who has it, and the ways on: solve, reopen, hand over.

import { Button, Group, Menu, Modal, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { IconCheck, IconChevronDown, IconRotate, IconUser, IconUsersGroup } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { post } from '~/api/client';
import { teamsQuery } from '~/api/queries';
import type { Severity, Ticket } from '~/api/types';
import { useMe } from '~/app/context';
import { inText, keyName } from '~/lib/keys';
import { prefs } from '~/lib/prefs';
import { Pill } from '~/ui/bits';
import { Due, SeverityPill, StatusPill } from '~/ui/ticketBits';
import { toastError, toastUndo } from '~/ui/toast';
import { DialButton } from './DialButton';
import css from './ticket.module.css';
import { RESOLUTIONS, ROOT_CAUSES, SEVERITIES } from './ticketFields';
import { useTicketEdit } from './useTicketEdit';

const DONE = ['solved', 'closed'];

export function TicketHead({
  ticket: x,
  before,
  after,
}: {
  ticket: Ticket;
  before: ReactNode;
  after: ReactNode;
}) {
  const { t } = useTranslation();
  const edit = useTicketEdit(x);
  const [solving, setSolving] = useState(false);
  const [title, setTitle] = useState<string | null>(null);
  const done = DONE.includes(x.status.category);
  const reopen = () =>
    post<Ticket>(`/tickets/${x.number}/reopen`)
      .then(async (y) => {
        if (y?.number) edit.store(y);
        else await edit.refetch();
      })
      .catch(toastError);
  useSolveKey(() => !done && setSolving(true));
  const saveTitle = () => {
    const next = title?.trim();
    setTitle(null);
    if (next && next !== x.title)
      void edit.change({ title: next }, { title: x.title }, t('ticket.titleChanged'), { title: next });
  };
  return (
    <header className={css.head}>
      <div className={css.titleRow}>
        {before}
        {title === null ? (
          <h1>
            <span className="tnum">#{x.number}</span>
            <button
              type="button"
              onClick={() => setTitle(x.title)}
              title={t('ticket.editTitle')}
              style={{ all: 'unset', cursor: 'text', outline: 'revert' }}
            >
              {x.title}
            </button>
          </h1>
        ) : (
          <TextInput
            flex={1}
            autoFocus
            aria-label={t('ticket.title')}
            value={title}
            maxLength={500}
            onChange={(e) => setTitle(e.currentTarget.value)}
            onBlur={saveTitle}
            onKeyDown={(e) => {
              if (e.key === 'Enter') saveTitle();
              if (e.key === 'Escape') setTitle(null);
            }}
          />
        )}
        {x.contact?.points?.some((p) => p.kind === 'phone') ? (
          <DialButton
            target={{ ticket: x.number }}
            label={t('ticket.call')}
            name={`${t('ticket.call')}: ${x.contact.name}`}
          />
        ) : null}
        {done ? (
          <Button variant="default" leftSection={<IconRotate size={16} />} onClick={() => void reopen()}>
            {t('ticket.reopen')}
          </Button>
        ) : (
          <Button variant="light" leftSection={<IconCheck size={16} />} onClick={() => setSolving(true)}>
            {t('ticket.solve')}
          </Button>
        )}
        {after}
      </div>
      <div className={css.fields}>
        <StatusPill status={x.status} />
        <SeverityMenu ticket={x} />
        <AssigneeMenu ticket={x} />
        <TeamMenu ticket={x} />
        <Due ticket={x} />
        {(x.flags ?? []).map((f) => (
          <Pill key={f} tone="amber">
            {t(`flag.${f}`, { defaultValue: f })}
          </Pill>
        ))}
      </div>
      <SolveDialog
        ticket={x}
        opened={solving}
        onClose={() => setSolving(false)}
        onSolved={(y) => {
          if (y?.number) edit.store(y);
          else void edit.refetch();
          toastUndo(t('ticket.solved'), reopen);
        }}
      />
    </header>
  );
}

function useSolveKey(solve: () => void) {
  useEffect(() => {
    const down = (e: KeyboardEvent) => {
      if (
        inText(e.target) ||
        !prefs.get().singleKeys ||
        keyName(e) !== 's' ||
        document.querySelector('[role="dialog"]')
      )
        return;
      e.preventDefault();
      solve();
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  });
}

function SeverityMenu({ ticket: x }: { ticket: Ticket }) {
  const { t } = useTranslation();
  const edit = useTicketEdit(x);
  return (
    <Menu width={330}>
      <Menu.Target>
        <button
          type="button"
          className={css.field}
          aria-label={`${t('ticket.severity')}: ${t(`severity.${x.severity}`)}`}
        >
          <SeverityPill severity={x.severity} plain />
          <IconChevronDown size={14} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('ticket.severity')}</Menu.Label>
        {SEVERITIES.map((s: Severity) => (
          <Menu.Item
            key={s}
            onClick={() =>
              void edit.change({ severity: s }, { severity: x.severity }, t('ticket.severityChanged'), {
                severity: s,
              })
            }
          >
            <SeverityPill severity={s} plain />
            <div className="dim" style={{ fontSize: 12, whiteSpace: 'normal' }}>
              {t(`severity.hint.${s}`)}
            </div>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function AssigneeMenu({ ticket: x }: { ticket: Ticket }) {
  const { t } = useTranslation();
  const me = useMe();
  const edit = useTicketEdit(x);
  const [login, setLogin] = useState('');
  const set = (next: string) =>
    void edit.change(
      { assignee: next || null },
      { assignee: x.assignee?.login ?? null },
      t('ticket.assigneeChanged'),
      {
        assignee: next ? { login: next, name: next === me.login ? me.name : next } : null,
      },
    );
  return (
    <Menu width={260} closeOnItemClick>
      <Menu.Target>
        <button
          type="button"
          className={css.field}
          aria-label={`${t('ticket.assignee')}: ${x.assignee?.name ?? t('ticket.nobody')}`}
        >
          <IconUser size={15} />
          {x.assignee?.name ?? <small>{t('ticket.nobody')}</small>}
          <IconChevronDown size={14} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {x.assignee?.login !== me.login ? (
          <Menu.Item onClick={() => set(me.login)}>{t('ticket.takeIt')}</Menu.Item>
        ) : null}
        {x.assignee ? <Menu.Item onClick={() => set('')}>{t('ticket.release')}</Menu.Item> : null}
        <Menu.Divider />
        <form
          style={{ padding: '4px 8px 8px' }}
          onSubmit={(e) => {
            e.preventDefault();
            if (login.trim()) set(login.trim());
          }}
        >
          <TextInput
            size="xs"
            label={t('ticket.giveTo')}
            placeholder={t('session.login')}
            value={login}
            onChange={(e) => setLogin(e.currentTarget.value)}
            onKeyDown={(e) => e.stopPropagation()}
          />
        </form>
      </Menu.Dropdown>
    </Menu>
  );
}

function TeamMenu({ ticket: x }: { ticket: Ticket }) {
  const { t } = useTranslation();
  const edit = useTicketEdit(x);
  const teams = useQuery(teamsQuery);
  return (
    <Menu width={260}>
      <Menu.Target>
        <button type="button" className={css.field} aria-label={`${t('ticket.team')}: ${x.team.name}`}>
          <IconUsersGroup size={15} />
          {x.team.name}
          {x.team.line ? <small>{t('ticket.line', { n: x.team.line })}</small> : null}
          <IconChevronDown size={14} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('ticket.moveTo')}</Menu.Label>
        {(teams.data ?? [])
          .filter((team) => team.id !== x.team.id)
          .map((team) => (
            <Menu.Item
              key={team.id}
              onClick={() =>
                void edit.change(
                  { team: String(team.id) },
                  { team: String(x.team.id) },
                  t('ticket.teamChanged'),
                  { team },
                )
              }
            >
              {team.name}
              {team.line ? <span className="dim"> · {t('ticket.line', { n: team.line })}</span> : null}
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SolveDialog({
  ticket: x,
  opened,
  onClose,
  onSolved,
}: {
  ticket: Ticket;
  opened: boolean;
  onClose: () => void;
  onSolved: (t: Ticket) => void;
}) {
  const { t } = useTranslation();
  const [resolution, setResolution] = useState<string | null>('answered');
  const [cause, setCause] = useState<string | null>(null);
  const [body, setBody] = useState('');
  const [busy, setBusy] = useState(false);
  const problem = x.kind === 'problem';
  const save = () => {
    setBusy(true);
    post<Ticket>(`/tickets/${x.number}/solve`, {
      resolution,
      ...(problem ? { root_cause: cause } : {}),
      ...(body.trim() ? { body: body.trim() } : {}),
    })
      .then((y) => {
        onClose();
        onSolved(y);
      })
      .catch(toastError)
      .finally(() => setBusy(false));
  };
  return (
    <Modal opened={opened} onClose={onClose} title={t('ticket.solveTitle', { number: x.number })}>
      <Stack gap="md">
        <Select
          data-autofocus
          label={t('ticket.resolution')}
          data={RESOLUTIONS.map((value) => ({ value, label: t(`resolution.${value}`) }))}
          value={resolution}
          onChange={setResolution}
          allowDeselect={false}
        />
        {problem ? (
          <Select
            required
            label={t('ticket.rootCause')}
            data={ROOT_CAUSES.map((value) => ({ value, label: t(`cause.${value}`) }))}
            value={cause}
            onChange={setCause}
          />
        ) : null}
        <Textarea
          label={t('ticket.closingNote')}
          autosize
          minRows={2}
          value={body}
          onChange={(e) => setBody(e.currentTarget.value)}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('common.cancel')}
          </Button>
          <Button
            loading={busy}
            disabled={!resolution || (problem && !cause)}
            leftSection={<IconCheck size={16} />}
            onClick={save}
          >
            {t('ticket.solve')}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
