import {
  IconBan,
  IconChevronRight,
  IconCrown,
  IconLanguage,
  IconShieldCheck,
  IconShieldQuestion,
  IconUserQuestion,
  IconUsers,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Caller, Trust } from '~/api/types';
import { local } from '~/i18n';
import { ago } from '~/lib/format';
import type { LinkChoice } from '~/phone/core';
import type { MenuChoice } from '~/phone/protocol';
import { Phone, Pill, type Tone } from '~/ui/bits';
import { StatusPill } from '~/ui/ticketBits';
import css from './incoming.module.css';

const TRUST_TONE: Record<Trust, Tone> = {
  withheld: 'neutral',
  claimed: 'amber',
  asserted: 'green',
  verified: 'green',
};

/** How far the number may be relied on, in words. */
export function TrustPill({ trust }: { trust: Trust | undefined }) {
  const { t } = useTranslation();
  if (!trust) return null;
  return (
    <Pill
      tone={TRUST_TONE[trust] ?? 'neutral'}
      icon={trust === 'claimed' || trust === 'withheld' ? IconShieldQuestion : IconShieldCheck}
      title={t(`trust.hint.${trust}`)}
    >
      {t(`trust.${trust}`)}
    </Pill>
  );
}

/** What the look-up found, in words: "known", "shared number, 4 people", "seen in ticket 482170". */
export function useLevelText(): (c: Caller | null) => string {
  const { t } = useTranslation();
  return (c) => {
    if (!c) return t('caller.none');
    const n = c.contacts?.length ?? 0;
    if (c.level === 'shared') return t('caller.shared', { count: n });
    if (c.level === 'ambiguous') return t('caller.ambiguous', { count: n });
    if (c.level === 'maybe') {
      const source = c.contacts?.find((x) => x.source)?.source;
      return source ? t('caller.maybeIn', { ticket: source }) : t('caller.maybe');
    }
    return ['known', 'own', 'withheld', 'none'].includes(c.level) ? t(`caller.${c.level}`) : c.level;
  };
}

interface Props {
  from: string;
  trust?: Trust;
  lang?: string;
  menu?: MenuChoice[];
  card: Caller | null;
  choice?: LinkChoice;
  onChoose: (c: LinkChoice) => void;
  onNone: () => void;
}

export function CallerBody({ from, trust, lang, menu, card, choice, onChoose, onNone }: Props) {
  const { t } = useTranslation();
  const level = useLevelText();
  const people = card?.level === 'known' ? [] : (card?.contacts ?? []);
  return (
    <div className={css.body}>
      <div className={css.pills}>
        {from ? (
          <strong style={{ fontSize: 15 }}>
            <Phone value={from} />
          </strong>
        ) : null}
        <TrustPill trust={trust} />
        <Pill
          tone={card?.level === 'known' ? 'green' : 'neutral'}
          icon={people.length > 1 ? IconUsers : IconUserQuestion}
        >
          {level(card)}
        </Pill>
        {card?.vip ? (
          <Pill tone="violet" icon={IconCrown}>
            VIP
          </Pill>
        ) : null}
        {card?.blocked ? (
          <Pill tone="red" icon={IconBan}>
            {t('caller.blocked')}
          </Pill>
        ) : null}
        {lang ? (
          <Pill tone="neutral" icon={IconLanguage}>
            {t(`lang.${lang}`, { defaultValue: lang.toUpperCase() })}
          </Pill>
        ) : null}
      </div>
      {card?.org || card?.plan || card?.engineer ? (
        <div className="dim">
          {[
            card.org?.name,
            card.plan && t('caller.plan', { plan: card.plan }),
            card.engineer && t('caller.engineer', { name: card.engineer }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </div>
      ) : null}
      {menu && menu.length > 0 ? (
        <div className={css.menuPath}>
          <span className="dim">{t('incoming.menu')}</span>
          {menu.map((m, i) => (
            <span key={m.node} style={{ display: 'contents' }}>
              {i > 0 ? <IconChevronRight size={14} /> : null}
              <span>{local(m.label, m.node)}</span>
            </span>
          ))}
        </div>
      ) : null}
      {people.length > 0 ? (
        <ul className={css.people}>
          {people.slice(0, 4).map((p) => (
            <li key={p.id}>
              <Link to="/contacts/$id" params={{ id: String(p.id) }}>
                {p.name}
              </Link>
              {p.source ? <span className="dim"> · {t('caller.seenIn', { ticket: p.source })}</span> : null}
            </li>
          ))}
        </ul>
      ) : null}
      <Candidates card={card} choice={choice} onChoose={onChoose} onNone={onNone} />
    </div>
  );
}

function Candidates({
  card,
  choice,
  onChoose,
  onNone,
}: Pick<Props, 'card' | 'choice' | 'onChoose' | 'onNone'>) {
  const { t } = useTranslation();
  const list = (card?.candidates ?? []).slice(0, 6);
  const chosen = choice && 'ticket' in choice ? choice.ticket : undefined;
  return (
    <div className={css.cands}>
      <h3>{t(list.length > 0 ? 'incoming.tickets' : 'incoming.noTickets')}</h3>
      {list.map((c, i) => (
        <button
          key={c.number}
          type="button"
          className={css.cand}
          aria-pressed={chosen === c.number}
          onClick={() => onChoose({ ticket: c.number })}
        >
          <kbd>{i + 1}</kbd>
          <span>
            <b>{c.title}</b>
            <small className="tnum">
              #{c.number}
              {c.updated_at ? ` · ${ago(c.updated_at)}` : ''}
              {c.missed ? ` · ${t('incoming.missed')}` : ''}
            </small>
          </span>
          {c.status ? <StatusPill status={c.status} /> : null}
        </button>
      ))}
      <div className={css.two}>
        <button
          type="button"
          className={css.cand}
          aria-pressed={Boolean(choice && 'new' in choice)}
          onClick={() => onChoose({ new: {} })}
        >
          <kbd>N</kbd>
          <span>{t('incoming.new')}</span>
        </button>
        <button
          type="button"
          className={css.cand}
          aria-pressed={Boolean(choice && 'none' in choice)}
          onClick={onNone}
        >
          <kbd>0</kbd>
          <span>{t('incoming.noTicket')}</span>
        </button>
      </div>
    </div>
  );
}
