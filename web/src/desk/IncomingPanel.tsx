// A call that rings: who, how sure, why they call, which tickets. It never takes the focus; its keys act only while
// nobody is typing. In the talk it stays as long as the call hangs on no ticket.

import { Button, Modal, Select } from '@mantine/core';
import { IconPhoneCall, IconPhoneX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useCore, usePhone } from '~/app/context';
import { phone as showNumber, span, timeOf } from '~/lib/format';
import { inText, keyName } from '~/lib/keys';
import { prefs } from '~/lib/prefs';
import type { LinkChoice } from '~/phone/core';
import type { Call, Offer } from '~/phone/protocol';
import { activeCall, type MicProblem } from '~/phone/state';
import { Avatar, Phone, useLeft } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import { CallerBody } from './CallerBody';
import css from './incoming.module.css';

export function IncomingPanel() {
  const offer = usePhone((s) => s.offers[0]);
  const call = usePhone(activeCall);
  const [hidden, setHidden] = useState('');
  if (offer) return <OfferPanel key={offer.call} offer={offer} />;
  const open = call?.state === 'talking' && call.link && ['open', 'proposed'].includes(call.link.state);
  if (open && call.card && hidden !== call.call) {
    return <LinkPanel key={call.call} call={call} onHide={() => setHidden(call.call)} />;
  }
  return null;
}

const WHY_NONE = ['wrong_number', 'sales', 'internal', 'other'];

/** Choosing the ticket of a call: by click, by the keys 1-6, N and 0. */
function useLinking(call: string, from: string, candidates: { number: string }[]) {
  const core = useCore();
  const { t } = useTranslation();
  const [choice, setChoice] = useState<LinkChoice | undefined>(() => core.chosenFor(call));
  const [asking, setAsking] = useState(false);
  const choose = (picked: LinkChoice) => {
    const title = t('link.newTitle', {
      who: showNumber(from) || t('trust.withheld'),
      time: timeOf(Date.now()),
    });
    const c = 'new' in picked ? { new: { title } } : picked;
    setChoice(c);
    core.link(call, c).catch((err) => {
      setChoice(undefined);
      toastError(err);
    });
  };
  useEffect(() => {
    const down = (e: KeyboardEvent) => {
      if (
        e.repeat ||
        inText(e.target) ||
        !prefs.get().singleKeys ||
        document.querySelector('[role="dialog"]')
      )
        return;
      const name = keyName(e);
      const picked = /^[1-6]$/.test(name) ? candidates[Number(name) - 1] : undefined;
      if (picked) choose({ ticket: picked.number });
      else if (name === 'n') choose({ new: {} });
      else if (name === '0') setAsking(true);
      else return;
      e.preventDefault();
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  });
  const dialog = (
    <Modal opened={asking} onClose={() => setAsking(false)} title={t('incoming.noneTitle')} size="sm">
      <Select
        data-autofocus
        label={t('incoming.noneWhy')}
        data={WHY_NONE.map((value) => ({ value, label: t(`incoming.none.${value}`) }))}
        onChange={(v) => {
          if (!v) return;
          choose({ none: { reason: v } });
          setAsking(false);
        }}
      />
    </Modal>
  );
  return { choice, choose, askNone: () => setAsking(true), dialog };
}

function OfferPanel({ offer }: { offer: Offer }) {
  const { t } = useTranslation();
  const core = useCore();
  const offset = usePhone((s) => s.offset);
  const [busy, setBusy] = useState(false);
  const [shownAt] = useState(() => core.now());
  const left = useLeft(offer.expires, offset);
  const total = offer.expires ? Math.max(1, (offer.expires - shownAt) / 1000) : 1;
  const name = offer.from_name || offer.card?.contact?.name;
  const linking = useLinking(offer.call, offer.from, offer.card?.candidates ?? []);
  const answer = () => {
    setBusy(true);
    core
      .answer(offer.call)
      .then((problem: MicProblem | undefined) => problem && toast(t(`mic.${problem}.title`)))
      .catch(toastError)
      .finally(() => setBusy(false));
  };
  return (
    <aside className={css.panel} aria-label={t('incoming.label')}>
      <p className="visually-hidden" aria-live="assertive">
        {t('incoming.announce', {
          who: name || showNumber(offer.from) || t('trust.withheld'),
          queue: offer.queue_name ?? '',
        })}
      </p>
      <div className={css.top} data-tone="amber">
        <div
          className={css.ring}
          style={{ '--part': offer.expires ? Math.min(1, left / total) : 1 } as React.CSSProperties}
        >
          <span className="tnum" aria-hidden>
            {offer.expires ? left : <IconPhoneCall size={18} />}
          </span>
        </div>
        <div className={css.topText}>
          <small>
            {t('incoming.title')}
            {offer.queue_name ? ` · ${offer.queue_name}` : ''}
          </small>
          <h2>{name || (offer.from ? <Phone value={offer.from} /> : t('trust.withheld'))}</h2>
          <small className="tnum">{t('incoming.waited', { span: span(offer.waited_s ?? 0) })}</small>
        </div>
        {name ? <Avatar name={name} size={40} /> : null}
      </div>
      <CallerBody
        from={offer.from}
        trust={offer.trust}
        lang={offer.lang}
        menu={offer.menu}
        card={offer.card ?? null}
        choice={linking.choice}
        onChoose={linking.choose}
        onNone={linking.askNone}
      />
      <div className={css.foot}>
        <Button
          className={css.answer}
          flex="1 1 auto"
          size="md"
          loading={busy}
          leftSection={<IconPhoneCall size={20} />}
          onClick={answer}
        >
          {t('phone.answer')}
          <kbd className="answerKey" style={{ marginInlineStart: 8 }}>
            Alt A
          </kbd>
        </Button>
        <Button
          variant="default"
          size="md"
          px={14}
          leftSection={<IconPhoneX size={18} />}
          onClick={() => core.reject(offer.call).catch(toastError)}
        >
          {t('phone.reject')}
        </Button>
      </div>
      {linking.dialog}
    </aside>
  );
}

function LinkPanel({ call, onHide }: { call: Call; onHide: () => void }) {
  const { t } = useTranslation();
  const linking = useLinking(call.call, call.from, call.card?.candidates ?? []);
  return (
    <aside className={css.panel} aria-label={t('incoming.linkLabel')}>
      <div className={css.top} data-tone="blue">
        <div className={css.topText}>
          <small>{t(call.link?.state === 'proposed' ? 'incoming.linkProposed' : 'incoming.linkOpen')}</small>
          <h2>{call.from_name || call.card?.contact?.name || <Phone value={call.from} />}</h2>
        </div>
        <Button size="compact-sm" variant="default" onClick={onHide}>
          {t('incoming.later')}
        </Button>
      </div>
      <CallerBody
        from={call.from}
        trust={call.trust}
        lang={call.lang}
        card={call.card ?? null}
        choice={linking.choice ?? (call.ticket ? { ticket: call.ticket.number } : undefined)}
        onChoose={linking.choose}
        onNone={linking.askNone}
      />
      {linking.dialog}
    </aside>
  );
}
