// The telephone of one tab, without any page: socket, sound, ownership, ring and commands, and one store that says
// what is going on. Pages read the store and call the methods; nothing else.

import type { Lang } from '~/api/types';
import { Bell } from './bell';
import { TabChannel } from './channel';
import { type AudioSettings, loadAudio, saveAudio } from './devices';
import { sweepDrafts } from './drafts';
import { Heartbeat } from './heartbeat';
import { Media } from './media';
import { Ownership } from './ownership';
import { type DialTarget, type MonitorMode, type Offer, PhoneError, type Topic } from './protocol';
import { Ringer } from './ring';
import { PhoneSocket } from './socket';
import {
  type Action,
  initialState,
  type MicProblem,
  mayBeHeard,
  onShift,
  type PhoneState,
  reduce,
  wantsMic,
} from './state';

export interface CoreOptions {
  lang: () => Lang;
  version: string;
  /** A socket that the server closed for good (4401): sign in again. */
  onSignedOut: () => void;
  notify: (title: string, body: string, tag: string) => (() => void) | undefined;
}

/** Slower than this we answer first and open the microphone meanwhile. */
const MIC_BEFORE_ANSWER_MS = 1500;
/** The tone in the agent's ear before an automatic answer. */
const ZIP_MS = 300;
/** The tab of this browser that carried the sound last: its claim may be taken over without asking. */
const OWNER_KEY = 'hotline.ownerTab';

export class PhoneCore {
  readonly tab = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  private state: PhoneState = initialState;
  private readonly listeners = new Set<() => void>();
  private readonly socket: PhoneSocket;
  private readonly media: Media;
  private readonly owner: Ownership;
  private readonly channel: TabChannel;
  private readonly heart: Heartbeat;
  readonly ringer: Ringer;
  private readonly bell: Bell;
  private audio: AudioSettings = loadAudio();
  private topics = new Map<Topic, number>();
  /** Offers whose ticket was chosen before the answer: sent when the talk begins. */
  private chosen = new Map<string, LinkChoice>();
  private attaching: Promise<void> | undefined;
  private readonly off: (() => void)[] = [];

  constructor(opt: CoreOptions) {
    const element = document.createElement('audio');
    element.autoplay = true;
    element.hidden = true;
    element.dataset.hotline = 'remote';
    document.body.append(element);
    this.socket = new PhoneSocket({
      url: socketURL,
      hello: () => ({
        tab_id: this.tab,
        client: { ver: opt.version, ua: navigator.userAgent, lang: opt.lang() },
        owner: this.owner.held,
        activated: navigator.userActivation?.hasBeenActive ?? true,
      }),
      onLink: (d) => {
        this.dispatch({ t: 'local.link', d });
        if (d.state === 'closed' && d.code === 4401) opt.onSignedOut();
      },
      onEvent: (t, d) => this.event(t, d),
    });
    this.ringer = new Ringer(this.audio);
    this.bell = new Bell({
      ringer: this.ringer,
      state: this.getState,
      askOthers: (call) => this.channel.ring(call),
      onRing: (call, heard) => {
        this.local({ ringBlocked: !heard });
        this.socket.notify('call.ring_state', { call, ring: heard ? 'audible' : 'silent' });
      },
      notify: opt.notify,
      notices: () => this.audio.notifications,
    });
    this.media = new Media({
      request: (t, d) => this.socket.request(t, d),
      notify: (t, d) => void this.socket.notify(t, d),
      audio: element,
      onStatus: (status) => this.local({ status }),
      onMic: (mic, problem) => this.mic(mic, problem),
      onQuality: (d) => this.dispatch({ t: 'local.quality', d }),
      onSpeaker: (speakerError) => this.local({ speakerError }),
      settings: () => this.audio,
    });
    this.owner = new Ownership((held) => this.lockChanged(held));
    this.channel = new TabChannel(this.tab, {
      owns: () => this.state.media.owner,
      onCommand: (t, d) => void this.ownerCommand(t, d),
      onRing: (call) => this.bell.ringForOthers(call),
    });
    this.heart = new Heartbeat(() => this.socket.ping());
  }

  // ---- store

  subscribe = (fn: () => void): (() => void) => {
    this.listeners.add(fn);
    return () => this.listeners.delete(fn);
  };

  getState = (): PhoneState => this.state;

  /** The server's clock, ms. */
  now(): number {
    return Date.now() + this.state.offset;
  }

  get remoteStream(): MediaStream | undefined {
    return this.media.remote;
  }

  get micStream(): MediaStream | undefined {
    return this.media.micStream;
  }

  mediaReport(): Promise<RTCStatsReport | undefined> {
    return this.media.report();
  }

  // ---- life

  start(): void {
    sweepDrafts(Date.now());
    this.owner.queue();
    this.socket.open();
    this.startHeartbeat();
    const kick = () => this.socket.kick();
    const online = () => {
      kick();
      if (this.media.attached) void this.media.restartIce('ice_restart');
    };
    const visible = () => {
      if (document.visibilityState === 'visible') kick();
    };
    const gesture = () => void this.unlock();
    const devices = () => void this.devicesChanged();
    const leave = (ev: BeforeUnloadEvent) => {
      if (this.state.media.owner && this.state.calls.length > 0) ev.preventDefault();
    };
    this.on(window, 'online', online);
    this.on(document, 'visibilitychange', visible);
    this.on(document, 'pointerdown', gesture);
    this.on(document, 'keydown', gesture);
    this.on(window, 'beforeunload', leave as EventListener);
    if (navigator.mediaDevices) this.on(navigator.mediaDevices, 'devicechange', devices);
    const net = (navigator as { connection?: EventTarget }).connection;
    if (net?.addEventListener) this.on(net, 'change', online);
  }

  stop(): void {
    for (const off of this.off.splice(0)) off();
    this.heart.stop();
    this.bell.close();
    this.ringer.close();
    this.media.detach(false);
    this.socket.close();
    this.owner.stop();
    this.channel.close();
    this.state = initialState;
  }

  startHeartbeat(): void {
    this.heart.start();
  }

  stopHeartbeat(): void {
    this.heart.stop();
  }

  /** The language changed: the server speaks ours from the next greeting on. */
  reconnect(): void {
    this.socket.close();
    this.socket.open();
  }

  // ---- shift and states

  /** Start of shift. Call it from a click: sound may be made only after one. Resolves to the microphone's problem. */
  async startShift(
    want: 'available' | 'paused' = 'available',
    reason?: string,
  ): Promise<MicProblem | undefined> {
    await this.unlock();
    const problem = await this.media.openMic();
    if (problem) return problem;
    if (!this.audio.keepOpen) await this.media.releaseMic(false);
    await this.claim(true);
    // The server may want the shift before the sound, or the sound before the shift: whichever it refused comes again.
    const first = await this.attach().then(
      () => true,
      () => false,
    );
    await this.setSoon(want, reason);
    if (!first) await this.attach();
    return undefined;
  }

  /** The server learns of this page's presence a moment after the claim; until then it says "not connected". */
  private async setSoon(state: 'available' | 'paused', reason?: string): Promise<void> {
    for (let left = 4; ; left--) {
      try {
        await this.socket.request('agent.set', { state, reason, when: 'now' });
        return;
      } catch (err) {
        const early = err instanceof PhoneError && ['not_connected', 'wrong_state'].includes(err.code);
        if (!early || left === 0) throw err;
        await new Promise((r) => setTimeout(r, 300));
      }
    }
  }

  setAgent(state: 'available' | 'paused' | 'offline', reason?: string): Promise<unknown> {
    const busy = this.state.calls.length > 0 || this.state.agent?.state === 'acw';
    const when = busy ? 'after_call' : 'now';
    return this.socket.request('agent.set', { state, reason, when });
  }

  clearNext(): Promise<unknown> {
    return this.socket.request('agent.set', { state: null, when: 'after_call' });
  }

  async endShift(): Promise<void> {
    await this.setAgent('offline');
    if (this.state.calls.length === 0) this.media.detach(true);
  }

  /** "Take over here": from another tab, another browser or another computer. */
  async takeOver(): Promise<void> {
    await this.unlock();
    if (!this.owner.held) this.owner.steal();
    await this.claim(true);
    await this.attach();
    this.syncSound();
  }

  // ---- calls

  async answer(call: string): Promise<MicProblem | undefined> {
    this.ringer.stop();
    if (!this.state.media.owner && (await this.channel.command('call.answer', { call }))) return undefined;
    return this.answerHere(call);
  }

  reject(call: string, reason = 'agent'): Promise<unknown> {
    this.ringer.stop();
    return this.command('call.reject', { call, reason });
  }

  hangup(call: string): Promise<unknown> {
    return this.command('call.hangup', { call });
  }

  async mute(call: string, on: boolean): Promise<unknown> {
    // Silence at once on our side; the way back waits for the server.
    if (on) this.media.setAudible(false);
    return this.command('call.mute', { call, on });
  }

  hold(call: string, on: boolean): Promise<unknown> {
    return this.command('call.hold', { call, on });
  }

  keys(call: string, keys: string): Promise<unknown> {
    return this.command('call.dtmf', { call, keys });
  }

  record(call: string, op: 'pause' | 'resume'): Promise<unknown> {
    return this.command('call.record', { call, op });
  }

  /**
   * Calls somebody. The microphone is opened first: a customer must not be called by somebody who cannot be heard. The
   * promise ends when the server has begun; what comes of it is told by call.state and call.end.
   */
  async dial(target: DialTarget): Promise<void> {
    await this.unlock();
    if (this.state.media.owner) {
      const problem = await this.media.openMic();
      if (problem) throw new PhoneError({ code: `mic_${problem}` });
      if (!this.media.attached) await this.attach();
    }
    try {
      await this.command('call.dial', target);
    } finally {
      this.syncSound(); // refused: the microphone is not needed
    }
  }

  /** Links the call to a ticket, a new one, or none. Before the answer the choice waits for it. */
  link(call: string, choice: LinkChoice): Promise<unknown> {
    if (this.state.offers.some((o) => o.call === call)) {
      this.chosen.set(call, choice);
      this.emit();
      return Promise.resolve();
    }
    return this.command('call.link', { call, ...linkData(choice) });
  }

  chosenFor(call: string): LinkChoice | undefined {
    return this.chosen.get(call);
  }

  // ---- wrap-up

  saveWrapup(
    call: string,
    d: { note?: string; topic?: string; result?: string; done: boolean },
  ): Promise<unknown> {
    return this.command('wrapup.save', { call, ...d });
  }

  async extendWrapup(call: string): Promise<void> {
    const seconds = this.state.policy.wrapup_extend_s ?? 60;
    const reply = await this.socket.request<{ until?: number }>('wrapup.extend', { call, seconds });
    if (reply.until && this.state.wrapup?.call === call) {
      this.dispatch({ t: 'wrapup.start', d: { ...this.state.wrapup, until: reply.until } });
    }
  }

  // ---- supervision

  async monitor(target: { call: string } | { agent: string }): Promise<void> {
    await this.unlock();
    if (!this.state.media.owner) await this.claim(true);
    if (!this.media.connected) await this.attach();
    const reply = await this.socket.request<{ leg: string }>('monitor.start', target);
    this.dispatch({ t: 'local.monitor', d: { leg: reply.leg, mode: 'listen', ...target } });
  }

  async monitorMode(mode: MonitorMode): Promise<void> {
    const m = this.state.monitor;
    if (!m) return;
    if (mode !== 'listen') {
      const problem = await this.media.openMic();
      if (problem) throw new PhoneError({ code: `mic_${problem}` });
    }
    await this.socket.request('monitor.mode', { leg: m.leg, mode });
    this.dispatch({ t: 'local.monitor', d: { ...m, mode } });
    this.syncSound();
  }

  async stopMonitor(): Promise<void> {
    const m = this.state.monitor;
    if (!m) return;
    this.dispatch({ t: 'local.monitor', d: null });
    this.syncSound();
    await this.socket.request('monitor.stop', { leg: m.leg });
  }

  supAgent(agent: string, op: 'pause' | 'resume' | 'offline' | 'acw_end', reason: string): Promise<unknown> {
    return this.socket.request('sup.agent', { agent, op, reason });
  }

  supCall(call: string, op: 'move' | 'priority' | 'pull' | 'hangup', extra: Record<string, unknown> = {}) {
    return this.socket.request('sup.call', { call, op, ...extra });
  }

  /** Asks for live figures while somebody looks at them. */
  watch(topics: Topic[]): () => void {
    for (const t of topics) this.topics.set(t, (this.topics.get(t) ?? 0) + 1);
    this.sendTopics();
    return () => {
      for (const t of topics) {
        const n = (this.topics.get(t) ?? 1) - 1;
        if (n > 0) this.topics.set(t, n);
        else this.topics.delete(t);
      }
      this.sendTopics();
    };
  }

  dismiss(d: { alert?: string; gone?: boolean; lastEnd?: boolean }): void {
    this.dispatch({ t: 'local.dismiss', d });
  }

  // ---- devices

  get settings(): AudioSettings {
    return this.audio;
  }

  async changeSettings(next: AudioSettings): Promise<void> {
    const micChanged =
      next.mic?.id !== this.audio.mic?.id ||
      next.echoCancellation !== this.audio.echoCancellation ||
      next.noiseSuppression !== this.audio.noiseSuppression ||
      next.autoGainControl !== this.audio.autoGainControl;
    saveAudio(next);
    this.audio = loadAudio();
    await this.ringer.apply(this.audio);
    await this.media.applyOutput();
    if (micChanged) await this.media.changeMic();
    this.socket.notify('media.device', {
      mic: next.mic?.label ?? '',
      out: next.out?.label ?? '',
      ring: next.ring?.label ?? '',
    });
    this.emit();
  }

  async unlock(): Promise<void> {
    if (await this.ringer.unlock()) {
      if (this.state.media.ringBlocked) {
        this.local({ ringBlocked: false });
        this.bell.again();
      }
    }
  }

  // ---- inside

  private on(target: EventTarget, type: string, fn: EventListener): void {
    target.addEventListener(type, fn);
    this.off.push(() => target.removeEventListener(type, fn));
  }

  private dispatch(a: Action): void {
    this.state = reduce(this.state, a, Date.now());
    this.emit();
  }

  private local(d: Partial<PhoneState['media']>): void {
    this.dispatch({ t: 'local.media', d });
  }

  private mic(mic: PhoneState['media']['mic'], problem?: MicProblem): void {
    if (this.state.media.mic !== mic || this.state.media.problem !== problem) this.local({ mic, problem });
  }

  private emit(): void {
    for (const fn of this.listeners) fn();
  }

  private event(t: string, d: unknown): void {
    this.dispatch({ t, d } as Action);
    switch (t) {
      case 'welcome':
        void this.welcomed();
        break;
      case 'call.offer':
        this.offered(d as Offer);
        break;
      case 'call.state':
        this.sendChoice((d as { call: string; state: string }).call);
        break;
      case 'media.restart':
        void this.attach().catch(() => undefined);
        return;
      case 'media.owner':
        // Nobody has the sound, and this browser's lock is ours: take it.
        if (!(d as { owner_tab?: string }).owner_tab && this.owner.held) void this.welcomed();
        break;
      case 'media.superseded':
        this.media.detach(false);
        this.local({ status: 'superseded', owner: false });
        break;
    }
    this.followOffers();
    this.syncSound();
  }

  /** After each (re)connect: tell what we watch, claim the sound if this browser's lock is ours, attach if needed. */
  private async welcomed(): Promise<void> {
    this.sendTopics();
    if (!this.owner.held) return;
    const m = this.state.media;
    try {
      if (!m.owner) {
        const ours =
          m.owner_tab === undefined || m.owner_tab === '' || m.owner_tab === localStorage.getItem(OWNER_KEY);
        if (!ours) {
          this.local({ elsewhere: true });
          return;
        }
        await this.claim(true);
      }
      // Sound that still flows is left alone: a new connection would cost a gap.
      const stale = !this.media.attached || this.state.media.epoch !== this.media.epoch;
      if (onShift(this.state) && stale) await this.attach();
      this.syncSound();
    } catch {
      // The server refused; the page offers "take over here".
    }
  }

  private async claim(steal: boolean): Promise<void> {
    await this.socket.request('tab.claim', { steal });
    localStorage.setItem(OWNER_KEY, this.tab);
    this.local({ owner: true, elsewhere: false });
  }

  /** One attach at a time; whoever asks meanwhile gets the one under way. */
  private attach(): Promise<void> {
    this.attaching ??= this.media
      .attach(this.state.ice, !wantsMic(this.state))
      .then(() => this.local({ epoch: this.media.epoch, needed: false }))
      .finally(() => {
        this.attaching = undefined;
      });
    return this.attaching;
  }

  private lockChanged(held: boolean): void {
    this.local({ lock: held });
    if (held) {
      if (this.socket.current.state === 'open') void this.welcomed();
      return;
    }
    // Another tab of this browser took over. The server tells us too; be silent at once.
    this.media.detach(false);
    this.local({ owner: false, status: 'superseded' });
    this.followOffers();
  }

  /** Brings the microphone to what the calls want. Mute and hold go first, then the track. */
  private syncSound(): void {
    if (!this.state.media.owner) return;
    const wants = wantsMic(this.state);
    this.media.setAudible(mayBeHeard(this.state));
    if (wants && this.state.media.mic === 'off' && !this.state.media.problem) void this.openMicFor();
    if (!wants && this.state.media.mic === 'on' && this.media.attached)
      void this.media.releaseMic(this.audio.keepOpen);
  }

  private async openMicFor(): Promise<void> {
    const problem = await this.media.openMic();
    if (problem) this.socket.notify('media.device', { problem });
  }

  private async answerHere(call: string): Promise<MicProblem | undefined> {
    const opening = this.media.openMic();
    const first = await Promise.race([
      opening,
      new Promise<'slow'>((r) => setTimeout(() => r('slow'), MIC_BEFORE_ANSWER_MS)),
    ]);
    if (first && first !== 'slow') {
      // Nobody would hear us: give the caller to the next agent, and say exactly why.
      this.socket.notify('media.device', { problem: first });
      await this.socket
        .request('call.reject', { call, reason: `no_microphone:${first}` })
        .catch(() => undefined);
      return first;
    }
    if (!this.media.attached) await this.attach();
    await this.socket.request('call.answer', { call });
    return undefined;
  }

  /** Commands go through the tab with the sound, so that sound and state change together. */
  private async command(t: string, d: unknown): Promise<unknown> {
    return this.socket.request(t, d);
  }

  private async ownerCommand(t: string, d: unknown): Promise<void> {
    if (t === 'call.answer') await this.answerHere((d as { call: string }).call).catch(() => undefined);
  }

  private sendChoice(call: string): void {
    const choice = this.chosen.get(call);
    const now = this.state.calls.find((c) => c.call === call);
    if (!choice || now?.state !== 'talking') return;
    this.chosen.delete(call);
    void this.command('call.link', { call, ...linkData(choice) }).catch(() => undefined);
  }

  private sendTopics(): void {
    this.socket.notify('sub', { topics: [...this.topics.keys()], rate: 1 });
  }

  /** After every change: ring, notices and choices follow the offers. */
  private followOffers(): void {
    const { offers, calls } = this.state;
    for (const call of this.chosen.keys()) {
      if (![...offers, ...calls].some((c) => c.call === call)) this.chosen.delete(call);
    }
    this.bell.update();
  }

  /** An automatic answer warns the agent's ear first; any other offer may need a notice outside the page. */
  private offered(offer: Offer): void {
    if (!offer.auto) {
      this.bell.notice(offer);
      return;
    }
    if (!this.state.media.owner) return;
    this.bell.zip(offer.call);
    setTimeout(() => void this.answerHere(offer.call).catch(() => undefined), ZIP_MS);
  }

  private async devicesChanged(): Promise<void> {
    await this.media.applyOutput();
    await this.ringer.apply(this.audio);
    this.emit();
  }
}

/** The choice as the protocol spells it. */
function linkData(c: LinkChoice): object {
  return 'none' in c ? c.none : c;
}

/** A ticket, a new one, or none with its reason. */
export type LinkChoice = { ticket: string } | { new: { title?: string } } | { none: { reason: string } };

function socketURL(): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${location.host}/api/v1/phone`;
}
