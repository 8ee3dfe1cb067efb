// A call in a ticket: who, how long, the way through the menu, why it hangs here, the recording.

import { Button, Menu } from '@mantine/core';
import {
  IconArrowRight,
  IconArrowsSplit,
  IconCheck,
  IconChevronRight,
  IconDots,
  IconLinkOff,
  IconPhoneIncoming,
  IconPhoneOff,
  IconPhoneOutgoing,
  IconRoute,
} from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { post } from '~/api/client';
import type { CallRecord } from '~/api/types';
import { local } from '~/i18n';
import { clock, span, timeOf } from '~/lib/format';
import { Loading, Phone, Pill, type Tone, When } from '~/ui/bits';
import { toast, toastError, toastUndo } from '~/ui/toast';
import { TrustPill } from './CallerBody';
import { DialButton } from './DialButton';
import { LinkDialog } from './LinkDialog';
import { canCallBack, otherParty } from './otherParty';
import css from './ticket.module.css';

const Player = lazy(() => import('./Player').then((m) => ({ default: m.Player })));

export function CallEntry({ call, at, note }: { call: CallRecord; at: string; note?: string }) {
  const { t } = useTranslation();
  const spoken = (call.talk_ms ?? 0) > 0;
  const Icon = call.direction === 'out' ? IconPhoneOutgoing : spoken ? IconPhoneIncoming : IconPhoneOff;
  const tone: Tone = spoken ? 'blue' : call.direction === 'out' ? 'neutral' : 'red';
  const { name: who, number } = otherParty(call);
  const out = call.direction === 'out';
  const agents = (call.agents ?? []).map((a) => a.name).join(', ');
  const text = note || call.link?.note;
  return (
    <section className={css.callEntry} aria-label={t('call.label')}>
      <div className={css.callTop}>
        <span className={css.callIcon} data-tone={tone}>
          <Icon size={19} stroke={1.8} />
        </span>
        <div>
          <strong>{who || (number ? <Phone value={number} /> : t('trust.withheld'))}</strong>
          <div className="dim" style={{ fontSize: 12.5 }}>
            {out ? `${t('call.out')} · ` : ''}
            {t(`disposition.${call.disposition}`, { defaultValue: call.disposition })}
            {agents ? ` · ${agents}` : ''}
            {call.queue ? ` · ${call.queue_name || call.queue}` : ''}
            {' · '}
            <When at={at}>{timeOf(at)}</When>
          </div>
        </div>
        {who && number ? <Phone value={number} /> : null}
        {out ? null : <TrustPill trust={call.caller.trust} />}
      </div>
      <div className={css.nums}>
        {out ? null : <Num label={t('call.wait')} ms={call.wait_ms} />}
        {spoken ? <Num label={t('call.talk')} ms={call.talk_ms} /> : null}
        {call.hold_ms ? <Num label={t('call.hold')} ms={call.hold_ms} /> : null}
        {call.hangup_by ? (
          <span>
            <span>{t('call.endedBy')}</span> {t(`side.${call.hangup_by}`, { defaultValue: call.hangup_by })}
          </span>
        ) : null}
        {canCallBack(call) ? (
          <div style={{ marginInlineStart: 'auto' }}>
            <DialButton
              target={{ call: call.key }}
              label={t('callback.dial')}
              name={t('callback.dialNumber', { number })}
            />
          </div>
        ) : null}
      </div>
      <MenuPath call={call} />
      {text ? (
        <div
          className={css.text}
          style={{ background: 'var(--hl-note)', borderRadius: 8, padding: '7px 10px' }}
        >
          {text}
        </div>
      ) : null}
      {(call.recordings ?? []).map((r) => (
        <Suspense key={r.id} fallback={<Loading />}>
          <Player recording={r} agents={agents} />
        </Suspense>
      ))}
      <LinkLine call={call} />
      <Legs call={call} />
    </section>
  );
}

function Num({ label, ms }: { label: string; ms?: number }) {
  if (ms === undefined) return null;
  return (
    <span className="tnum">
      <span>{label}</span> {span(ms / 1000)}
    </span>
  );
}

function MenuPath({ call }: { call: CallRecord }) {
  const { t } = useTranslation();
  // Names with @ are inner stations, not choices of the caller.
  const path = (call.menu_path ?? []).filter((p) => !p.node.startsWith('@'));
  if (path.length === 0) return null;
  return (
    <div className={css.path}>
      <IconRoute size={15} />
      <span className="dim">{t('call.menu')}</span>
      {path.map((p, i) => (
        <span key={`${p.node}-${p.at ?? i}`} style={{ display: 'contents' }}>
          {i > 0 ? <IconChevronRight size={13} /> : null}
          <span>{local(p.label, p.node)}</span>
        </span>
      ))}
    </div>
  );
}

function Legs({ call }: { call: CallRecord }) {
  const { t } = useTranslation();
  const legs = call.legs ?? [];
  if (legs.length === 0) return null;
  const base = new Date(call.started_at).getTime();
  const from = (at: string | null | undefined) => (at ? clock((new Date(at).getTime() - base) / 1000) : '–');
  return (
    <details className={css.legs}>
      <summary>{t('call.legs', { count: legs.length })}</summary>
      <ul className="tnum">
        {legs.map((l, i) => (
          <li key={l.key ?? i}>
            {t(`role.${l.role}`, { defaultValue: l.role })}
            {l.agent ? ` ${l.agent.name}` : l.endpoint ? ` ${l.endpoint}` : ''}: {from(l.started_at)}
            {l.answered_at
              ? ` · ${t('call.answeredAt', { at: from(l.answered_at) })}`
              : ` · ${t('call.notAnswered')}`}
            {l.ended_at ? ` · ${t('call.endedAt', { at: from(l.ended_at) })}` : ''}
            {l.cause ? ` (${l.cause})` : ''}
          </li>
        ))}
      </ul>
    </details>
  );
}

const STATE_TONE: Record<string, Tone> = {
  confirmed: 'green',
  proposed: 'amber',
  open: 'amber',
  none: 'neutral',
};

/** The rule that put the call here, in words, and the ways to correct it. */
function LinkLine({ call }: { call: CallRecord }) {
  const { t } = useTranslation();
  const client = useQueryClient();
  const [dialog, setDialog] = useState<'move' | 'split' | null>(null);
  const link = call.link;
  if (!link) return null;
  const refresh = () =>
    Promise.all(
      ['timeline', 'calls', 'tickets', 'ticket'].map((k) => client.invalidateQueries({ queryKey: [k] })),
    );
  const undo = () =>
    post(`/calls/${call.id}/undo`).then(async () => {
      await refresh();
      toast(t('link.undone'));
    });
  const act = (verb: 'confirm' | 'unlink') =>
    post(`/calls/${call.id}/${verb}`)
      .then(async () => {
        await refresh();
        if (verb === 'unlink') toastUndo(t('link.unlinked'), undo);
      })
      .catch(toastError);
  return (
    <div className={css.rule}>
      <span>
        <Pill tone={STATE_TONE[link.state] ?? 'neutral'} plain>
          {t(`link.state.${link.state}`, { defaultValue: link.state })}
        </Pill>{' '}
        {link.reason_text} {link.rule ? <span className="dim">({link.rule})</span> : null}
      </span>
      {link.state === 'proposed' ? (
        <Button size="compact-sm" leftSection={<IconCheck size={15} />} onClick={() => void act('confirm')}>
          {t('link.confirm')}
        </Button>
      ) : null}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button size="compact-sm" variant="subtle" color="gray" leftSection={<IconDots size={16} />}>
            {t('link.change')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconArrowRight size={16} />} onClick={() => setDialog('move')}>
            {t('link.title.move')}
          </Menu.Item>
          <Menu.Item leftSection={<IconArrowsSplit size={16} />} onClick={() => setDialog('split')}>
            {t('link.title.split')}
          </Menu.Item>
          <Menu.Item leftSection={<IconLinkOff size={16} />} onClick={() => void act('unlink')}>
            {t('link.unlink')}
          </Menu.Item>
          {link.can_undo ? (
            <>
              <Menu.Divider />
              <Menu.Item onClick={() => void undo().catch(toastError)}>{t('link.undoLast')}</Menu.Item>
            </>
          ) : null}
        </Menu.Dropdown>
      </Menu>
      {dialog ? <LinkDialog call={call} verb={dialog} onClose={() => setDialog(null)} /> : null}
    </div>
  );
}
