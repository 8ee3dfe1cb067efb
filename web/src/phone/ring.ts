// The ring: a two-tone made in the page, on its own volume and its own device. It is owned by the state of the calls:
// whoever starts it for a set of offers stops it when the set is empty, so it cannot ring for ever.

import { type AudioSettings, setOutput } from './devices';

const CADENCE_MS = 3000;

export class Ringer {
  private ctx: AudioContext | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;
  private gain: GainNode | undefined;
  private settings: AudioSettings;

  constructor(settings: AudioSettings) {
    this.settings = settings;
  }

  /** Has to be called from a click or key: browsers let no page make a noise before one. */
  async unlock(): Promise<boolean> {
    const ctx = this.context();
    if (!ctx) return false;
    if (ctx.state !== 'running') {
      // resume() never settles without a user's gesture; do not wait for it for ever.
      await Promise.race([ctx.resume(), new Promise((r) => setTimeout(r, 300))]);
    }
    return ctx.state === 'running';
  }

  get audible(): boolean {
    return this.ctx?.state === 'running';
  }

  get audioContext(): AudioContext | undefined {
    return this.context();
  }

  async apply(settings: AudioSettings): Promise<string | undefined> {
    this.settings = settings;
    if (!this.ctx) return undefined;
    return setOutput(this.ctx as { setSinkId?: (id: string) => Promise<void> }, settings.ring);
  }

  /** Rings until stop. Returns whether anybody can hear it. */
  async start(): Promise<boolean> {
    const heard = await this.unlock();
    if (this.timer) return heard;
    this.burst();
    this.timer = setInterval(() => this.burst(), CADENCE_MS);
    return heard;
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.gain?.disconnect();
    this.gain = undefined;
  }

  /** One burst, to hear whether the ring would be heard. */
  async test(): Promise<boolean> {
    const heard = await this.unlock();
    await this.apply(this.settings);
    this.burst();
    return heard;
  }

  /** 300 ms of tone in the agent's ear before an automatic answer. */
  zip(): void {
    const ctx = this.context();
    if (!ctx) return;
    this.tone(ctx, this.out(ctx), [880], ctx.currentTime, 0.3, 0.25);
  }

  close(): void {
    this.stop();
    void this.ctx?.close();
    this.ctx = undefined;
  }

  private context(): AudioContext | undefined {
    if (!this.ctx && typeof AudioContext !== 'undefined') {
      this.ctx = new AudioContext();
      void setOutput(this.ctx as { setSinkId?: (id: string) => Promise<void> }, this.settings.ring);
    }
    return this.ctx;
  }

  private out(ctx: AudioContext): GainNode {
    if (!this.gain) {
      this.gain = ctx.createGain();
      this.gain.connect(ctx.destination);
    }
    this.gain.gain.value = this.settings.ringVolume;
    return this.gain;
  }

  private burst(): void {
    const ctx = this.context();
    if (!ctx) return;
    const out = this.out(ctx);
    const t = ctx.currentTime + 0.02;
    this.tone(ctx, out, [587, 740], t, 0.38, 0.35);
    this.tone(ctx, out, [659, 831], t + 0.42, 0.5, 0.35);
  }

  private tone(
    ctx: AudioContext,
    out: GainNode,
    hz: number[],
    at: number,
    forS: number,
    level: number,
  ): void {
    const env = ctx.createGain();
    env.gain.setValueAtTime(0, at);
    env.gain.linearRampToValueAtTime(level / hz.length, at + 0.02);
    env.gain.setValueAtTime(level / hz.length, at + forS - 0.08);
    env.gain.linearRampToValueAtTime(0, at + forS);
    env.connect(out);
    for (const f of hz) {
      const osc = ctx.createOscillator();
      osc.frequency.value = f;
      osc.connect(env);
      osc.start(at);
      osc.stop(at + forS + 0.05);
    }
  }
}
