import { Button } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconMessages } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Ticket, TimelineItem } from '~/api/types';
import { dayOf, timeOf } from '~/lib/format';
import { Avatar, Empty, ErrorState, Loading, When } from '~/ui/bits';
import { CallEntry } from './CallEntry';
import { useEventText } from './eventText';
import css from './ticket.module.css';
import { group } from './timelineGroups';

interface Query {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  refetch: () => unknown;
  fetchNextPage: () => unknown;
}

export function Timeline({ ticket, query, items }: { ticket: Ticket; query: Query; items: TimelineItem[] }) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const groups = useMemo(() => group(items), [items]);
  const last = items.length;
  useEffect(() => {
    const el = box.current;
    if (el) el.scrollTop = el.scrollHeight;
  }, [last, ticket.number]);
  if (query.isPending) return <Loading />;
  if (query.isError) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  if (items.length === 0)
    return <Empty icon={IconMessages} title={t('timeline.empty')} text={t('timeline.emptyText')} />;
  return (
    <section className={css.scroll} ref={box} tabIndex={0} aria-label={t('timeline.label')}>
      {groups.map((g) => {
        if (g.kind === 'day') {
          return (
            <div key={g.key} className={css.day}>
              {dayOf(g.at)}
            </div>
          );
        }
        if (g.kind === 'events') return <Events key={g.key} items={g.items} />;
        return g.item.type === 'call' && g.item.call ? (
          <CallEntry key={g.key} call={g.item.call} at={g.item.at} note={g.item.body} />
        ) : (
          <MessageEntry key={g.key} item={g.item} />
        );
      })}
      {query.hasNextPage ? (
        <Button
          variant="default"
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
          style={{ alignSelf: 'center' }}
        >
          {t('common.more')}
        </Button>
      ) : null}
    </section>
  );
}

function MessageEntry({ item: m }: { item: TimelineItem }) {
  const { t } = useTranslation();
  const note = m.kind === 'note' || m.visibility === 'internal';
  const out = m.author !== null;
  const who = m.author?.name || m.contact?.name || t('timeline.customer');
  return (
    <div className={css.entry} data-note={note || undefined} data-out={out || undefined}>
      <Avatar name={who} size={32} />
      <div className={css.bubble}>
        <div className={css.by}>
          <b>{who}</b>
          <span>
            {t(note ? 'timeline.note' : `timeline.kind.${m.kind ?? 'email'}`, { defaultValue: m.kind ?? '' })}
          </span>
          <When at={m.at}>{timeOf(m.at)}</When>
          {m.delivery && m.delivery !== 'sent' && m.delivery !== 'delivered' ? (
            <span>{t(`delivery.${m.delivery}`)}</span>
          ) : null}
        </div>
        <div className={css.text}>{m.body}</div>
      </div>
    </div>
  );
}

function Events({ items }: { items: TimelineItem[] }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(items.length === 1);
  const text = useEventText();
  return (
    <div className={css.events}>
      {items.length > 1 ? (
        <button type="button" onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
          {t('timeline.changes', { count: items.length })}
        </button>
      ) : null}
      {open ? (
        <ul>
          {items.map((i) => (
            <li key={i.id}>
              <When at={i.at}>{timeOf(i.at)}</When> {text(i)}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
