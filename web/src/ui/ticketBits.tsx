// Status, severity, deadline and channel of a ticket, each as colour, icon and word.

import {
  IconAlertOctagon,
  IconAlertTriangle,
  IconArrowDown,
  IconBrandTelegram,
  IconBrandWhatsapp,
  IconCalendarTime,
  IconCheck,
  IconCircleDot,
  IconClock,
  IconForms,
  IconHourglass,
  IconLock,
  IconMail,
  IconMessage,
  IconMinus,
  IconPhone,
  IconSparkles,
  IconTicket,
  IconTrash,
} from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import type { Severity, Ticket, TicketStatus } from '~/api/types';
import { local } from '~/i18n';
import { due, full } from '~/lib/format';
import { type IconType, Pill, type Tone, useTick } from './bits';

const STATUS: Record<string, { tone: Tone; icon: IconType }> = {
  new: { tone: 'amber', icon: IconSparkles },
  open: { tone: 'blue', icon: IconCircleDot },
  waiting_customer: { tone: 'violet', icon: IconHourglass },
  waiting_vendor: { tone: 'violet', icon: IconHourglass },
  scheduled: { tone: 'teal', icon: IconCalendarTime },
  solved: { tone: 'green', icon: IconCheck },
  closed: { tone: 'neutral', icon: IconLock },
  merged: { tone: 'neutral', icon: IconTicket },
  spam: { tone: 'neutral', icon: IconTrash },
};

export function StatusPill({ status }: { status: TicketStatus }) {
  const look = STATUS[status.category] ?? { tone: 'neutral' as Tone, icon: IconTicket };
  return (
    <Pill tone={look.tone} icon={look.icon}>
      {local(status.name, status.key)}
    </Pill>
  );
}

const SEVERITY: Record<Severity, { tone: Tone; icon: IconType }> = {
  1: { tone: 'red', icon: IconAlertOctagon },
  2: { tone: 'red', icon: IconAlertTriangle },
  3: { tone: 'amber', icon: IconAlertTriangle },
  4: { tone: 'neutral', icon: IconMinus },
  5: { tone: 'neutral', icon: IconArrowDown },
};

export function SeverityPill({ severity, plain }: { severity: Severity; plain?: boolean }) {
  const { t } = useTranslation();
  const look = SEVERITY[severity] ?? SEVERITY[4];
  return (
    <Pill tone={look.tone} icon={look.icon} plain={plain}>
      {t(`severity.${severity}`)}
    </Pill>
  );
}

/** The next deadline, counted from now, exact on hover. */
export function Due({ ticket }: { ticket: Pick<Ticket, 'next_due_at' | 'breached'> }) {
  const now = useTick();
  const d = due(ticket.next_due_at, now);
  if (!d) return null;
  return (
    <Pill
      tone={d.late || ticket.breached ? 'red' : d.soon ? 'amber' : 'neutral'}
      icon={IconClock}
      title={full(ticket.next_due_at)}
      plain
    >
      {d.text}
    </Pill>
  );
}

const CHANNELS: Record<string, IconType> = {
  phone: IconPhone,
  email: IconMail,
  form: IconForms,
  portal: IconForms,
  chat: IconMessage,
  telegram: IconBrandTelegram,
  whatsapp: IconBrandWhatsapp,
  sms: IconMessage,
};

export function ChannelIcon({ channel, size = 16 }: { channel: string; size?: number }) {
  const { t } = useTranslation();
  const Icon = CHANNELS[channel] ?? IconTicket;
  const label = t(`channel.${channel || 'none'}`, { defaultValue: channel });
  return (
    <span role="img" aria-label={label} title={label} style={{ lineHeight: 0, color: 'var(--hl-dim)' }}>
      <Icon size={size} stroke={1.7} />
    </span>
  );
}
