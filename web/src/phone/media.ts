// The sound of this tab: one RTCPeerConnection to the agent's leg on the server, which outlives it. Attaching again
// replaces the connection and gets a new epoch; whatever belongs to an older one is dropped.
//
// While on shift the connection stands by without a track: nothing is sent. A talk puts the microphone's track in
// place (replaceTrack, no negotiation); the end of the talk takes it out.

import { type AudioSettings, openMic, problemOf, setOutput } from './devices';
import { lossBetween, mos, type RawStats, readStats, Steady } from './quality';
import type { MediaStatus, MicProblem, Quality } from './state';

export interface MediaDeps {
  request: <T>(t: string, d: unknown) => Promise<T>;
  notify: (t: string, d: unknown) => void;
  audio: HTMLAudioElement;
  onStatus: (s: MediaStatus) => void;
  onMic: (mic: 'off' | 'on' | 'opening', problem?: MicProblem) => void;
  onQuality: (q: Quality | null) => void;
  onSpeaker: (error: string | undefined) => void;
  settings: () => AudioSettings;
}

/** `disconnected` for so long: restart ICE. Not earlier, since short gaps heal by themselves. */
const RESTART_AFTER_MS = 3000;
/** A restart that has not connected by then: a new connection. */
const REATTACH_AFTER_MS = 4000;
const STATS_MS = 1000;
const STATS_SEND_EVERY = 5;
const CODECS = ['PCMA', 'PCMU'];

export class Media {
  epoch = 0;
  private pc: RTCPeerConnection | undefined;
  private sender: RTCRtpSender | undefined;
  private generation = 0;
  private candidates: (string | null)[] | undefined;
  private stream: MediaStream | undefined;
  private micWanted = false;
  private micEpoch = 0;
  private audible = false;
  private restartTimer: ReturnType<typeof setTimeout> | undefined;
  private statsTimer: ReturnType<typeof setInterval> | undefined;
  private lastStats: RawStats | undefined;
  private readonly steady = new Steady();
  private ticks = 0;
  private silentIn = 0;
  private silentMic = 0;
  private ice: RTCIceServer[] = [];
  remote: MediaStream | undefined;

  constructor(private readonly deps: MediaDeps) {}

  get attached(): boolean {
    return this.pc !== undefined;
  }

  get connected(): boolean {
    return this.pc?.connectionState === 'connected';
  }

  /** Makes a connection and puts it in the place of the one before. Resolves when the server has answered. */
  async attach(ice: RTCIceServer[], standby: boolean): Promise<void> {
    this.ice = ice;
    this.generation += 1;
    const mine = this.generation;
    this.clearTimers();
    const before = this.pc;
    const pc = new RTCPeerConnection({ iceServers: ice, bundlePolicy: 'max-bundle' });
    this.pc = pc;
    this.candidates = [];
    this.deps.onStatus('attaching');
    const tr = pc.addTransceiver('audio', { direction: 'sendrecv' });
    preferCodecs(tr);
    this.sender = tr.sender;
    this.listen(pc, mine);
    try {
      if (this.stream) await tr.sender.replaceTrack(this.stream.getAudioTracks()[0] ?? null);
      await pc.setLocalDescription(await pc.createOffer());
      const reply = await this.deps.request<{ epoch: number; sdp: string }>('media.attach', {
        sdp: pc.localDescription?.sdp,
        epoch_seen: this.epoch,
        codecs: CODECS,
        standby,
      });
      if (mine !== this.generation) return;
      this.epoch = reply.epoch;
      before?.close();
      await pc.setRemoteDescription({ type: 'answer', sdp: reply.sdp });
      this.flushCandidates();
      this.startStats();
    } catch (err) {
      if (mine !== this.generation) return;
      before?.close();
      this.shut(pc);
      this.deps.onStatus('failed');
      throw err;
    }
  }

  /** Ends the connection; `tell` says goodbye to the server (end of shift), else it was taken away from us. */
  detach(tell: boolean): void {
    this.generation += 1;
    if (tell && this.pc) this.deps.notify('media.detach', { epoch: this.epoch });
    if (this.pc) this.shut(this.pc);
    this.pc = undefined;
    this.closeMic();
    this.deps.onStatus('none');
  }

  /** Something changed on the network: find a path again without a new connection. */
  async restartIce(why: string): Promise<void> {
    const pc = this.pc;
    const mine = this.generation;
    if (!pc || pc.signalingState === 'closed') return;
    clearTimeout(this.restartTimer);
    try {
      pc.restartIce();
      await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
      const reply = await this.deps.request<{ sdp: string }>('media.offer', {
        epoch: this.epoch,
        sdp: pc.localDescription?.sdp,
        why,
      });
      if (mine !== this.generation) return;
      await pc.setRemoteDescription({ type: 'answer', sdp: reply.sdp });
      this.restartTimer = setTimeout(() => {
        if (mine === this.generation && pc.connectionState !== 'connected') void this.again();
      }, REATTACH_AFTER_MS);
    } catch {
      // stale_epoch and whatever else: when in doubt attach anew.
      if (mine === this.generation) void this.again();
    }
  }

  /** Opens the microphone and puts it into the connection. Resolves to the problem, if any. */
  async openMic(): Promise<MicProblem | undefined> {
    this.micWanted = true;
    if (this.stream?.getAudioTracks()[0]?.readyState === 'live') {
      await this.sendTrack();
      this.deps.onMic('on');
      return undefined;
    }
    this.micEpoch += 1;
    const mine = this.micEpoch;
    this.deps.onMic('opening');
    try {
      const stream = await openMic(this.deps.settings());
      if (mine !== this.micEpoch || !this.micWanted) {
        for (const t of stream.getTracks()) t.stop();
        return undefined;
      }
      this.takeStream(stream);
      await this.sendTrack();
      this.deps.onMic('on');
      return undefined;
    } catch (err) {
      const problem = problemOf(err);
      if (mine === this.micEpoch) this.deps.onMic('off', problem);
      return problem;
    }
  }

  /** Takes the microphone out of the connection; stops it unless it is to be kept open. */
  async releaseMic(keepOpen: boolean): Promise<void> {
    this.micWanted = keepOpen;
    await this.sender?.replaceTrack(null).catch(() => undefined);
    if (!keepOpen) this.closeMic();
  }

  /** Our half of mute and hold; the server's half drops what might still come. */
  setAudible(on: boolean): void {
    this.audible = on;
    for (const t of this.stream?.getAudioTracks() ?? []) t.enabled = on;
  }

  /** Changes the microphone during a talk: new track, same connection. */
  async changeMic(): Promise<MicProblem | undefined> {
    if (!this.stream) return undefined;
    const old = this.stream;
    this.stream = undefined;
    const problem = await this.openMic();
    for (const t of old.getTracks()) t.stop();
    return problem;
  }

  async applyOutput(): Promise<void> {
    this.deps.onSpeaker(await setOutput(this.deps.audio, this.deps.settings().out));
  }

  get micStream(): MediaStream | undefined {
    return this.stream;
  }

  /** What the browser says about the connection now; for the quality window and for tests. */
  async report(): Promise<RTCStatsReport | undefined> {
    return this.pc?.getStats();
  }

  private takeStream(stream: MediaStream): void {
    this.stream = stream;
    const track = stream.getAudioTracks()[0];
    if (!track) return;
    track.enabled = this.audible;
    track.onended = () => {
      if (this.stream === stream) void this.lostMic();
    };
    track.onmute = () => this.deps.onMic('on', 'silent');
    track.onunmute = () => this.deps.onMic('on');
  }

  /** Unplugged in the middle of a talk: go on with whatever microphone there is. */
  private async lostMic(): Promise<void> {
    this.stream = undefined;
    if (!this.micWanted) return;
    const problem = await this.openMic();
    if (problem) {
      this.deps.onMic('off', problem === 'no_device' ? 'unplugged' : problem);
      this.deps.notify('media.device', { problem: 'unplugged' });
    }
  }

  private closeMic(): void {
    this.micWanted = false;
    this.micEpoch += 1;
    for (const t of this.stream?.getTracks() ?? []) {
      t.onended = null;
      t.stop();
    }
    this.stream = undefined;
    this.deps.onMic('off');
  }

  private async sendTrack(): Promise<void> {
    const track = this.stream?.getAudioTracks()[0] ?? null;
    if (track) track.enabled = this.audible;
    await this.sender?.replaceTrack(track).catch(() => undefined);
  }

  private listen(pc: RTCPeerConnection, mine: number): void {
    pc.onicecandidate = (ev) => {
      if (mine !== this.generation) return;
      const cand = ev.candidate?.candidate ?? null;
      if (this.candidates) this.candidates.push(cand);
      else this.deps.notify('media.cand', { epoch: this.epoch, cand });
    };
    pc.ontrack = (ev) => {
      this.remote = ev.streams[0] ?? new MediaStream([ev.track]);
      this.deps.audio.srcObject = this.remote;
      void this.applyOutput();
      void this.deps.audio.play().catch(() => undefined);
    };
    pc.onconnectionstatechange = () => {
      if (mine === this.generation) this.changed(pc);
    };
  }

  private changed(pc: RTCPeerConnection): void {
    switch (pc.connectionState) {
      case 'connected':
        clearTimeout(this.restartTimer);
        this.deps.onStatus('connected');
        void this.deps.audio.play().catch(() => undefined);
        return;
      case 'disconnected':
        this.deps.onStatus('weak');
        clearTimeout(this.restartTimer);
        this.restartTimer = setTimeout(() => void this.restartIce('ice_restart'), RESTART_AFTER_MS);
        return;
      case 'failed':
        this.deps.onStatus('weak');
        void this.restartIce('ice_restart');
        return;
    }
  }

  private async again(): Promise<void> {
    await this.attach(this.ice, !this.micWanted).catch(() => {
      const mine = this.generation;
      this.restartTimer = setTimeout(() => {
        if (mine === this.generation) void this.again();
      }, REATTACH_AFTER_MS);
    });
  }

  private flushCandidates(): void {
    const list = this.candidates ?? [];
    this.candidates = undefined;
    for (const cand of list) this.deps.notify('media.cand', { epoch: this.epoch, cand });
  }

  private startStats(): void {
    clearInterval(this.statsTimer);
    this.lastStats = undefined;
    this.steady.reset();
    this.statsTimer = setInterval(() => void this.measure(), STATS_MS);
  }

  private async measure(): Promise<void> {
    const pc = this.pc;
    if (pc?.connectionState !== 'connected') return;
    const stats = readStats(
      (await pc.getStats()).values() as Iterable<Record<string, unknown> & { type: string }>,
    );
    const before = this.lastStats;
    this.lastStats = stats;
    if (!before || !this.micWanted) {
      this.silentIn = 0;
      return;
    }
    const loss = lossBetween(before, stats);
    const sample = { rtt: stats.rttMs ?? 0, jitter: stats.jitterMs, loss };
    const score = mos(sample);
    this.silentIn = stats.received === before.received ? this.silentIn + 1 : 0;
    this.silentMic = this.audible && stats.levelOut === 0 ? this.silentMic + 1 : 0;
    if (this.silentMic === 10) this.deps.onMic('on', 'silent');
    else if (this.silentMic === 0) this.deps.onMic('on');
    const q: Quality = {
      score,
      level: this.steady.add(score),
      ...sample,
      path: stats.path,
      silent: this.silentIn >= 2,
    };
    this.deps.onQuality(q);
    this.ticks += 1;
    if (this.ticks % STATS_SEND_EVERY === 0) this.send(q, stats);
  }

  private send(q: Quality, s: RawStats): void {
    this.deps.notify('media.stats', {
      epoch: this.epoch,
      mos: Math.round(q.score * 100) / 100,
      rtt: Math.round(q.rtt),
      jit: Math.round(q.jitter * 10) / 10,
      loss: Math.round(q.loss * 10) / 10,
      lvl_in: s.levelIn,
      lvl_out: s.levelOut,
      path: q.path ?? '',
    });
  }

  private shut(pc: RTCPeerConnection): void {
    this.clearTimers();
    pc.onicecandidate = pc.ontrack = pc.onconnectionstatechange = null;
    pc.close();
    if (this.pc === pc) this.pc = undefined;
    this.deps.onQuality(null);
  }

  private clearTimers(): void {
    clearTimeout(this.restartTimer);
    clearInterval(this.statsTimer);
    this.statsTimer = undefined;
  }
}

/** A-law first: the browser sends the first codec of the answer, and the trunk speaks A-law. */
function preferCodecs(tr: RTCRtpTransceiver): void {
  const all = RTCRtpReceiver.getCapabilities?.('audio')?.codecs ?? [];
  const rank = (mime: string) =>
    ['audio/pcma', 'audio/pcmu', 'audio/telephone-event'].indexOf(mime.toLowerCase());
  const ours = all
    .filter((c) => rank(c.mimeType) >= 0 && c.clockRate === 8000)
    .sort((a, b) => rank(a.mimeType) - rank(b.mimeType));
  if (ours.length > 0) tr.setCodecPreferences?.(ours);
}
