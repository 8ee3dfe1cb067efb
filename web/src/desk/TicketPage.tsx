import { ActionIcon, Drawer } from '@mantine/core';
import { IconArrowLeft, IconLayoutSidebarRight } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { flat, ticketQuery, timelineQuery } from '~/api/queries';
import { ErrorState, Loading } from '~/ui/bits';
import { Composer } from './Composer';
import { SidePanel } from './SidePanel';
import { TicketHead } from './TicketHead';
import { Timeline } from './Timeline';
import css from './ticket.module.css';

export function TicketPage() {
  const { t } = useTranslation();
  const { number, view } = useParams({ from: '/desk/$view/$number' });
  const ticket = useQuery(ticketQuery(number));
  const timeline = useInfiniteQuery(timelineQuery(number));
  const [side, setSide] = useState(false);
  if (ticket.isPending) return <Loading />;
  if (ticket.isError) return <ErrorState error={ticket.error} retry={() => void ticket.refetch()} />;
  const x = ticket.data;
  const items = flat(timeline.data);
  const lastMessage = items.reduce((m, i) => Math.max(m, i.message_id ?? 0), 0);
  return (
    <article className={css.page} aria-label={`#${x.number} ${x.title}`} key={x.number}>
      <div className={css.main}>
        <TicketHead
          ticket={x}
          before={
            <ActionIcon
              className={css.backBtn}
              component={Link}
              to="/desk/$view"
              params={{ view } as never}
              aria-label={t('common.back')}
            >
              <IconArrowLeft size={20} />
            </ActionIcon>
          }
          after={
            <ActionIcon className={css.sideBtn} aria-label={t('ticket.side')} onClick={() => setSide(true)}>
              <IconLayoutSidebarRight size={20} stroke={1.7} />
            </ActionIcon>
          }
        />
        <Timeline ticket={x} query={timeline} items={items} />
        <Composer ticket={x} lastMessage={lastMessage} />
      </div>
      <aside className={css.side} aria-label={t('ticket.side')}>
        <SidePanel ticket={x} />
      </aside>
      <Drawer
        opened={side}
        onClose={() => setSide(false)}
        position="right"
        size={320}
        title={t('ticket.side')}
      >
        <div className={css.side} style={{ border: 0, padding: 0 }}>
          <SidePanel ticket={x} />
        </div>
      </Drawer>
    </article>
  );
}
