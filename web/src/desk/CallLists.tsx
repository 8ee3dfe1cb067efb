// Missed calls with callbacks to make, and calls that hang on no ticket.

import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconCheck, IconPhoneCheck, IconTicket, IconX } from '@tabler/icons-react';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { patch } from '~/api/client';
import { callbacksQuery, callsQuery, flat } from '~/api/queries';
import type { Callback, CallRecord } from '~/api/types';
import { ago, span } from '~/lib/format';
import { Empty, ErrorState, Loading, Phone, Pill, When } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import css from './desk.module.css';
import { DialButton } from './DialButton';
import { LinkDialog } from './LinkDialog';
import { canCallBack, otherParty } from './otherParty';

export function MissedList({ open }: { open?: string }) {
  const { t } = useTranslation();
  const callbacks = useInfiniteQuery({ ...callbacksQuery, refetchInterval: 5_000 });
  const calls = useInfiniteQuery({ ...callsQuery({ state: 'abandoned' }), refetchInterval: 30_000 });
  if (callbacks.isPending || calls.isPending) return <Loading />;
  if (callbacks.isError) return <ErrorState error={callbacks.error} retry={() => void callbacks.refetch()} />;
  const waiting = flat(callbacks.data);
  const missed = flat(calls.data);
  if (waiting.length === 0 && missed.length === 0) {
    return (
      <Empty icon={IconPhoneCheck} tone="green" title={t('desk.empty.missed')} text={t('desk.emptyText')} />
    );
  }
  return (
    <div className={css.list}>
      <div className={css.subHead}>{t('callback.waiting', { count: waiting.length })}</div>
      {waiting.map((c) => (
        <CallbackRow key={c.id} item={c} open={open} />
      ))}
      <div className={css.subHead}>{t('callback.abandoned')}</div>
      {missed.map((c) => (
        <CallRow key={c.id} call={c} />
      ))}
    </div>
  );
}

function CallbackRow({ item, open }: { item: Callback; open?: string }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const taken = item.state === 'dialing' ? (item.taken_by ?? { login: '', name: '' }) : null;
  const set = (state: string) =>
    patch(`/callbacks/${item.id}`, { state }).then(() =>
      client.invalidateQueries({ queryKey: ['callbacks'] }),
    );
  const close = (state: 'done' | 'cancelled') =>
    set(state)
      .then(() => toast(t(`callback.${state}`)))
      .catch(toastError);
  return (
    <div className={css.row} data-on={(open && item.ticket?.number === open) || undefined}>
      <div>
        <div className={css.title}>{item.contact?.name || <Phone value={item.number} />}</div>
        <div className={css.line} style={{ flexWrap: 'wrap' }}>
          {item.contact?.name ? <Phone value={item.number} /> : null}
          <When at={item.asked_at}>{ago(item.asked_at)}</When>
          {taken ? (
            <Pill tone="blue" plain>
              {t('callback.taken', { who: taken.name || taken.login })}
            </Pill>
          ) : null}
          {item.attempts > 0 ? <span>{t('callback.attempts', { count: item.attempts })}</span> : null}
          {item.ticket ? (
            <Link
              to="/desk/$view/$number"
              params={{ view: 'missed', number: item.ticket.number }}
              className="tnum"
            >
              #{item.ticket.number}
            </Link>
          ) : null}
        </div>
      </div>
      {taken ? null : (
        <DialButton
          target={{ callback: item.id }}
          label={t('callback.dial')}
          name={t('callback.dialNumber', { number: item.number })}
        />
      )}
      <Tooltip label={t('callback.markDone')}>
        <ActionIcon aria-label={t('callback.markDone')} onClick={() => void close('done')}>
          <IconCheck size={18} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={t('callback.cancel')}>
        <ActionIcon aria-label={t('callback.cancel')} onClick={() => void close('cancelled')}>
          <IconX size={18} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

export function CallRow({ call, action }: { call: CallRecord; action?: React.ReactNode }) {
  const { t } = useTranslation();
  const { name, number } = otherParty(call);
  const spoken = (call.talk_ms ?? 0) > 0;
  return (
    <div className={css.row}>
      <div>
        <div className={css.title}>{name || (number ? <Phone value={number} /> : t('trust.withheld'))}</div>
        <div className={css.line} style={{ flexWrap: 'wrap' }}>
          {name ? <Phone value={number} /> : null}
          {call.direction === 'out' ? <span>{t('call.out')}</span> : null}
          <span>{t(`disposition.${call.disposition}`, { defaultValue: call.disposition })}</span>
          <span>
            {t(spoken ? 'call.talked' : 'call.waited', {
              span: span((spoken ? (call.talk_ms ?? 0) : (call.wait_ms ?? 0)) / 1000),
            })}
          </span>
          <When at={call.started_at}>{ago(call.started_at)}</When>
          {call.link?.ticket ? (
            <Link
              to="/desk/$view/$number"
              params={{ view: 'all', number: call.link.ticket.number }}
              className="tnum"
            >
              #{call.link.ticket.number}
            </Link>
          ) : null}
        </div>
      </div>
      {canCallBack(call) ? (
        <DialButton
          target={{ call: call.key }}
          label={t('callback.dial')}
          name={t('callback.dialNumber', { number })}
        />
      ) : null}
      {action}
    </div>
  );
}

export function UnlinkedList() {
  const { t } = useTranslation();
  const query = useInfiniteQuery({ ...callsQuery({ state: 'unlinked' }), refetchInterval: 20_000 });
  const [linking, setLinking] = useState<CallRecord | null>(null);
  if (query.isPending) return <Loading />;
  if (query.isError) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  const calls = flat(query.data);
  if (calls.length === 0) {
    return (
      <Empty
        icon={IconPhoneCheck}
        tone="green"
        title={t('desk.empty.unlinked')}
        text={t('desk.unlinkedText')}
      />
    );
  }
  return (
    <div className={css.list}>
      {calls.map((c) => (
        <CallRow
          key={c.id}
          call={c}
          action={
            <Button
              size="compact-sm"
              variant="light"
              leftSection={<IconTicket size={15} />}
              onClick={() => setLinking(c)}
            >
              {t('link.link')}
            </Button>
          }
        />
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
      {linking ? <LinkDialog call={linking} verb="link" onClose={() => setLinking(null)} /> : null}
    </div>
  );
}
