// Ears and levers for tests, absent unless the stored switch `hotline.test` is 1 (or the build sets VITE_HOTLINE_TEST).

import type { PhoneCore } from './core';

declare global {
  interface Window {
    __hotline?: { core: PhoneCore; stopHeartbeat: () => void; startHeartbeat: () => void };
    /** Amplitude of each frequency in what the agent hears, 0..1 of full scale. */
    __tone?: (freqs: number[]) => Record<string, number>;
  }
}

export function testHooksWanted(): boolean {
  return import.meta.env.VITE_HOTLINE_TEST === '1' || localStorage.getItem('hotline.test') === '1';
}

/** goertzel gives the amplitude of one frequency in a block of samples. */
export function goertzel(samples: Float32Array, rate: number, hz: number): number {
  const w = (2 * Math.PI * hz) / rate;
  const k = 2 * Math.cos(w);
  let s1 = 0;
  let s2 = 0;
  for (const x of samples) {
    const s0 = x + k * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (2 / samples.length) * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - k * s1 * s2));
}

export function installTestHooks(core: PhoneCore): void {
  const ctx = new AudioContext();
  let analyser: AnalyserNode | undefined;
  let tapped: MediaStream | undefined;
  window.__hotline = {
    core,
    stopHeartbeat: () => core.stopHeartbeat(),
    startHeartbeat: () => core.startHeartbeat(),
  };
  window.__tone = (freqs) => {
    void ctx.resume();
    const stream = core.remoteStream;
    if (stream && stream !== tapped) {
      tapped = stream;
      analyser = ctx.createAnalyser();
      analyser.fftSize = 8192;
      ctx.createMediaStreamSource(stream).connect(analyser);
    }
    const block = new Float32Array(8192);
    analyser?.getFloatTimeDomainData(block);
    return Object.fromEntries(freqs.map((f) => [String(f), goertzel(block, ctx.sampleRate, f)]));
  };
}
