import { Anchor, Button } from '@mantine/core';
import { IconUserPlus } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { contactCallsQuery, contactQuery, contactTicketsQuery, flat } from '~/api/queries';
import type { ContactPoint, Ticket } from '~/api/types';
import { ContactForm } from '~/contacts/ContactForm';
import { ago, full, span } from '~/lib/format';
import { Avatar, ErrorState, Loading, Phone, When } from '~/ui/bits';
import { ChannelIcon, StatusPill } from '~/ui/ticketBits';
import { DialButton } from './DialButton';
import css from './ticket.module.css';
import { useTicketEdit } from './useTicketEdit';

export function SidePanel({ ticket }: { ticket: Ticket }) {
  const { t } = useTranslation();
  return (
    <>
      {ticket.contact ? (
        <ContactPart id={ticket.contact.id} ticket={ticket} />
      ) : (
        <NoContact ticket={ticket} />
      )}
      <section>
        <h2>{t('ticket.about')}</h2>
        <dl
          style={{
            margin: 0,
            display: 'grid',
            gridTemplateColumns: 'auto 1fr',
            gap: '5px 12px',
            fontSize: 13,
          }}
        >
          <dt className="dim">{t('ticket.kind')}</dt>
          <dd style={{ margin: 0 }}>{t(`kind.${ticket.kind}`)}</dd>
          <dt className="dim">{t('ticket.priority')}</dt>
          <dd style={{ margin: 0 }}>{t(`priority.${ticket.client_priority}`)}</dd>
          <dt className="dim">{t('ticket.channel')}</dt>
          <dd style={{ margin: 0 }}>{t(`channel.${ticket.channel || 'none'}`)}</dd>
          <dt className="dim">{t('ticket.created')}</dt>
          <dd style={{ margin: 0 }}>{full(ticket.created_at)}</dd>
        </dl>
      </section>
    </>
  );
}

/** One address of a person, with a telephone to dial. */
export function PointLine({
  point: p,
  ticket,
  contact,
}: {
  point: ContactPoint;
  ticket?: string;
  contact: number;
}) {
  const { t } = useTranslation();
  const marks = [
    p.label,
    p.ext ? t('contact.ext', { ext: p.ext }) : '',
    p.verified_at ? t('contact.verified') : '',
    p.sharing === 'shared' ? t('contact.shared') : '',
    p.level === 'maybe' ? t('contact.maybe') : '',
  ].filter(Boolean);
  return (
    <div className={css.point}>
      <ChannelIcon channel={p.kind} />
      <span>
        {p.kind === 'phone' ? (
          <Phone value={p.value} />
        ) : p.kind === 'email' ? (
          <Anchor href={`mailto:${p.value}`} fz={13.5}>
            {p.value}
          </Anchor>
        ) : (
          p.value
        )}
        {marks.length > 0 ? <small>{marks.join(' · ')}</small> : null}
      </span>
      {p.kind === 'phone' ? (
        <DialButton
          target={ticket ? { ticket, to: p.value } : { contact_id: contact, to: p.value }}
          name={`${t('phone.dial')} ${p.value}`}
        />
      ) : null}
    </div>
  );
}

function ContactPart({ id, ticket }: { id: number; ticket: Ticket }) {
  const { t } = useTranslation();
  const contact = useQuery(contactQuery(id));
  const tickets = useInfiniteQuery(contactTicketsQuery(id));
  const calls = useInfiniteQuery(contactCallsQuery(id));
  if (contact.isPending) return <Loading />;
  if (contact.isError) return <ErrorState error={contact.error} retry={() => void contact.refetch()} />;
  const c = contact.data;
  const others = flat(tickets.data)
    .filter((x) => x.number !== ticket.number)
    .slice(0, 5);
  return (
    <>
      <section>
        <Link
          to="/contacts/$id"
          params={{ id: String(c.id) }}
          className={css.mini}
          style={{ flexDirection: 'row', alignItems: 'center', gap: 10 }}
        >
          <Avatar name={c.name} size={40} />
          <span style={{ minWidth: 0 }}>
            <b style={{ display: 'block', fontSize: 14.5 }}>{c.name}</b>
            {c.org ? <small>{c.org.name}</small> : null}
          </span>
        </Link>
        {c.points.map((p) => (
          <PointLine key={p.id} point={p} ticket={ticket.number} contact={c.id} />
        ))}
      </section>
      <section>
        <h2>{t('contact.otherTickets')}</h2>
        {others.length === 0 ? <span className="dim">{t('contact.noOther')}</span> : null}
        {others.map((x) => (
          <Link
            key={x.number}
            className={css.mini}
            to="/desk/$view/$number"
            params={{ view: 'all', number: x.number }}
          >
            <span>{x.title}</span>
            <small
              className="tnum"
              style={{ display: 'flex', gap: 8, alignItems: 'center', flexWrap: 'wrap' }}
            >
              <StatusPill status={x.status} /> #{x.number} · {ago(x.updated_at)}
            </small>
          </Link>
        ))}
      </section>
      <section>
        <h2>{t('contact.lastCalls')}</h2>
        {flat(calls.data).length === 0 ? <span className="dim">{t('contact.noCalls')}</span> : null}
        {flat(calls.data)
          .slice(0, 5)
          .map((x) => (
            <div key={x.id} style={{ fontSize: 13 }}>
              {t(`disposition.${x.disposition}`, { defaultValue: x.disposition })}
              {x.talk_ms ? ` · ${span(x.talk_ms / 1000)}` : ''}{' '}
              <span className="dim">
                <When at={x.started_at}>{ago(x.started_at)}</When>
              </span>
            </div>
          ))}
      </section>
    </>
  );
}

/** A ticket of an unknown number: who is it? */
function NoContact({ ticket }: { ticket: Ticket }) {
  const { t } = useTranslation();
  const edit = useTicketEdit(ticket);
  const [open, setOpen] = useState(false);
  return (
    <section>
      <h2>{t('ticket.contact')}</h2>
      <span className="dim" style={{ fontSize: 13 }}>
        {t('ticket.unknownContact')}
      </span>
      <Button variant="default" leftSection={<IconUserPlus size={16} />} onClick={() => setOpen(true)}>
        {t('contact.create')}
      </Button>
      <ContactForm
        opened={open}
        onClose={() => setOpen(false)}
        onSaved={(c) => void edit.change({ contact_id: c.id }, { contact_id: null }, t('contact.attached'))}
      />
    </section>
  );
}
