// The telephone, always in sight: state, call, controls, quality.

import { ActionIcon, Button, Kbd, TextInput, Tooltip } from '@mantine/core';
import { spotlight } from '@mantine/spotlight';
import { IconPhoneOutgoing, IconPlayerPlay, IconSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { can, useMe, usePhone } from '~/app/context';
import { UserMenu } from '~/app/UserMenu';
import { phone as showNumber } from '~/lib/format';
import { activeCall, canDial, onShift } from '~/phone/state';
import { CallCard, CallControls } from './CallCard';
import { useDial } from './DialButton';
import { MonitorStrip } from './MonitorStrip';
import { NoteStrip } from './NoteStrip';
import css from './phonebar.module.css';
import { QualityIcon } from './QualityIcon';
import { StateMenu } from './StateMenu';
import { useCallEnds } from './useCallEnds';
import { useCallRouting } from './useCallRouting';

export function PhoneBar() {
  const { t } = useTranslation();
  const me = useMe();
  const shift = usePhone(onShift);
  const ready = usePhone((s) => s.ready);
  const call = usePhone(activeCall);
  const wrapup = usePhone((s) => s.wrapup);
  const ringing = usePhone((s) => s.offers.length > 0);
  useCallRouting();
  useCallEnds();
  const phone = can(me, 'phone.use');
  return (
    <section aria-label={t('phone.label')}>
      <div className={css.row}>
        {phone ? (
          <div className={css.state}>
            {shift || !ready ? (
              <StateMenu />
            ) : (
              <Button component={Link} to="/shift" leftSection={<IconPlayerPlay size={17} />}>
                {t('shift.start')}
              </Button>
            )}
          </div>
        ) : null}
        <div className={css.middle}>
          {call ? (
            <>
              <CallCard call={call} />
              <CallControls call={call} />
            </>
          ) : (
            <Idle shift={shift} wrapup={wrapup !== null} ringing={ringing} />
          )}
        </div>
        <div className={css.right}>
          <QualityIcon />
          <Tooltip
            label={
              <>
                {t('palette.open')} <Kbd size="xs">Ctrl K</Kbd>
              </>
            }
          >
            <ActionIcon aria-label={t('palette.open')} onClick={() => spotlight.open()}>
              <IconSearch size={20} stroke={1.8} />
            </ActionIcon>
          </Tooltip>
          <UserMenu />
        </div>
      </div>
      <NoteStrip />
      <MonitorStrip />
    </section>
  );
}

/** Between calls: a place to dial, and the way back to the call that just ended. */
function Idle({ shift, wrapup, ringing }: { shift: boolean; wrapup: boolean; ringing: boolean }) {
  const { t } = useTranslation();
  const me = useMe();
  const last = usePhone((s) => s.lastEnd);
  const able = usePhone(canDial);
  const [number, setNumber] = useState('');
  const [dial] = useDial();
  // A number of nobody's may be dialled by who has the right; others call from a ticket, a contact or a list.
  const dials = able && can(me, 'call.dial_any');
  return (
    <>
      {dials ? (
        <form
          className={css.dial}
          onSubmit={(e) => {
            e.preventDefault();
            if (number.trim()) void dial({ to: number.trim() }).then(() => setNumber(''));
          }}
        >
          <TextInput
            value={number}
            onChange={(e) => setNumber(e.currentTarget.value)}
            placeholder={t('phone.dialHint')}
            aria-label={t('phone.dialHint')}
            type="tel"
            autoComplete="off"
          />
          <ActionIcon
            type="submit"
            variant="light"
            color="petrol"
            aria-label={t('phone.dial')}
            disabled={!number.trim()}
          >
            <IconPhoneOutgoing size={18} />
          </ActionIcon>
        </form>
      ) : null}
      {last?.from && able ? (
        <Button
          className={css.callBack}
          size="compact-md"
          variant="default"
          leftSection={<IconPhoneOutgoing size={15} />}
          onClick={() => void dial({ call: last.call })}
        >
          {t('phone.callBack', { who: last.from_name || showNumber(last.from) })}
        </Button>
      ) : (
        <span className={css.idle}>
          {t(
            wrapup ? 'phone.wrapup' : ringing ? 'incoming.title' : shift ? 'phone.noCall' : 'phone.offShift',
          )}
        </span>
      )}
    </>
  );
}
