// The socket of one tab: keeps itself connected, repeats what was not answered, and hands events over in order.
//
// Invariants:
//  - A request keeps its id over reconnects, so the server answers a repeat from memory and acts once.
//  - An event is delivered once: what has a number we have seen is dropped; a hole makes us connect anew and ask for
//    the missing part.
//  - After `close()` nothing happens any more: no timer, no event.

import {
  CloseCode,
  FINAL_CLOSE,
  type Frame,
  type Hello,
  PhoneError,
  type Snapshot,
  SUB_PROTOCOL,
} from './protocol';

/** The part of WebSocket that we use; a fake in tests. */
export interface SocketLike {
  readyState: number;
  onopen: ((ev: unknown) => void) | null;
  onmessage: ((ev: { data: unknown }) => void) | null;
  onclose: ((ev: { code: number; reason?: string }) => void) | null;
  onerror: ((ev: unknown) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type LinkState =
  | { state: 'off' }
  | { state: 'connecting'; attempt: number }
  | { state: 'open' }
  | { state: 'waiting'; attempt: number; at: number }
  /** Ended for good: signed out, forbidden, replaced by the same tab. */
  | { state: 'closed'; code: number };

export interface SocketOptions {
  url: () => string;
  create?: (url: string, protocol: string) => SocketLike;
  hello: () => Omit<Hello, 'last_seq'>;
  onLink: (link: LinkState) => void;
  onEvent: (t: string, d: unknown) => void;
  random?: () => number;
  now?: () => number;
  /** Distinguishes this page load from the one before in request ids. */
  nonce?: string;
}

interface Pending {
  frame: Frame;
  resolve: (d: unknown) => void;
  reject: (e: PhoneError) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** Seconds to wait before try 1, 2, 3 ...; the last one repeats. */
export const BACKOFF_S = [0.3, 1, 2, 4, 7] as const;
const JITTER = 0.2;
const REQUEST_TIMEOUT_MS = 15_000;
const WELCOME_TIMEOUT_MS = 8_000;
/** A connection that answered pings before and is silent for so long is dead, whatever TCP thinks. */
export const SILENCE_MS = 16_000;
const OPEN = 1;

/** backoffMs says how long to wait before try number `attempt` (1 is the first repeat). */
export function backoffMs(attempt: number, random: () => number): number {
  const i = Math.min(Math.max(attempt, 1), BACKOFF_S.length) - 1;
  const base = (BACKOFF_S[i] ?? 7) * 1000;
  return Math.round(base * (1 + JITTER * (2 * random() - 1)));
}

export class PhoneSocket {
  private ws: SocketLike | null = null;
  private link: LinkState = { state: 'off' };
  private wanted = false;
  private welcomed = false;
  private attempt = 0;
  private counter = 0;
  private lastSeq: number | undefined;
  private session: string | undefined;
  private pending = new Map<string, Pending>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pongSeen = false;
  private heardAt = 0;
  private readonly random: () => number;
  private readonly now: () => number;
  private readonly nonce: string;

  constructor(private readonly opt: SocketOptions) {
    this.random = opt.random ?? Math.random;
    this.now = opt.now ?? Date.now;
    this.nonce = opt.nonce ?? Math.floor(this.random() * 0xffffff).toString(36);
  }

  open(): void {
    this.wanted = true;
    if (this.link.state === 'off' || this.link.state === 'closed') {
      this.attempt = 0;
      this.connect();
    }
  }

  close(): void {
    this.wanted = false;
    this.clearTimer();
    this.drop(1000, 'bye');
    for (const [id, p] of this.pending) {
      clearTimeout(p.timer);
      p.reject(new PhoneError({ code: 'closed' }));
      this.pending.delete(id);
    }
    this.setLink({ state: 'off' });
  }

  /** Something says that the network is back: try now instead of when the timer fires. */
  kick(): void {
    if (this.link.state !== 'waiting') return;
    this.clearTimer();
    this.connect();
  }

  get current(): LinkState {
    return this.link;
  }

  get seq(): number | undefined {
    return this.lastSeq;
  }

  /** Asks and waits for the answer; asks again after a reconnect. Rejects with PhoneError. */
  request<T = unknown>(t: string, d: unknown = {}, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> {
    this.counter += 1;
    const id = `${this.nonce}-${this.counter}`;
    return new Promise<T>((resolve, reject) => {
      const frame: Frame = { t, id, d };
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(new PhoneError({ code: 'timeout' }));
      }, timeoutMs);
      this.pending.set(id, { frame, resolve: resolve as (d: unknown) => void, reject, timer });
      this.send(frame);
    });
  }

  /** Says something that needs no answer. Lost when there is no connection: the next snapshot tells all. */
  notify(t: string, d: unknown = {}): boolean {
    return this.send({ t, d });
  }

  /** One heartbeat. Also finds out when the connection is dead without having said so. */
  ping(): void {
    if (!this.welcomed) return;
    if (this.pongSeen && this.now() - this.heardAt > SILENCE_MS) {
      this.lost(4000);
      return;
    }
    this.counter += 1;
    this.send({ t: 'ping', id: `${this.nonce}-p${this.counter}`, d: { t: this.now() } });
  }

  private connect(): void {
    this.clearTimer();
    this.setLink({ state: 'connecting', attempt: this.attempt });
    this.welcomed = false;
    this.pongSeen = false;
    const make = this.opt.create ?? ((u, p) => new WebSocket(u, p) as unknown as SocketLike);
    let ws: SocketLike;
    try {
      ws = make(this.opt.url(), SUB_PROTOCOL);
    } catch {
      this.retry();
      return;
    }
    this.ws = ws;
    ws.onopen = () => {
      if (ws !== this.ws) return;
      ws.send(JSON.stringify({ t: 'hello', d: { ...this.opt.hello(), last_seq: this.lastSeq } }));
    };
    ws.onmessage = (ev) => {
      if (ws === this.ws) this.receive(ev.data);
    };
    ws.onclose = (ev) => {
      if (ws === this.ws) this.lost(ev.code);
    };
    ws.onerror = null;
    this.timer = setTimeout(() => {
      if (!this.welcomed) this.lost(4000);
    }, WELCOME_TIMEOUT_MS);
  }

  private receive(data: unknown): void {
    let frame: Frame;
    try {
      frame = JSON.parse(String(data)) as Frame;
    } catch {
      return;
    }
    this.heardAt = this.now();
    if (frame.re !== undefined) this.answer(frame);
    else if (frame.t === 'welcome') this.welcome((frame.d ?? {}) as Snapshot);
    else if (frame.t) this.event(frame);
  }

  private answer(frame: Frame): void {
    const id = frame.re ?? '';
    if (id.startsWith(`${this.nonce}-p`)) {
      this.pongSeen = true;
      return;
    }
    const p = this.pending.get(id);
    if (!p) return;
    this.pending.delete(id);
    clearTimeout(p.timer);
    if (frame.ok) p.resolve(frame.d ?? {});
    else p.reject(new PhoneError(frame.err ?? { code: 'error' }));
  }

  private welcome(d: Snapshot): void {
    this.clearTimer();
    this.welcomed = true;
    this.attempt = 0;
    // Numbers count within one session; a whole picture makes everything up to its number known.
    if (d.session !== this.session || d.calls !== undefined) this.lastSeq = d.seq ?? this.lastSeq;
    this.session = d.session;
    this.setLink({ state: 'open' });
    this.opt.onEvent('welcome', d);
    for (const p of this.pending.values()) this.send(p.frame);
  }

  private event(frame: Frame): void {
    const t = frame.t ?? '';
    if (t === 'snapshot') {
      const d = (frame.d ?? {}) as Snapshot;
      this.lastSeq = frame.seq ?? d.seq ?? this.lastSeq;
      this.opt.onEvent(t, d);
      return;
    }
    if (frame.seq !== undefined) {
      if (this.lastSeq !== undefined) {
        if (frame.seq <= this.lastSeq) return;
        if (frame.seq > this.lastSeq + 1) {
          this.lost(4000);
          return;
        }
      }
      this.lastSeq = frame.seq;
    }
    this.opt.onEvent(t, frame.d ?? {});
    if (t === 'server.drain') this.drain(frame.d as { reconnect_in?: number });
  }

  /** The server goes down in good order and tells when to come back (seconds). */
  private drain(d: { reconnect_in?: number } | undefined): void {
    this.drop(1000, 'drain');
    this.waitFor(Math.max(0, d?.reconnect_in ?? 1) * 1000 + this.random() * 500);
  }

  private lost(code: number): void {
    this.drop(code >= 4000 ? 4000 : 1000, 'lost');
    if (!this.wanted) return;
    if (FINAL_CLOSE.has(code)) {
      this.wanted = false;
      this.setLink({ state: 'closed', code });
      return;
    }
    // The server forgot our number line, or we sent rubbish: begin with a clean picture.
    if (code === CloseCode.malformed) this.lastSeq = undefined;
    this.retry();
  }

  private retry(): void {
    this.attempt += 1;
    this.waitFor(backoffMs(this.attempt, this.random));
  }

  private waitFor(ms: number): void {
    this.clearTimer();
    this.setLink({ state: 'waiting', attempt: this.attempt, at: this.now() + ms });
    this.timer = setTimeout(() => this.connect(), ms);
  }

  private send(frame: Frame): boolean {
    if (!this.ws || !this.welcomed || this.ws.readyState !== OPEN) return false;
    this.ws.send(JSON.stringify(frame));
    return true;
  }

  private drop(code: number, reason: string): void {
    const ws = this.ws;
    this.ws = null;
    this.welcomed = false;
    this.clearTimer();
    if (!ws) return;
    ws.onopen = ws.onmessage = ws.onclose = ws.onerror = null;
    try {
      ws.close(code, reason);
    } catch {
      // It was closed already; nothing is lost.
    }
  }

  private clearTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private setLink(link: LinkState): void {
    this.link = link;
    this.opt.onLink(link);
  }
}
