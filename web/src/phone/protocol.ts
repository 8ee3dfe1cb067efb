// phone.v1: the messages between a page and the server. JSON text frames, one socket per tab.
// Times are UTC milliseconds of the server's clock; durations are computed with the offset learned in `welcome`.

import type { AgentStat, Caller, CallStat, Lang, Localized, QueueStat, Trust } from '~/api/types';

export const SUB_PROTOCOL = 'phone.v1';

/** Request, answer or event, as they come off the wire. */
export interface Frame {
  t?: string;
  id?: string;
  re?: string;
  ok?: boolean;
  seq?: number;
  d?: unknown;
  err?: PhoneErrorData;
}

export interface PhoneErrorData {
  code: string;
  state?: string;
  text?: Localized;
}

/** An answer that said no. `timeout` and `closed` are our own codes. */
export class PhoneError extends Error {
  readonly code: string;
  readonly state?: string;
  readonly text?: Localized;
  constructor(data: PhoneErrorData) {
    super(data.code);
    this.name = 'PhoneError';
    this.code = data.code;
    this.state = data.state;
    this.text = data.text;
  }
}

/** Why the server closed the socket. */
export const CloseCode = {
  malformed: 4400,
  notLoggedIn: 4401,
  forbidden: 4403,
  noHello: 4408,
  replaced: 4409,
  tooMany: 4429,
  restart: 1012,
} as const;

/** After these there is no point in trying again by ourselves. */
export const FINAL_CLOSE: ReadonlySet<number> = new Set([
  CloseCode.notLoggedIn,
  CloseCode.forbidden,
  CloseCode.replaced,
]);

export type AgentStateName =
  | 'offline'
  | 'available'
  | 'ringing'
  | 'dialing'
  | 'talking'
  | 'held'
  | 'consulting'
  | 'conference'
  | 'acw'
  | 'paused'
  | 'busy_other'
  | 'lost'
  | 'lost_call'
  | 'error';

export interface NextState {
  state: AgentStateName;
  reason?: string;
}

export interface AgentState {
  login: string;
  name: string;
  state: AgentStateName;
  since: number;
  reason?: string;
  next?: NextState | string | null;
  /** Login of the supervisor who set it; empty: the agent or the system. */
  by?: string;
  queues?: string[];
  /** The call of a wrap-up, and when it ends by itself. */
  call?: string;
  until?: number | null;
}

export type CallState = 'offered' | 'connecting' | 'talking' | 'held' | 'agent_lost' | 'ended' | 'dialing';

export interface Monitor {
  who: string;
  mode: MonitorMode;
}

export type MonitorMode = 'listen' | 'whisper' | 'barge';

export interface Call {
  call: string;
  call_key?: string;
  state: CallState;
  since: number;
  from: string;
  from_name?: string;
  trust?: Trust;
  queue?: string;
  queue_name?: string;
  direction?: 'in' | 'out';
  muted?: boolean;
  held?: boolean;
  recording?: 'on' | 'paused' | 'off';
  ticket?: { number: string; title: string } | null;
  link?: { state: string; rule?: string } | null;
  monitors?: Monitor[];
  note?: string;
  lang?: string;
  card?: Caller | null;
}

export interface MenuChoice {
  node: string;
  label?: Localized;
}

export interface Offer {
  call: string;
  from: string;
  from_name?: string;
  trust?: Trust;
  queue?: string;
  queue_name?: string;
  waited_s?: number;
  menu?: MenuChoice[];
  lang?: string;
  card?: Caller | null;
  /** When the server takes the offer back, UTC ms. */
  expires?: number;
  auto?: boolean;
}

export interface PauseReason {
  key: string;
  name: Localized;
  productive?: boolean;
}

export interface Policy {
  pause_reasons?: PauseReason[];
  /** The server can place calls. */
  dial?: boolean;
  wrapup_extend_s?: number;
}

export interface MediaInfo {
  epoch: number;
  /** A call waits for our audio. */
  needed: boolean;
  owner: boolean;
  owner_tab?: string;
}

export interface Snapshot {
  session?: string;
  now?: number;
  seq?: number;
  agent?: AgentState;
  calls?: Call[];
  media?: MediaInfo;
  policy?: Policy;
  ice?: RTCIceServer[];
  grace?: { reattach_s?: number };
}

export interface Alert {
  id: string;
  level: 'info' | 'warning' | 'critical' | string;
  text: Localized;
  link?: string;
}

/** Whom an agent calls: a number, and the matter that makes it theirs to call. Without `to` the first number of it. */
export interface DialTarget {
  to?: string;
  ticket?: string;
  contact_id?: number;
  /** Id or key of a call: its other party is called back. */
  call?: string;
  callback?: number;
  queue?: string;
}

export interface CallEnd {
  call: string;
  /** A call out that reached nobody: busy, no_answer, refused, unreachable, no_trunk, no_sound, ... */
  why?: string;
  /** Then also what happened and what to do. */
  text?: Localized;
  by?: string;
  talk_s?: number;
  hold_s?: number;
}

/** What the server sends by itself, by name. */
export interface Events {
  welcome: Snapshot;
  snapshot: Snapshot;
  'agent.state': Partial<AgentState> & { state: AgentStateName; since: number };
  'call.offer': Offer;
  'call.gone': { call: string; why?: 'taken' | 'caller_left' | 'timeout' | 'moved' | string; by?: string };
  'call.state': Call;
  'call.end': CallEnd;
  'wrapup.start': { call: string; until: number | null; ticket?: { number: string; title: string } | null };
  'wrapup.end': { call: string };
  'media.restart': { epoch?: number; why?: string };
  'media.superseded': { epoch?: number; by?: string };
  'media.owner': { owner: boolean; owner_tab?: string };
  'media.quality': Record<string, number>;
  'monitor.off': { leg: string; call?: string };
  'monitor.on': { call?: string; mode: MonitorMode; who: string };
  'stat.queues': QueueStat[];
  'stat.agents': AgentStat[];
  'stat.calls': CallStat[];
  alert: Alert;
  'server.drain': { reconnect_in?: number; why?: string };
}

export type EventName = keyof Events;

export interface Hello {
  tab_id: string;
  last_seq?: number;
  client: { ver: string; ua: string; lang: Lang };
  owner: boolean;
  activated: boolean;
}

export type Topic = 'queues' | 'agents' | 'calls';
