// The agent's work lists on the left, the chosen ticket on the right. J and K move, / searches.

import { ActionIcon, Select, TextInput, Tooltip } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import {
  IconArrowsShuffle,
  IconInbox,
  IconListDetails,
  IconPhonePause,
  IconPlus,
  IconSearch,
  IconUser,
  IconUserQuestion,
  IconUsersGroup,
} from '@tabler/icons-react';
import { Link, Outlet, useMatchRoute, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { inText, keyName } from '~/lib/keys';
import { prefs } from '~/lib/prefs';
import { Empty, type IconType } from '~/ui/bits';
import { MissedList, UnlinkedList } from './CallLists';
import css from './desk.module.css';
import { NewTicket } from './NewTicket';
import { TicketList } from './TicketList';
import { isView, VIEWS, type ViewKey } from './views';

const ICONS: Record<ViewKey, IconType> = {
  mine: IconUser,
  team: IconUsersGroup,
  unassigned: IconUserQuestion,
  missed: IconPhonePause,
  unlinked: IconArrowsShuffle,
  all: IconListDetails,
};

const STATUSES = ['open', 'waiting', 'solved', 'all'];

export function Desk() {
  const { t } = useTranslation();
  const { view: raw } = useParams({ from: '/desk/$view' });
  const { q = '' } = useSearch({ from: '/desk/$view' });
  const view: ViewKey = isView(raw) ? raw : 'mine';
  const match = useMatchRoute()({ to: '/desk/$view/$number' });
  const open = match ? match.number : undefined;
  const [status, setStatus] = useState('open');
  const [creating, setCreating] = useState(false);
  const search = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  const setQuery = useDebouncedCallback((value: string) => {
    void navigate({ to: '/desk/$view', params: { view }, search: value ? { q: value } : {}, replace: true });
  }, 300);
  useListKeys(search);
  const source = VIEWS.find((v) => v.key === view)?.source ?? 'tickets';
  return (
    <div className={css.desk} data-open={open || undefined}>
      <nav className={css.views} aria-label={t('desk.views')}>
        <h2>{t('desk.views')}</h2>
        {VIEWS.map((v) => {
          const Icon = ICONS[v.key];
          return (
            <Link
              key={v.key}
              className={css.view}
              to="/desk/$view"
              params={{ view: v.key }}
              data-on={v.key === view || undefined}
              activeProps={{}}
            >
              <Icon size={18} stroke={1.7} />
              <span>{t(`view.${v.key}`)}</span>
            </Link>
          );
        })}
      </nav>
      <section className={css.listPane} aria-label={t(`view.${view}`)}>
        <div className={css.listHead}>
          <div className={css.listTitle}>
            <h1>{t(`view.${view}`)}</h1>
            <Tooltip label={t('ticket.new')}>
              <ActionIcon
                variant="light"
                color="petrol"
                aria-label={t('ticket.new')}
                onClick={() => setCreating(true)}
              >
                <IconPlus size={18} />
              </ActionIcon>
            </Tooltip>
          </div>
          <Select
            className={css.viewPick}
            aria-label={t('desk.views')}
            data={VIEWS.map((v) => ({ value: v.key, label: t(`view.${v.key}`) }))}
            value={view}
            onChange={(v) => v && void navigate({ to: '/desk/$view', params: { view: v } })}
            allowDeselect={false}
          />
          {source === 'tickets' ? (
            <div style={{ display: 'flex', gap: 8 }}>
              <TextInput
                key={view}
                ref={search}
                type="search"
                flex={1}
                defaultValue={q}
                onChange={(e) => setQuery(e.currentTarget.value)}
                leftSection={<IconSearch size={16} />}
                placeholder={t('desk.search')}
                aria-label={t('desk.search')}
              />
              <Select
                w={128}
                aria-label={t('desk.status')}
                data={STATUSES.map((value) => ({ value, label: t(`desk.statuses.${value}`) }))}
                value={status}
                onChange={(v) => v && setStatus(v)}
                allowDeselect={false}
              />
            </div>
          ) : null}
        </div>
        {source === 'tickets' ? (
          <TicketList view={view} q={q} status={q ? 'all' : status} open={open} />
        ) : null}
        {source === 'missed' ? <MissedList open={open} /> : null}
        {source === 'calls' ? <UnlinkedList /> : null}
      </section>
      <section className={css.work} aria-label={t('desk.ticket')}>
        {open ? <Outlet /> : <Empty icon={IconInbox} title={t('desk.pickTitle')} text={t('desk.pickText')} />}
      </section>
      <NewTicket opened={creating} onClose={() => setCreating(false)} />
    </div>
  );
}

/** J and K walk through the list, / goes to the search. */
function useListKeys(search: React.RefObject<HTMLInputElement | null>) {
  useEffect(() => {
    const down = (e: KeyboardEvent) => {
      if (inText(e.target) || !prefs.get().singleKeys || document.querySelector('[role="dialog"]')) return;
      const name = keyName(e);
      if (name === '/') {
        e.preventDefault();
        search.current?.focus();
        return;
      }
      if (name !== 'j' && name !== 'k') return;
      const items = [...document.querySelectorAll<HTMLElement>('[data-ticket]')];
      const at = items.findIndex((i) => i.dataset.on !== undefined);
      const next = items[Math.min(items.length - 1, Math.max(0, at + (name === 'j' ? 1 : -1)))];
      next?.focus();
      next?.click();
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  }, [search]);
}
