// Missed calls with callbacks to make, and calls that hang on no ticket.

import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconCheck, IconPhoneCheck, IconPhoneOutgoing, IconTicket, IconX } from '@tabler/icons-react';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { patch } from '~/api/client';
import { callbacksQuery, callsQuery, flat } from '~/api/queries';
import type { Callback, CallRecord } from '~/api/types';
import { useCore, usePhone } from '~/app/context';
import { ago, span } from '~/lib/format';
import { canDial } from '~/phone/state';
import { Empty, ErrorState, Loading, Phone, When } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import css from './desk.module.css';
import { LinkDialog } from './LinkDialog';

export function MissedList({ open }: { open?: string }) {
  const { t } = useTranslation();
  const callbacks = useInfiniteQuery({ ...callbacksQuery, refetchInterval: 15_000 });
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
  const core = useCore();
  const client = useQueryClient();
  const dials = usePhone(canDial);
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
      {dials ? (
        <Tooltip label={t('callback.dial')}>
          <ActionIcon
            variant="light"
            color="petrol"
            aria-label={t('callback.dialNumber', { number: item.number })}
            onClick={() => core.dial(item.number, { ticket: item.ticket?.number }).catch(toastError)}
          >
            <IconPhoneOutgoing size={18} />
          </ActionIcon>
        </Tooltip>
      ) : null}
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
  const name = call.contact?.name || call.caller.name;
  const spoken = (call.talk_ms ?? 0) > 0;
  return (
    <div className={css.row}>
      <div>
        <div className={css.title}>{name || <Phone value={call.caller.number} /> || t('trust.withheld')}</div>
        <div className={css.line} style={{ flexWrap: 'wrap' }}>
          {name ? <Phone value={call.caller.number} /> : null}
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
