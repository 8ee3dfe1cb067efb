// What the page knows about the telephone: a pure function from what was known and what came to what is known now.
// The server is right about calls, states, mute and hold; this file only repeats it.

import type { AgentStat, CallStat, Localized, QueueStat } from '~/api/types';
import type {
  AgentState,
  Alert,
  Call,
  CallEnd,
  Events,
  MediaInfo,
  NextState,
  Offer,
  Policy,
  Snapshot,
} from './protocol';
import type { Level } from './quality';
import type { LinkState } from './socket';

/** What happened to the sound path of this tab. */
export type MediaStatus = 'none' | 'attaching' | 'connected' | 'weak' | 'failed' | 'superseded';

/** Why the microphone cannot be used. */
export type MicProblem =
  'denied' | 'no_device' | 'busy' | 'insecure' | 'frame' | 'silent' | 'unplugged' | 'other';

export interface Wrapup {
  call: string;
  /** UTC ms of the server; null: it does not end by itself. */
  until: number | null;
  ticket?: { number: string; title: string } | null;
}

export interface Quality {
  score: number;
  level: Level;
  rtt: number;
  jitter: number;
  loss: number;
  path?: 'udp' | 'tcp' | 'relay';
  /** No packet came for two seconds. */
  silent?: boolean;
}

export interface GoneNote {
  call: string;
  from: string;
  why: string;
  by?: string;
  at: number;
}

export interface Stamped<T> {
  data: T;
  /** Our clock, ms: how old the figures are. */
  at: number;
}

export interface PhoneState {
  link: LinkState;
  /** Server's clock minus ours, ms. */
  offset: number;
  /** A snapshot has come: before it nothing on screen is to be believed. */
  ready: boolean;
  agent: AgentState | null;
  calls: Call[];
  offers: Offer[];
  wrapup: Wrapup | null;
  /** The last talk that ended, for "call back". */
  lastEnd: (CallEnd & { from?: string; from_name?: string; ticket?: Call['ticket'] }) | null;
  gone: GoneNote | null;
  policy: Policy;
  ice: RTCIceServer[];
  graceS: number;
  alerts: Alert[];
  media: MediaInfo & {
    status: MediaStatus;
    /** This browser's lock says that this tab carries the sound. */
    lock: boolean;
    /** Another computer (or browser) holds the shift. */
    elsewhere: boolean;
    mic: 'off' | 'on' | 'opening';
    problem?: MicProblem;
    ringBlocked: boolean;
    speakerError?: string;
  };
  quality: Quality | null;
  monitor: { leg: string; mode: 'listen' | 'whisper' | 'barge'; call?: string; agent?: string } | null;
  stats: {
    queues: Stamped<QueueStat[]> | null;
    agents: Stamped<AgentStat[]> | null;
    calls: Stamped<CallStat[]> | null;
  };
}

export const initialState: PhoneState = {
  link: { state: 'off' },
  offset: 0,
  ready: false,
  agent: null,
  calls: [],
  offers: [],
  wrapup: null,
  lastEnd: null,
  gone: null,
  policy: {},
  ice: [],
  graceS: 30,
  alerts: [],
  media: {
    epoch: 0,
    needed: false,
    owner: false,
    status: 'none',
    lock: false,
    elsewhere: false,
    mic: 'off',
    ringBlocked: false,
  },
  quality: null,
  monitor: null,
  stats: { queues: null, agents: null, calls: null },
};

export type Action =
  | { [K in keyof Events]: { t: K; d: Events[K] } }[keyof Events]
  | { t: 'local.link'; d: LinkState }
  | { t: 'local.media'; d: Partial<PhoneState['media']> }
  | { t: 'local.quality'; d: Quality | null }
  | { t: 'local.monitor'; d: PhoneState['monitor'] }
  | { t: 'local.dismiss'; d: { alert?: string; gone?: boolean; lastEnd?: boolean } };

/** reduce gives the state after one message. `now` is our clock in ms. Unknown messages change nothing. */
export function reduce(s: PhoneState, a: Action, now: number): PhoneState {
  switch (a.t) {
    case 'welcome':
    case 'snapshot':
      return snapshot(s, a.d, now);
    case 'agent.state':
      return agentState(s, a.d);
    case 'call.offer':
      return { ...s, offers: put(s.offers, a.d), gone: null };
    case 'call.gone':
      return callGone(s, a.d, now);
    case 'call.state':
      return callState(s, a.d);
    case 'call.end':
      return callEnd(s, a.d);
    case 'wrapup.start':
      return { ...s, wrapup: { ...a.d, ticket: a.d.ticket ?? ticketOf(s, a.d.call) } };
    case 'wrapup.end':
      return s.wrapup && s.wrapup.call === a.d.call ? { ...s, wrapup: null } : s;
    case 'media.superseded':
      return { ...s, media: { ...s.media, owner: false, status: 'superseded', mic: 'off' } };
    case 'media.owner':
      return { ...s, media: { ...s.media, owner: a.d.owner, owner_tab: a.d.owner_tab } };
    case 'monitor.off':
      return s.monitor?.leg === a.d.leg ? { ...s, monitor: null } : s;
    case 'stat.queues':
      return { ...s, stats: { ...s.stats, queues: { data: a.d, at: now } } };
    case 'stat.agents':
      return { ...s, stats: { ...s.stats, agents: { data: a.d, at: now } } };
    case 'stat.calls':
      return { ...s, stats: { ...s.stats, calls: { data: a.d, at: now } } };
    case 'alert':
      return { ...s, alerts: [a.d, ...s.alerts.filter((x) => x.id !== a.d.id)].slice(0, 5) };
    case 'local.link':
      return { ...s, link: a.d };
    case 'local.media':
      return { ...s, media: { ...s.media, ...a.d } };
    case 'local.quality':
      return { ...s, quality: a.d };
    case 'local.monitor':
      return { ...s, monitor: a.d };
    case 'local.dismiss':
      return {
        ...s,
        alerts: a.d.alert ? s.alerts.filter((x) => x.id !== a.d.alert) : s.alerts,
        gone: a.d.gone ? null : s.gone,
        lastEnd: a.d.lastEnd ? null : s.lastEnd,
      };
    default:
      return s;
  }
}

/** A whole picture replaces what we had; without calls in it (a replay follows) only the clock is set. */
function snapshot(s: PhoneState, d: Snapshot, now: number): PhoneState {
  const offset = d.now === undefined ? s.offset : d.now - now;
  if (d.calls === undefined && d.agent === undefined) return { ...s, offset };
  const calls = (d.calls ?? []).filter((c) => c.state !== 'ended');
  const offered = calls.filter((c) => c.state === 'offered');
  // A page that was reloaded while it rang gets its offer back from the call alone.
  const offers = offered.map((c) => s.offers.find((o) => o.call === c.call) ?? offerOf(c, now + offset));
  return {
    ...s,
    offset,
    ready: true,
    agent: d.agent ?? s.agent,
    calls: calls.filter((c) => c.state !== 'offered'),
    offers,
    wrapup: wrapupOf(s, d),
    policy: d.policy ?? s.policy,
    ice: d.ice ?? s.ice,
    graceS: d.grace?.reattach_s ?? s.graceS,
    media: { ...s.media, ...d.media },
  };
}

/** A page that comes back into a wrap-up goes on with it. */
function wrapupOf(s: PhoneState, d: Snapshot): Wrapup | null {
  if (d.agent?.state !== 'acw') return null;
  const call = d.agent.call || s.wrapup?.call;
  if (!call) return null;
  return { call, until: d.agent.until ?? null, ticket: s.wrapup?.call === call ? s.wrapup.ticket : null };
}

function ticketOf(s: PhoneState, call: string): Wrapup['ticket'] {
  const live = s.calls.find((c) => c.call === call);
  return live?.ticket ?? (s.lastEnd?.call === call ? s.lastEnd.ticket : null) ?? null;
}

function offerOf(c: Call, serverNow: number): Offer {
  return {
    call: c.call,
    from: c.from,
    from_name: c.from_name,
    trust: c.trust,
    queue: c.queue,
    queue_name: c.queue_name,
    waited_s: Math.max(0, Math.round((serverNow - c.since) / 1000)),
    lang: c.lang,
    card: c.card,
  };
}

function agentState(s: PhoneState, d: Events['agent.state']): PhoneState {
  const before = s.agent ?? { login: '', name: '', state: 'offline' as const, since: 0 };
  // Reason, next and "by" belong to the state that came with them; an absent one is gone.
  const agent: AgentState = { ...before, reason: undefined, next: null, by: undefined, ...d };
  return { ...s, agent, wrapup: d.state === 'acw' ? s.wrapup : d.state === 'available' ? null : s.wrapup };
}

function callGone(s: PhoneState, d: Events['call.gone'], now: number): PhoneState {
  const offer = s.offers.find((o) => o.call === d.call);
  if (!offer) return s;
  const gone: GoneNote = {
    call: d.call,
    from: offer.from_name || offer.from,
    why: d.why ?? '',
    by: d.by,
    at: now,
  };
  return { ...s, offers: s.offers.filter((o) => o.call !== d.call), gone };
}

function callState(s: PhoneState, c: Call): PhoneState {
  if (c.state === 'ended') return callEnd(s, { call: c.call });
  if (c.state === 'offered') return s;
  const offer = s.offers.find((o) => o.call === c.call);
  const before = s.calls.find((x) => x.call === c.call);
  // The card came with the offer only; keep it through the talk.
  const card = c.card ?? before?.card ?? offer?.card ?? null;
  return {
    ...s,
    calls: put(s.calls, { ...c, card }),
    offers: s.offers.filter((o) => o.call !== c.call),
    lastEnd: null,
  };
}

function callEnd(s: PhoneState, d: CallEnd): PhoneState {
  const c = s.calls.find((x) => x.call === d.call);
  if (!c) return { ...s, offers: s.offers.filter((o) => o.call !== d.call) };
  return {
    ...s,
    calls: s.calls.filter((x) => x.call !== d.call),
    offers: s.offers.filter((o) => o.call !== d.call),
    lastEnd: { ...d, from: c.from, from_name: c.from_name, ticket: c.ticket },
    quality: null,
  };
}

function put<T extends { call: string }>(list: T[], item: T): T[] {
  return list.some((x) => x.call === item.call)
    ? list.map((x) => (x.call === item.call ? item : x))
    : [...list, item];
}

// ---- questions asked of the state

/** The call in which the agent talks now; held and lost ones come after it. */
export function activeCall(s: PhoneState): Call | null {
  return s.calls.find((c) => c.state === 'talking' || c.state === 'connecting') ?? s.calls[0] ?? null;
}

/** Whether the microphone has to be open: a talk is on or about to be. */
export function wantsMic(s: PhoneState): boolean {
  if (s.monitor && s.monitor.mode !== 'listen') return true;
  return s.calls.some((c) => c.state !== 'ended' && c.state !== 'offered');
}

/** Whether our track may carry sound: the server's word on mute and hold, before the track is enabled. */
export function mayBeHeard(s: PhoneState): boolean {
  if (s.monitor && s.monitor.mode !== 'listen') return true;
  return s.calls.some(
    (c) =>
      (c.state === 'talking' || c.state === 'connecting' || c.state === 'dialing') && !c.muted && !c.held,
  );
}

/** Whether a number can be dialled from here now: the server calls out only for agents who wait or pause. */
export function canDial(s: PhoneState): boolean {
  const free = s.agent?.state === 'available' || s.agent?.state === 'paused';
  return free && s.policy.dial === true && s.calls.length === 0;
}

/** Why a call out reached nobody, in words; null for calls that were talked on or given up by the agent. */
export function dialFailure(end: CallEnd): Localized | null {
  return end.why === 'cancelled' ? null : (end.text ?? null);
}

export function onShift(s: PhoneState): boolean {
  return s.agent !== null && s.agent.state !== 'offline';
}

export function nextOf(agent: AgentState | null): NextState | null {
  if (!agent?.next) return null;
  if (typeof agent.next !== 'string') return agent.next;
  const [state, reason] = agent.next.split(':');
  return { state: state as NextState['state'], reason };
}
