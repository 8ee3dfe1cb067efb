import { useCallback, useEffect, useRef, useState } from 'react';
import { useCore } from '~/app/context';
import { type DeviceList, listDevices, openMic, problemOf, unavailable } from '~/phone/devices';
import type { MicProblem } from '~/phone/state';

export type MicState = 'prompt' | 'asking' | 'granted' | MicProblem;

/** The microphone of the test page: asks, shows the level, and says why when it cannot be had. */
export function useMic() {
  const core = useCore();
  const [state, setState] = useState<MicState>(() => unavailable() ?? 'prompt');
  const [devices, setDevices] = useState<DeviceList>({ mics: [], outs: [] });
  const [level, setLevel] = useState(0);
  const stream = useRef<MediaStream | null>(null);
  const stop = useRef<() => void>(() => undefined);

  const close = useCallback(() => {
    stop.current();
    for (const track of stream.current?.getTracks() ?? []) track.stop();
    stream.current = null;
    setLevel(0);
  }, []);

  const open = useCallback(async () => {
    close();
    setState('asking');
    try {
      await core.unlock();
      const s = await openMic(core.settings);
      stream.current = s;
      // While the microphone is open, sound may be processed without a click.
      await core.ringer.audioContext?.resume().catch(() => undefined);
      stop.current = meter(s, core.ringer.audioContext, setLevel);
      setState('granted');
      setDevices(await listDevices());
    } catch (err) {
      setState(problemOf(err));
    }
  }, [close, core]);

  useEffect(() => {
    // With a grant from before, device names are there already and the meter can start by itself.
    void listDevices().then((d) => {
      setDevices(d);
      if (d.mics.some((m) => m.label !== '')) void open();
    });
    const changed = () => void listDevices().then(setDevices);
    navigator.mediaDevices?.addEventListener('devicechange', changed);
    return () => {
      navigator.mediaDevices?.removeEventListener('devicechange', changed);
      close();
    };
  }, [open, close]);

  return { state, devices, level, open, close };
}

/** Measures loudness ten times a second; returns the way to stop. */
function meter(stream: MediaStream, ctx: AudioContext | undefined, set: (v: number) => void): () => void {
  if (!ctx) return () => undefined;
  const source = ctx.createMediaStreamSource(stream);
  const analyser = ctx.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const block = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(block);
    let sum = 0;
    for (const x of block) sum += x * x;
    const rms = Math.sqrt(sum / block.length);
    // -60 dB is silence, -6 dB is as loud as it should get.
    const db = 20 * Math.log10(Math.max(rms, 1e-5));
    set(Math.min(1, Math.max(0, (db + 60) / 54)));
  }, 100);
  return () => {
    clearInterval(timer);
    source.disconnect();
  };
}
