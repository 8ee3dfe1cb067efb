// Before the first call: is there a microphone, can the ring be heard, on which devices. Starting is a click, since
// browsers let no page make a noise or open a microphone before one.

import { Button, Select, Slider } from '@mantine/core';
import {
  IconBell,
  IconBellOff,
  IconCircleCheck,
  IconMicrophone,
  IconMicrophoneOff,
  IconPlayerPlay,
  IconVolume,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { queuesQuery } from '~/api/queries';
import { useCore, usePhone } from '~/app/context';
import type { AudioSettings, DeviceChoice } from '~/phone/devices';
import { onShift } from '~/phone/state';
import { PageHead, uiCss } from '~/ui/bits';
import { toast, toastError } from '~/ui/toast';
import css from './session.module.css';
import { useMic } from './useMic';

export function StartShift() {
  const { t } = useTranslation();
  const core = useCore();
  const navigate = useNavigate();
  const mic = useMic();
  const shift = usePhone(onShift);
  const ready = usePhone((s) => s.ready);
  const [busy, setBusy] = useState(false);
  const start = () => {
    setBusy(true);
    mic.close();
    core
      .startShift()
      .then((problem) => {
        if (problem) {
          void mic.open();
          return toast(t(`mic.${problem}.title`));
        }
        return navigate({ to: '/desk/$view', params: { view: 'mine' } });
      })
      .catch(toastError)
      .finally(() => setBusy(false));
  };
  return (
    <div className={css.shift}>
      <PageHead title={t('shift.title')} text={t('shift.text')} />
      <div className={css.cols}>
        <div className={css.stack}>
          <section className={uiCss.card}>
            <div className={uiCss.cardHead}>
              <h2>{t('shift.mic')}</h2>
            </div>
            <div className={`${uiCss.cardBody} ${css.stack}`} style={{ gap: 12 }}>
              <MicStatus state={mic.state} onAsk={() => void mic.open()} />
              {mic.state === 'granted' ? (
                <>
                  <div
                    className={css.meter}
                    role="meter"
                    aria-label={t('shift.level')}
                    aria-valuenow={Math.round(mic.level * 100)}
                    aria-valuemin={0}
                    aria-valuemax={100}
                  >
                    <div style={{ clipPath: `inset(0 ${Math.round((1 - mic.level) * 100)}% 0 0)` }} />
                  </div>
                  <span className="dim" style={{ fontSize: 13 }}>
                    {t('shift.speak')}
                  </span>
                </>
              ) : null}
              <DevicePicks onMicChange={() => void mic.open()} devices={mic.devices} />
            </div>
          </section>
        </div>
        <div className={css.stack}>
          <RingCard />
          <QueuesCard />
        </div>
      </div>
      <div className={css.go}>
        <Button
          size="lg"
          leftSection={<IconPlayerPlay size={20} />}
          loading={busy}
          disabled={!ready || shift}
          onClick={start}
        >
          {t('shift.start')}
        </Button>
        <p>{t(shift ? 'shift.already' : ready ? 'shift.goText' : 'phone.connecting')}</p>
      </div>
    </div>
  );
}

function MicStatus({ state, onAsk }: { state: string; onAsk: () => void }) {
  const { t } = useTranslation();
  const good = state === 'granted';
  const asking = state === 'prompt' || state === 'asking';
  const Icon = good ? IconCircleCheck : asking ? IconMicrophone : IconMicrophoneOff;
  return (
    <div className={css.status} data-tone={good ? 'green' : asking ? 'blue' : 'red'} role="status">
      <Icon size={22} stroke={1.8} />
      <div style={{ flex: 1 }}>
        <b>{t(`mic.${state}.title`)}</b>
        {t(`mic.${state}.text`)}
        {!good && state !== 'insecure' ? (
          <div style={{ marginTop: 8 }}>
            <Button size="compact-md" variant="default" loading={state === 'asking'} onClick={onAsk}>
              {t(state === 'prompt' ? 'shift.allow' : 'common.retry')}
            </Button>
          </div>
        ) : null}
      </div>
    </div>
  );
}

/** Choices of microphone and talk output; shared with the settings page. */
export function DevicePicks({
  devices,
  onMicChange,
}: {
  devices: { mics: DeviceChoice[]; outs: DeviceChoice[] };
  onMicChange?: () => void;
}) {
  const { t } = useTranslation();
  const core = useCore();
  const s = useAudioSettings();
  const speaker = usePhone((x) => x.media.speakerError);
  const set = (key: 'mic' | 'out' | 'ring', list: DeviceChoice[], id: string | null) => {
    const device = list.find((d) => d.id === id);
    void core
      .changeSettings({ ...core.settings, [key]: device })
      .then(() => key === 'mic' && onMicChange?.());
  };
  return (
    <>
      <DeviceSelect
        label={t('shift.micDevice')}
        list={devices.mics}
        value={s.mic}
        onChange={(id) => set('mic', devices.mics, id)}
      />
      <DeviceSelect
        label={t('shift.outDevice')}
        list={devices.outs}
        value={s.out}
        error={speaker ? t('shift.speakerError', { why: speaker }) : undefined}
        onChange={(id) => set('out', devices.outs, id)}
      />
      <DeviceSelect
        label={t('shift.ringDevice')}
        description={t('shift.ringDeviceHint')}
        list={devices.outs}
        value={s.ring}
        onChange={(id) => set('ring', devices.outs, id)}
      />
    </>
  );
}

export function useAudioSettings(): AudioSettings {
  const core = useCore();
  // The core tells of changed settings through the same subscription as of calls.
  const [s, setS] = useState(core.settings);
  usePhone(() => {
    if (core.settings !== s) queueMicrotask(() => setS(core.settings));
    return 0;
  });
  return s;
}

function DeviceSelect({
  label,
  description,
  list,
  value,
  error,
  onChange,
}: {
  label: string;
  description?: string;
  list: DeviceChoice[];
  value?: DeviceChoice;
  error?: string;
  onChange: (id: string | null) => void;
}) {
  const { t } = useTranslation();
  const known = list.filter((d) => d.label !== '' && d.id !== 'default');
  const current = known.find((d) => d.id === value?.id) ?? known.find((d) => d.label === value?.label);
  return (
    <Select
      label={label}
      description={description}
      placeholder={t('shift.default')}
      data={known.map((d) => ({ value: d.id, label: d.label }))}
      value={current?.id ?? null}
      error={
        error ??
        (value && !current && known.length > 0 ? t('shift.deviceGone', { name: value.label }) : undefined)
      }
      onChange={onChange}
      clearable
      disabled={known.length === 0}
    />
  );
}

function RingCard() {
  const { t } = useTranslation();
  const core = useCore();
  const s = useAudioSettings();
  const [heard, setHeard] = useState<boolean | null>(null);
  const [permission, setPermission] = useState(
    typeof Notification === 'undefined' ? 'denied' : Notification.permission,
  );
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('shift.ring')}</h2>
      </div>
      <div className={`${uiCss.cardBody} ${css.stack}`} style={{ gap: 14 }}>
        <div>
          <span style={{ fontSize: 13.5, fontWeight: 550 }}>{t('shift.volume')}</span>
          <Slider
            mt={6}
            thumbLabel={t('shift.volume')}
            value={Math.round(s.ringVolume * 100)}
            onChange={(v) => void core.changeSettings({ ...core.settings, ringVolume: v / 100 })}
            label={(v) => `${v} %`}
          />
        </div>
        <Button
          variant="default"
          leftSection={<IconVolume size={17} />}
          onClick={() => void core.ringer.test().then(setHeard)}
        >
          {t('shift.testRing')}
        </Button>
        {heard !== null ? (
          <span className="dim" role="status" style={{ fontSize: 13 }}>
            {t(heard ? 'shift.ringPlayed' : 'shift.ringBlocked')}
          </span>
        ) : null}
        <div className={css.status} data-tone={permission === 'granted' ? 'green' : 'neutral'}>
          {permission === 'granted' ? <IconBell size={20} /> : <IconBellOff size={20} />}
          <div style={{ flex: 1 }}>
            <b>{t('shift.notices')}</b>
            {t(`shift.notice.${permission}`)}
            {permission === 'default' ? (
              <div style={{ marginTop: 8 }}>
                <Button
                  size="compact-md"
                  variant="default"
                  onClick={() => void Notification.requestPermission().then(setPermission)}
                >
                  {t('shift.allowNotices')}
                </Button>
              </div>
            ) : null}
          </div>
        </div>
      </div>
    </section>
  );
}

/** The queues from which calls will come. */
function QueuesCard() {
  const { t } = useTranslation();
  const agent = usePhone((s) => s.agent);
  const queues = useQuery(queuesQuery);
  const mine = agent?.queues ?? [];
  return (
    <section className={uiCss.card}>
      <div className={uiCss.cardHead}>
        <h2>{t('shift.queues')}</h2>
      </div>
      <div className={uiCss.cardBody}>
        {mine.length === 0 ? <span className="dim">{t('shift.noQueues')}</span> : null}
        <ul className={css.list}>
          {mine.map((key) => {
            const q = queues.data?.find((x) => x.key === key);
            return (
              <li key={key}>
                <span>{q?.name || key}</span>
                {q ? <span className="dim">{t('shift.wrapup', { n: q.wrapup_s })}</span> : null}
              </li>
            );
          })}
        </ul>
      </div>
    </section>
  );
}
