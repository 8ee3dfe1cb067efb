import { Button } from '@mantine/core';
import { IconInbox, IconPhoneOff, IconSearchOff } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { flat, ticketsQuery } from '~/api/queries';
import type { Ticket } from '~/api/types';
import { useMe } from '~/app/context';
import { ago } from '~/lib/format';
import { Empty, ErrorState, Loading, Pill, When } from '~/ui/bits';
import { ChannelIcon, Due, SeverityPill, StatusPill } from '~/ui/ticketBits';
import css from './desk.module.css';
import { ticketFilter, type ViewKey } from './views';

export function TicketList({
  view,
  q,
  status,
  open,
}: {
  view: ViewKey;
  q: string;
  status: string;
  open?: string;
}) {
  const { t } = useTranslation();
  const me = useMe();
  const team = me.teams[0] ? String(me.teams[0].id) : undefined;
  const query = useInfiniteQuery({
    ...ticketsQuery(ticketFilter(view, q, team, status)),
    refetchInterval: 20_000,
  });
  if (query.isPending) return <Loading />;
  if (query.isError) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  const all = flat(query.data);
  const items = view === 'unassigned' ? all.filter((x) => x.assignee === null) : all;
  if (items.length === 0 && !query.hasNextPage) {
    return q ? (
      <Empty icon={IconSearchOff} title={t('desk.nothing')} text={t('desk.nothingText', { q })} />
    ) : (
      <Empty icon={IconInbox} tone="green" title={t(`desk.empty.${view}`)} text={t('desk.emptyText')} />
    );
  }
  return (
    <div className={css.list}>
      {items.map((x) => (
        <TicketItem key={x.number} ticket={x} view={view} q={q} on={x.number === open} />
      ))}
      {query.hasNextPage ? (
        <div className={css.more}>
          <Button
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {t('common.more')}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

export function TicketItem({
  ticket: x,
  view,
  q = '',
  on,
}: {
  ticket: Ticket;
  view: string;
  q?: string;
  on: boolean;
}) {
  const { t } = useTranslation();
  return (
    <Link
      className={css.item}
      to="/desk/$view/$number"
      params={{ view, number: x.number }}
      search={q ? { q } : {}}
      data-ticket={x.number}
      data-on={on || undefined}
      aria-current={on ? 'true' : undefined}
    >
      <div className={css.line}>
        <ChannelIcon channel={x.channel} />
        <span className={css.grow}>{x.contact?.name || x.org?.name || t('ticket.noContact')}</span>
        <span className="tnum">#{x.number}</span>
        <span className={`${css.age} tnum`}>
          <When at={x.updated_at}>{ago(x.updated_at)}</When>
        </span>
      </div>
      <div className={css.title}>{x.title}</div>
      {x.preview ? <div className={css.preview}>{x.preview}</div> : null}
      <div className={css.line} style={{ flexWrap: 'wrap' }}>
        <StatusPill status={x.status} />
        {x.severity <= 3 ? <SeverityPill severity={x.severity} plain /> : null}
        {x.missed_calls ? (
          <Pill tone="red" icon={IconPhoneOff} plain>
            {t('ticket.missed', { count: x.missed_calls })}
          </Pill>
        ) : null}
        <Due ticket={x} />
      </div>
    </Link>
  );
}
