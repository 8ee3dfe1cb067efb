import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PhoneError } from './protocol';
import { backoffMs, type LinkState, PhoneSocket, SILENCE_MS, type SocketLike } from './socket';

class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: ((ev: unknown) => void) | null = null;
  onmessage: ((ev: { data: unknown }) => void) | null = null;
  onclose: ((ev: { code: number }) => void) | null = null;
  onerror: ((ev: unknown) => void) | null = null;
  sent: Record<string, unknown>[] = [];
  closedWith: number | undefined;
  send(data: string) {
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }
  close(code?: number) {
    this.closedWith = code;
    this.readyState = 3;
  }
  open() {
    this.readyState = 1;
    this.onopen?.({});
  }
  get(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  die(code: number) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

let made: FakeSocket[] = [];
let links: LinkState[] = [];
let events: [string, unknown][] = [];
let s: PhoneSocket;

const last = () => made.at(-1) as FakeSocket;
const named = (t: string) => last().sent.filter((f) => f.t === t);

/** Connects as a server would let it: hello, then the greeting with a whole picture. */
function greet(d: object = {}) {
  last().open();
  last().get({ t: 'welcome', d: { session: 's1', now: Date.now(), seq: 10, calls: [], ...d } });
}

beforeEach(() => {
  vi.useFakeTimers();
  made = [];
  links = [];
  events = [];
  s = new PhoneSocket({
    url: () => 'ws://x',
    create: () => {
      made.push(new FakeSocket());
      return last();
    },
    hello: () => ({ tab_id: 'tab', client: { ver: '1', ua: '', lang: 'ru' }, owner: true, activated: true }),
    onLink: (l) => links.push(l),
    onEvent: (t, d) => events.push([t, d]),
    random: () => 0.5,
    nonce: 'n',
  });
});

afterEach(() => {
  s.close();
  vi.useRealTimers();
});

describe('connecting', () => {
  it('says hello first and is open only after the greeting', () => {
    s.open();
    last().open();
    expect(last().sent[0]).toMatchObject({ t: 'hello', d: { tab_id: 'tab', owner: true } });
    expect(links.at(-1)?.state).toBe('connecting');
    last().get({ t: 'welcome', d: { session: 's1', seq: 1, calls: [] } });
    expect(links.at(-1)?.state).toBe('open');
  });

  it('waits 0.3, 1, 2, 4, 7, 7 s between tries', () => {
    const waits = [1, 2, 3, 4, 5, 6, 60].map((n) => backoffMs(n, () => 0.5));
    expect(waits).toEqual([300, 1000, 2000, 4000, 7000, 7000, 7000]);
    expect(backoffMs(2, () => 0)).toBe(800);
    expect(backoffMs(2, () => 1)).toBe(1200);
  });

  it('tries again after a loss, and starts counting anew after success', async () => {
    s.open();
    last().die(1006);
    await vi.advanceTimersByTimeAsync(299);
    expect(made).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(made).toHaveLength(2);
    greet();
    last().die(1012);
    await vi.advanceTimersByTimeAsync(300);
    expect(made).toHaveLength(3);
  });

  it('tries at once when the network is back', () => {
    s.open();
    last().die(1006);
    s.kick();
    expect(made).toHaveLength(2);
    s.kick();
    expect(made).toHaveLength(2);
  });

  it.each([4401, 4403, 4409])('stops for good on %d', async (code) => {
    s.open();
    greet();
    last().die(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made).toHaveLength(1);
    expect(links.at(-1)).toEqual({ state: 'closed', code });
  });

  it('does nothing any more after close', async () => {
    s.open();
    greet();
    const old = last();
    s.close();
    old.get({ t: 'call.offer', seq: 11, d: {} });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(made).toHaveLength(1);
    expect(events.filter(([t]) => t === 'call.offer')).toHaveLength(0);
  });

  it('gives up on a server that never greets', async () => {
    s.open();
    last().open();
    await vi.advanceTimersByTimeAsync(8000);
    expect(last().closedWith).toBe(4000);
    await vi.advanceTimersByTimeAsync(300);
    expect(made).toHaveLength(2);
  });

  it('comes back when a draining server asks for it', async () => {
    s.open();
    greet();
    last().get({ t: 'server.drain', d: { reconnect_in: 5 } });
    await vi.advanceTimersByTimeAsync(4900);
    expect(made).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(700);
    expect(made).toHaveLength(2);
  });
});

describe('requests', () => {
  it('resolve with the data and reject with the reason', async () => {
    s.open();
    greet();
    const good = s.request('call.hold', { call: 'a', on: true });
    const bad = s.request('call.hold', { call: 'b', on: true });
    const [one, two] = named('call.hold');
    last().get({
      re: two?.id,
      ok: false,
      err: { code: 'wrong_state', state: 'ringing', text: { en: 'no' } },
    });
    last().get({ re: one?.id, ok: true, d: { x: 1 } });
    await expect(good).resolves.toEqual({ x: 1 });
    await expect(bad).rejects.toMatchObject({ code: 'wrong_state', state: 'ringing' });
  });

  it('are repeated with the same id after a reconnect, and answered once', async () => {
    s.open();
    greet();
    const p = s.request('call.answer', { call: 'a' });
    const id = named('call.answer')[0]?.id;
    last().die(1006);
    await vi.advanceTimersByTimeAsync(300);
    greet();
    expect(named('call.answer').map((f) => f.id)).toEqual([id]);
    last().get({ re: id, ok: true, d: {} });
    await p;
    last().die(1006);
    await vi.advanceTimersByTimeAsync(300);
    greet();
    expect(named('call.answer')).toHaveLength(0);
  });

  it('wait for the connection when there is none', async () => {
    s.open();
    const p = s.request('agent.set', { state: 'available' });
    expect(named('agent.set')).toHaveLength(0);
    greet();
    last().get({ re: named('agent.set')[0]?.id, ok: true });
    await expect(p).resolves.toEqual({});
  });

  it('end by themselves', async () => {
    s.open();
    greet();
    const p = s.request('x', {}, 1000);
    const seen = expect(p).rejects.toBeInstanceOf(PhoneError);
    await vi.advanceTimersByTimeAsync(1001);
    await seen;
    const q = s.request('y');
    const closed = expect(q).rejects.toMatchObject({ code: 'closed' });
    s.close();
    await closed;
  });
});

describe('events', () => {
  const offers = () => events.filter(([t]) => t === 'call.offer').length;

  it('come once and in order', () => {
    s.open();
    greet();
    last().get({ t: 'call.offer', seq: 11, d: {} });
    last().get({ t: 'call.offer', seq: 11, d: {} });
    last().get({ t: 'call.offer', seq: 9, d: {} });
    expect(offers()).toBe(1);
    last().get({ t: 'stat.queues', d: [] });
    expect(s.seq).toBe(11);
  });

  it('with a hole make it ask for the missing part', async () => {
    s.open();
    greet();
    last().get({ t: 'call.offer', seq: 13, d: {} });
    expect(offers()).toBe(0);
    await vi.advanceTimersByTimeAsync(300);
    last().open();
    expect(last().sent[0]).toMatchObject({ t: 'hello', d: { last_seq: 10 } });
    // The server replays: a greeting without a picture, then what was missed.
    last().get({ t: 'welcome', d: { session: 's1', seq: 13 } });
    for (const seq of [11, 12, 13]) last().get({ t: 'call.offer', seq, d: {} });
    expect(offers()).toBe(3);
  });

  it('count anew in a new session', async () => {
    s.open();
    greet();
    last().get({ t: 'call.offer', seq: 11, d: {} });
    last().die(1012);
    await vi.advanceTimersByTimeAsync(300);
    last().open();
    last().get({ t: 'welcome', d: { session: 's2', seq: 0, calls: [] } });
    last().get({ t: 'call.offer', seq: 1, d: {} });
    expect(offers()).toBe(2);
  });

  it('ignore what is not JSON', () => {
    s.open();
    greet();
    last().onmessage?.({ data: '{' });
    expect(links.at(-1)?.state).toBe('open');
  });
});

describe('heartbeat', () => {
  it('finds a connection that died silently, once the server has answered pings', async () => {
    s.open();
    greet();
    s.ping();
    const id = named('ping')[0]?.id;
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 1);
    s.ping();
    expect(last().closedWith).toBeUndefined();
    last().get({ re: id, ok: true });
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 1);
    s.ping();
    expect(last().closedWith).toBe(4000);
  });
});
