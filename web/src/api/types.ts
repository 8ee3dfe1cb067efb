// The shapes that the server speaks over HTTP. Times are RFC 3339 strings, durations carry their unit in the name.

import type { Caller } from './caller';

export type Lang = 'ru' | 'en';
export type Localized = Partial<Record<Lang, string>>;
export type Role = 'agent' | 'supervisor' | 'admin' | string;

export interface Page<T> {
  data: T[];
  page: { next?: string; has_more: boolean };
}

// ---- who we are

export interface TeamRef {
  id: number;
  name: string;
  line?: number;
}

export interface Me {
  id: number;
  login: string;
  name: string;
  locale: Lang;
  roles: Role[];
  permissions: string[];
  teams: TeamRef[];
  kind: 'browser' | 'desk' | string;
}

// ---- tickets

export type StatusCategory =
  | 'new'
  | 'open'
  | 'waiting_customer'
  | 'waiting_vendor'
  | 'scheduled'
  | 'solved'
  | 'closed'
  | 'merged'
  | 'spam';

export interface TicketStatus {
  key: string;
  name: Localized;
  category: StatusCategory;
}

export interface AgentRef {
  login: string;
  name: string;
}

export type PointKind =
  'phone' | 'email' | 'telegram' | 'whatsapp' | 'viber' | 'vk' | 'facebook' | 'chat' | 'external';

export interface ContactPoint {
  id: number;
  kind: PointKind;
  /** Normalised: E.164 for telephones, lower case for mail. */
  value: string;
  raw?: string;
  ext?: string;
  label?: string;
  sharing?: 'personal' | 'shared';
  level?: 'known' | 'maybe';
  verified_at?: string | null;
}

export interface OrgRef {
  id: number;
  name: string;
}

export interface ContactRef {
  id: number;
  name: string;
  points?: ContactPoint[];
}

export type TicketKind = 'question' | 'problem' | 'suggestion' | 'feedback' | 'task';

/** 1 blocking .. 5 trivial. */
export type Severity = 1 | 2 | 3 | 4 | 5;

export interface Ticket {
  number: string;
  title: string;
  kind: TicketKind;
  status: TicketStatus;
  severity: Severity;
  client_priority: 1 | 2 | 3;
  team: TeamRef;
  assignee: AgentRef | null;
  contact: ContactRef | null;
  org: OrgRef | null;
  channel: string;
  created_at: string;
  updated_at: string;
  last_customer_at?: string | null;
  next_due_at?: string | null;
  breached?: boolean;
  missed_calls?: number;
  flags?: string[];
  preview?: string;
  resolution?: string;
  version: number;
}

export interface TicketPatch {
  title?: string;
  severity?: number;
  client_priority?: number;
  kind?: TicketKind;
  contact_id?: number | null;
  org_id?: number | null;
  /** Name or id. */
  team?: string;
  /** Login; null: nobody. */
  assignee?: string | null;
}

/** A change of a ticket, by a person or a rule. */
export interface EventView {
  type: string;
  field?: string;
  old?: unknown;
  new?: unknown;
  actor_kind: 'agent' | 'contact' | 'rule' | 'sla' | 'api' | 'import' | 'system' | string;
  rule?: string;
  call?: number;
  /** In the reader's language. */
  reason_text?: string;
}

/** One entry of a ticket: what was said, called or changed. */
export interface TimelineItem {
  /** Stable: m12, e34. */
  id: string;
  type: 'message' | 'call' | 'event';
  at: string;
  /** Null: the customer, or a rule. */
  author: AgentRef | null;
  contact: ContactRef | null;
  kind?: string;
  direction?: 'in' | 'out' | 'none';
  visibility?: 'public' | 'internal';
  body?: string;
  delivery?: string;
  message_id?: number;
  call?: CallRecord;
  event?: EventView;
}

// ---- calls

export interface MenuStep {
  node: string;
  exit?: string;
  at?: string | null;
  label?: Localized;
}

export interface CallLeg {
  key?: string;
  role: 'customer' | 'agent' | 'supervisor' | string;
  agent?: AgentRef | null;
  endpoint?: string;
  started_at: string;
  answered_at?: string | null;
  ended_at?: string | null;
  cause?: string;
}

export type LinkState = 'none' | 'open' | 'proposed' | 'confirmed' | string;

/** How a call hangs on tickets, and why. */
export interface CallLink {
  /** Row of the decision table that spoke: A7, A13 ... */
  rule?: string;
  state: LinkState;
  /** In the reader's language. */
  reason_text?: string;
  /** Null when there is none, or we may not see it. */
  ticket?: { number: string; title: string } | null;
  by?: string;
  at?: string | null;
  missed?: boolean;
  result?: string;
  note?: string;
  can_undo?: boolean;
}

export interface Recording {
  id: number | string;
  kind?: string;
  duration_ms: number;
  channels?: number;
  state?: string;
}

/** The calling side as stored: a claim with its trust. */
export interface CallerRef {
  number: string;
  raw?: string;
  name?: string;
  trust?: Trust;
  withheld?: boolean;
}

export interface CallRecord {
  id: number | string;
  key: string;
  direction: 'in' | 'out' | 'internal' | string;
  state?: string;
  caller: CallerRef;
  called?: string;
  trunk?: string;
  queue?: string;
  queue_name?: string;
  lang?: string;
  team?: TeamRef | null;
  contact?: ContactRef | null;
  org?: OrgRef | null;
  /** Who answered, in order. */
  agents?: AgentRef[];
  started_at: string;
  answered_at?: string | null;
  ended_at?: string | null;
  disposition: string;
  end_reason?: string;
  hangup_by?: string;
  wait_ms?: number;
  talk_ms?: number;
  hold_ms?: number;
  menu_path?: MenuStep[] | null;
  legs?: CallLeg[] | null;
  recordings?: Recording[] | null;
  link?: CallLink | null;
}

export type Trust = 'withheld' | 'claimed' | 'asserted' | 'verified';

export interface Peaks {
  channels: number;
  per_second: number;
  data: number[][];
}

export interface Callback {
  id: number;
  number: string;
  state: 'waiting' | 'dialing' | 'done' | 'failed' | 'cancelled' | string;
  asked_at: string;
  attempts: number;
  ticket?: { number: string; title: string } | null;
  call_id?: number | null;
  contact?: ContactRef | null;
  /** Who is calling the number now. */
  taken_by?: AgentRef | null;
}

// ---- contacts

export interface Contact {
  id: number;
  name: string;
  kind?: string;
  locale?: string;
  org?: OrgRef | null;
  orgs?: OrgRef[];
  points: ContactPoint[];
  blocked?: boolean;
  version: number;
}

export interface Org {
  id: number;
  name: string;
  kind?: string;
  plan?: string;
  /** Name of the engineer who knows this client. */
  engineer?: string;
  contacts?: number;
  version?: number;
}

// ---- administration

export interface TeamInfo extends TeamRef {
  key?: string;
}

export interface User {
  login: string;
  name: string;
  email?: string;
  locale: Lang;
  roles: Role[];
  teams: { name: string; access: string }[];
  queues: { queue: string; level: number }[];
  skills: Record<string, number>;
  /** Empty: browser. "registered": a desk phone that registers. Else a SIP address. */
  endpoint: string;
  active: boolean;
  version: number;
}

export type NewUser = Omit<User, 'version'> & { password?: string };

export interface QueueSettings {
  key: string;
  name: string;
  strategy: 'longest_idle' | 'priority' | 'skills' | string;
  ring_timeout_s: number;
  wrapup_s: number;
  max_wait_s: number;
  max_len: number;
  on_timeout: string;
  on_full: string;
  on_no_agents: string;
  moh: string;
  announce_first_s: number;
  announce_every_s: number;
  record: 'always' | 'never' | string;
  retention_days: number;
  max_missed: number;
  missed_rest_s: number;
  sl_threshold_s: number;
  sl_target: number;
  short_abandon_s: number;
  team: string;
  weight: number;
  /** By a supervisor: nobody enters, those inside stay. */
  closed?: boolean;
  version: number;
}

export interface TrunkState {
  registered: boolean;
  since?: string | null;
  error?: string;
  calls: number;
}

export interface Trunk {
  name: string;
  cidrs: string[];
  asserts_identity: boolean;
  region: string;
  area_code: string;
  host: string;
  port: number;
  transport: 'udp' | 'tcp' | 'tls' | string;
  user: string;
  password?: string;
  password_set?: boolean;
  register: boolean;
  max_calls: number;
  unknown_number: 'reject' | 'notice' | string;
  caller_id: string;
  enabled: boolean;
  state?: TrunkState;
  version: number;
}

export interface PhoneNumber {
  number: string;
  flow: string;
  queue: string;
  label: string;
  max_calls: number;
  version: number;
}

export interface FlowProblem {
  file: string;
  line: number;
  col?: number;
  code: string;
  severity: 'error' | 'warning' | string;
  node?: string;
  msg: string;
  fix?: string;
}

export interface FlowInfo {
  id: string;
  title: Localized;
  version: string;
  languages: string[];
  problems: FlowProblem[];
  live_callers: number;
}

export interface ApiToken {
  id: number | string;
  name: string;
  scopes: string[];
  /** The agent whom the token acts for. */
  login?: string;
  created_at: string;
  last_used_at?: string | null;
  expires_at?: string | null;
}

// ---- live figures, the same over HTTP and the socket

export interface QueueStat {
  key: string;
  name: string;
  waiting: number;
  longest_s: number;
  available: number;
  talking: number;
  staffed: number;
  answered: number;
  abandoned: number;
  sl_pct: number | null;
  avg_wait_s: number | null;
}

export interface AgentStat {
  login: string;
  name: string;
  kind: string;
  state: string;
  since: number;
  reason?: string;
  call?: string;
  queues: string[];
  online: boolean;
}

export interface CallStat {
  call: string;
  from: string;
  from_name?: string;
  queue?: string;
  state: 'menu' | 'waiting' | 'ringing' | 'talking' | 'held' | 'voicemail' | string;
  since: number;
  agent?: string;
  position?: number;
  lang?: string;
  priority?: number;
}

export interface LiveData {
  queues: QueueStat[];
  agents: AgentStat[];
  calls: CallStat[];
}

export type { Caller };
