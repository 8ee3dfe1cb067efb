// Plays a recording: two channels as two waves, at 0.75 to 2 times the speed. The peaks come from the server, the
// sound is fetched only when somebody listens (each listening is logged there).

import { ActionIcon, SegmentedControl, useComputedColorScheme } from '@mantine/core';
import { IconPlayerPauseFilled, IconPlayerPlayFilled, IconRewindBackward10 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import WaveSurfer from 'wavesurfer.js';
import { url } from '~/api/client';
import { peaksQuery } from '~/api/queries';
import type { Peaks, Recording } from '~/api/types';
import { clock } from '~/lib/format';
import { ErrorState, Loading } from '~/ui/bits';
import css from './ticket.module.css';

const RATES = ['0.75', '1', '1.25', '1.5', '2'];
const COLORS = {
  light: [
    { wave: '#8fb8e8', done: '#1f65cf' },
    { wave: '#8ccabf', done: '#0f7c7f' },
  ],
  dark: [
    { wave: '#35557f', done: '#7fb2ff' },
    { wave: '#2a5c5d', done: '#66cfcf' },
  ],
};

export function Player({ recording, agents }: { recording: Recording; agents: string }) {
  const { t } = useTranslation();
  const playable = !recording.state || recording.state === 'ready';
  const peaks = useQuery({ ...peaksQuery(recording.id), enabled: playable });
  if (!playable) {
    return (
      <p className="dim" style={{ margin: 0, fontSize: 13 }}>
        {t(`player.state.${recording.state}`, { defaultValue: t('player.failed') })}
      </p>
    );
  }
  if (peaks.isPending) return <Loading />;
  if (peaks.isError) return <ErrorState error={peaks.error} retry={() => void peaks.refetch()} />;
  return <Wave recording={recording} peaks={peaks.data} agents={agents} />;
}

function Wave({ recording, peaks, agents }: { recording: Recording; peaks: Peaks; agents: string }) {
  const { t } = useTranslation();
  const scheme = useComputedColorScheme('light');
  const box = useRef<HTMLDivElement>(null);
  const audio = useRef<HTMLAudioElement>(null);
  const wave = useRef<WaveSurfer | null>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [rate, setRate] = useState('1');
  const [failed, setFailed] = useState(false);
  const seconds = recording.duration_ms / 1000;
  const colors = COLORS[scheme];
  useEffect(() => {
    if (!box.current || !audio.current) return;
    const channels = peaks.data.length > 0 ? peaks.data : [[0]];
    const made = WaveSurfer.create({
      container: box.current,
      media: audio.current,
      peaks: channels,
      duration: seconds,
      height: channels.length > 1 ? 40 : 60,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      cursorWidth: 2,
      normalize: false,
      splitChannels: channels.map((_, i) => ({
        waveColor: colors[i % 2]?.wave,
        progressColor: colors[i % 2]?.done,
      })),
    });
    wave.current = made;
    made.on('play', () => setPlaying(true));
    made.on('pause', () => setPlaying(false));
    made.on('timeupdate', setAt);
    made.on('error', () => setFailed(true));
    return () => made.destroy();
  }, [peaks, seconds, colors]);
  const back = () => wave.current?.setTime(Math.max(0, at - 10));
  return (
    <div className={css.player}>
      <audio ref={audio} preload="none" src={url(`/recordings/${recording.id}/audio`)} />
      <div className={css.playerRow}>
        <ActionIcon
          variant="filled"
          color="petrol"
          radius="xl"
          aria-label={t(playing ? 'player.pause' : 'player.play')}
          onClick={() => void wave.current?.playPause().catch(() => setFailed(true))}
        >
          {playing ? <IconPlayerPauseFilled size={17} /> : <IconPlayerPlayFilled size={17} />}
        </ActionIcon>
        <ActionIcon aria-label={t('player.back')} onClick={back}>
          <IconRewindBackward10 size={19} stroke={1.7} />
        </ActionIcon>
        <span className="tnum" style={{ fontSize: 13 }}>
          {clock(at)} / {clock(seconds)}
        </span>
        <span className={css.waveLabels} style={{ flex: 1 }}>
          <span>
            <i style={{ background: colors[0]?.done }} />
            {t('player.customer')}
          </span>
          {peaks.channels > 1 ? (
            <span>
              <i style={{ background: colors[1]?.done }} />
              {agents || t('player.agent')}
            </span>
          ) : null}
        </span>
        <SegmentedControl
          size="xs"
          aria-label={t('player.speed')}
          value={rate}
          onChange={(v) => {
            setRate(v);
            wave.current?.setPlaybackRate(Number(v), true);
          }}
          data={RATES.map((value) => ({ value, label: `${value}×` }))}
        />
      </div>
      <div className={css.wave} ref={box} aria-hidden />
      <input
        type="range"
        className="visually-hidden"
        aria-label={t('player.position')}
        min={0}
        max={Math.ceil(seconds)}
        value={Math.round(at)}
        onChange={(e) => wave.current?.setTime(Number(e.currentTarget.value))}
        aria-valuetext={`${clock(at)} / ${clock(seconds)}`}
      />
      {failed ? <p role="alert">{t('player.failed')}</p> : null}
    </div>
  );
}
