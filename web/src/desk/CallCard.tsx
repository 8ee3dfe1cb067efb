import { Popover, Tooltip } from '@mantine/core';
import {
  IconDialpad,
  IconHandStop,
  IconMicrophone,
  IconMicrophoneOff,
  IconNotes,
  IconPhoneOff,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerRecord,
  IconPlayerRecordFilled,
  IconTicket,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCore, usePhone } from '~/app/context';
import { useStore } from '~/lib/store';
import type { Call } from '~/phone/protocol';
import { Avatar, Phone, Pill, Since, type Tone } from '~/ui/bits';
import { toastError } from '~/ui/toast';
import { deskUi } from './deskUi';
import css from './phonebar.module.css';

const CALL_TONE: Record<string, Tone> = {
  connecting: 'amber',
  dialing: 'blue',
  talking: 'blue',
  held: 'yellow',
  agent_lost: 'red',
};

/** Who is on the line, for how long, and in which ticket. */
export function CallCard({ call }: { call: Call }) {
  const { t } = useTranslation();
  const offset = usePhone((s) => s.offset);
  const more = usePhone((s) => s.calls.length - 1);
  const name = call.from_name || call.card?.contact?.name;
  return (
    <div className={css.call}>
      <Avatar name={name || call.from} size={38} />
      <div className={css.who}>
        <strong>{name || <Phone value={call.from} />}</strong>
        <div className={css.meta}>
          <Pill tone={CALL_TONE[call.state] ?? 'neutral'} plain>
            {t(`call.state.${call.state}`)} <Since at={call.since} offset={offset} />
          </Pill>
          {name ? <Phone value={call.from} /> : null}
          {call.queue_name || call.queue ? <span>{call.queue_name || call.queue}</span> : null}
          {call.ticket ? (
            <Link
              to="/desk/$view/$number"
              params={{ view: 'mine', number: call.ticket.number }}
              title={call.ticket.title}
            >
              <IconTicket size={14} style={{ verticalAlign: '-2px' }} /> #{call.ticket.number}
            </Link>
          ) : null}
          {(call.monitors ?? []).map((m) => (
            <span key={m.who}>{t(`monitor.by.${m.mode}`, { who: m.who })}</span>
          ))}
          {more > 0 ? <span>{t('call.more', { count: more })}</span> : null}
        </div>
      </div>
    </div>
  );
}

function Ctl({
  icon,
  label,
  hint,
  tone = 'blue',
  solid,
  pressed,
  name,
  onClick,
}: {
  icon: ReactNode;
  label: string;
  hint?: string;
  tone?: Tone;
  solid?: boolean;
  pressed?: boolean;
  /** Longer than the label, for screen readers; begins with it. */
  name?: string;
  onClick: () => void;
}) {
  return (
    <Tooltip
      label={
        hint ? (
          <>
            {name ?? label} <kbd>{hint}</kbd>
          </>
        ) : (
          (name ?? label)
        )
      }
    >
      <button
        type="button"
        className={css.ctl}
        data-tone={tone}
        data-solid={solid || undefined}
        aria-pressed={pressed}
        aria-label={name}
        onClick={onClick}
      >
        {icon}
        <span>{label}</span>
      </button>
    </Tooltip>
  );
}

export function CallControls({ call }: { call: Call }) {
  const { t } = useTranslation();
  const core = useCore();
  const ui = useStore(deskUi);
  const run = (p: Promise<unknown>) => void p.catch(toastError);
  const icon = { size: 19, stroke: 1.8 };
  const rec = call.recording ?? 'off';
  if (call.state === 'dialing') {
    return (
      <div className={css.controls}>
        <Ctl
          icon={<IconPhoneOff {...icon} />}
          label={t('phone.cancelDial')}
          hint="Alt H"
          tone="red"
          solid
          onClick={() => run(core.hangup(call.call))}
        />
      </div>
    );
  }
  return (
    <div className={css.controls}>
      <Ctl
        icon={call.muted ? <IconMicrophoneOff {...icon} /> : <IconMicrophone {...icon} />}
        label={t('phone.mute')}
        name={t('phone.muteName')}
        hint="Alt M"
        tone="red"
        pressed={call.muted ?? false}
        onClick={() => run(core.mute(call.call, !call.muted))}
      />
      <Ctl
        icon={call.held ? <IconPlayerPlay {...icon} /> : <IconHandStop {...icon} />}
        label={t('phone.hold')}
        hint="Alt O"
        tone="yellow"
        pressed={call.held ?? false}
        onClick={() => run(core.hold(call.call, !call.held))}
      />
      <KeypadControl call={call} />
      {rec !== 'off' ? (
        <Ctl
          icon={
            rec === 'on' ? (
              <IconPlayerRecordFilled {...icon} color="var(--t-red-solid)" />
            ) : (
              <IconPlayerPause {...icon} />
            )
          }
          label={t(rec === 'on' ? 'phone.recPause' : 'phone.recResume')}
          tone="amber"
          pressed={rec === 'paused'}
          onClick={() => run(core.record(call.call, rec === 'on' ? 'pause' : 'resume'))}
        />
      ) : (
        <Tooltip label={t('phone.notRecorded')}>
          <span
            className="dim"
            role="img"
            aria-label={t('phone.notRecorded')}
            style={{ padding: 4, lineHeight: 0 }}
          >
            <IconPlayerRecord size={18} stroke={1.4} />
          </span>
        </Tooltip>
      )}
      <Ctl
        icon={<IconNotes {...icon} />}
        label={t('phone.note')}
        hint="Alt N"
        pressed={ui.note}
        onClick={() => deskUi.set({ note: !ui.note })}
      />
      <Ctl
        icon={<IconPhoneOff {...icon} />}
        label={t('phone.hangup')}
        hint="Alt H"
        tone="red"
        solid
        onClick={() => run(core.hangup(call.call))}
      />
    </div>
  );
}

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];

/** Keys for the far side's menus. What is typed is shown, never stored. */
function KeypadControl({ call }: { call: Call }) {
  const { t } = useTranslation();
  const core = useCore();
  const { keypad } = useStore(deskUi);
  const [typed, setTyped] = useState('');
  const press = (k: string) => {
    setTyped((s) => (s + k).slice(-14));
    core.keys(call.call, k).catch(toastError);
  };
  return (
    <Popover
      opened={keypad}
      onChange={(o) => deskUi.set({ keypad: o })}
      onClose={() => setTyped('')}
      trapFocus
      returnFocus
      position="bottom"
      withArrow
      shadow="md"
    >
      <Popover.Target>
        <button
          type="button"
          className={css.ctl}
          data-tone="blue"
          aria-expanded={keypad}
          onClick={() => deskUi.set({ keypad: !keypad })}
        >
          <IconDialpad size={19} stroke={1.8} />
          <span>{t('phone.keypad')}</span>
        </button>
      </Popover.Target>
      <Popover.Dropdown
        aria-label={t('phone.keypad')}
        onKeyDown={(e) => {
          if (/^[0-9*#]$/.test(e.key) && !e.altKey && !e.ctrlKey) press(e.key);
        }}
      >
        <div className={`${css.padLine} tnum`} aria-live="polite">
          {typed}
        </div>
        <div className={css.pad}>
          {KEYS.map((k) => (
            <button key={k} type="button" onClick={() => press(k)}>
              {k}
            </button>
          ))}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}
