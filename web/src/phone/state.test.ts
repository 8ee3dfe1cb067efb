import { describe, expect, it } from 'vitest';
import type { Call, Offer } from './protocol';
import {
  type Action,
  activeCall,
  canDial,
  dialFailure,
  initialState,
  mayBeHeard,
  nextOf,
  onShift,
  type PhoneState,
  reduce,
  wantsMic,
} from './state';

const run = (actions: Action[], from: PhoneState = initialState, now = 1000) =>
  actions.reduce((s, a) => reduce(s, a, now), from);

const call = (more: Partial<Call> = {}): Call => ({
  call: 'c',
  state: 'talking',
  since: 1,
  from: '+79161234567',
  ...more,
});
const offer = (more: Partial<Offer> = {}): Offer => ({
  call: 'c',
  from: '+79161234567',
  from_name: 'Orlov',
  card: { level: 'known' },
  ...more,
});
const welcome = (d: object = {}): Action => ({
  t: 'welcome',
  d: { now: 5000, calls: [], agent: { login: 'a', name: 'A', state: 'available', since: 1 }, ...d },
});

describe('snapshot', () => {
  it('sets the clock and replaces everything', () => {
    const s = run([welcome({ calls: [call()] }), welcome({ calls: [] })]);
    expect(s.offset).toBe(4000);
    expect(s.calls).toEqual([]);
    expect(s.ready).toBe(true);
  });

  it('without a picture changes nothing but the clock', () => {
    const s = run([welcome({ calls: [call()] }), { t: 'welcome', d: { now: 9000 } }]);
    expect(s.offset).toBe(8000);
    expect(s.calls).toHaveLength(1);
  });

  it('brings back the offer after a reload', () => {
    const s = run([welcome({ calls: [call({ state: 'offered', since: 2000 })] })]);
    expect(s.calls).toEqual([]);
    expect(s.offers[0]).toMatchObject({ call: 'c', waited_s: 3 });
  });

  it('keeps the full offer that was known', () => {
    const s = run([
      welcome(),
      { t: 'call.offer', d: offer() },
      welcome({ calls: [call({ state: 'offered' })] }),
    ]);
    expect(s.offers[0]?.from_name).toBe('Orlov');
  });
});

describe('a call', () => {
  it('goes from offer to talk and keeps its card', () => {
    const s = run([welcome(), { t: 'call.offer', d: offer() }, { t: 'call.state', d: call() }]);
    expect(s.offers).toEqual([]);
    expect(s.calls[0]?.card?.level).toBe('known');
    const later = run([{ t: 'call.state', d: call({ muted: true }) }], s);
    expect(later.calls[0]).toMatchObject({ muted: true, card: { level: 'known' } });
  });

  it('that is gone says why', () => {
    const s = run([
      welcome(),
      { t: 'call.offer', d: offer() },
      { t: 'call.gone', d: { call: 'c', why: 'taken', by: 'B' } },
    ]);
    expect(s.offers).toEqual([]);
    expect(s.gone).toMatchObject({ from: 'Orlov', why: 'taken', by: 'B' });
  });

  it('that nobody knows may be gone without harm', () => {
    const s = run([welcome()]);
    expect(run([{ t: 'call.gone', d: { call: 'x' } }], s)).toBe(s);
  });

  it('ends and can be called back', () => {
    const s = run([
      welcome({ calls: [call({ from_name: 'O' })] }),
      { t: 'call.end', d: { call: 'c', talk_s: 5 } },
    ]);
    expect(s.calls).toEqual([]);
    expect(s.lastEnd).toMatchObject({ from: '+79161234567', from_name: 'O', talk_s: 5 });
    expect(
      run([{ t: 'call.state', d: call({ state: 'ended' }) }], run([welcome({ calls: [call()] })])).calls,
    ).toEqual([]);
  });

  it('shows the talk first, the held one after it', () => {
    const s = run([welcome({ calls: [call({ call: 'h', state: 'held' }), call({ call: 't' })] })]);
    expect(activeCall(s)?.call).toBe('t');
  });
});

describe('sound', () => {
  it('is opened for a call and closed without one', () => {
    expect(wantsMic(run([welcome()]))).toBe(false);
    expect(wantsMic(run([welcome({ calls: [call({ state: 'held', held: true })] })]))).toBe(true);
  });

  it('follows the mute and the hold of the server', () => {
    expect(mayBeHeard(run([welcome({ calls: [call()] })]))).toBe(true);
    expect(mayBeHeard(run([welcome({ calls: [call({ muted: true })] })]))).toBe(false);
    expect(mayBeHeard(run([welcome({ calls: [call({ state: 'held', held: true })] })]))).toBe(false);
  });

  it('of a listener stays closed until they whisper', () => {
    const s = run([welcome(), { t: 'local.monitor', d: { leg: 'm', mode: 'listen' } }]);
    expect([wantsMic(s), mayBeHeard(s)]).toEqual([false, false]);
    const w = run([{ t: 'local.monitor', d: { leg: 'm', mode: 'whisper' } }], s);
    expect([wantsMic(w), mayBeHeard(w)]).toEqual([true, true]);
  });

  it('is lost when another page takes over', () => {
    const s = run([
      welcome({ media: { epoch: 1, needed: false, owner: true } }),
      { t: 'media.superseded', d: { by: 'x' } },
    ]);
    expect(s.media).toMatchObject({ owner: false, status: 'superseded' });
  });
});

describe('agent', () => {
  it('forgets the reason of the state before', () => {
    const s = run([
      welcome(),
      { t: 'agent.state', d: { state: 'paused', since: 2, reason: 'lunch', by: 'lead1' } },
    ]);
    expect(s.agent).toMatchObject({ state: 'paused', reason: 'lunch', by: 'lead1', login: 'a' });
    const back = run([{ t: 'agent.state', d: { state: 'available', since: 3 } }], s);
    expect(back.agent?.reason).toBeUndefined();
    expect(back.agent?.by).toBeUndefined();
  });

  it('has one next state, however it is spelled', () => {
    const s = run([welcome(), { t: 'agent.state', d: { state: 'talking', since: 2, next: 'paused:lunch' } }]);
    expect(nextOf(s.agent)).toEqual({ state: 'paused', reason: 'lunch' });
    const o = run([{ t: 'agent.state', d: { state: 'talking', since: 2, next: { state: 'offline' } } }], s);
    expect(nextOf(o.agent)).toEqual({ state: 'offline' });
    expect(nextOf(run([{ t: 'agent.state', d: { state: 'talking', since: 2 } }], o).agent)).toBeNull();
  });

  it('is on shift unless offline', () => {
    expect(onShift(initialState)).toBe(false);
    expect(onShift(run([welcome()]))).toBe(true);
  });

  it('wraps up until told otherwise', () => {
    const s = run([welcome(), { t: 'wrapup.start', d: { call: 'c', until: 9 } }]);
    expect(s.wrapup?.until).toBe(9);
    expect(run([{ t: 'wrapup.end', d: { call: 'other' } }], s).wrapup).not.toBeNull();
    expect(run([{ t: 'wrapup.end', d: { call: 'c' } }], s).wrapup).toBeNull();
  });
});

it('ignores what it does not know', () => {
  expect(reduce(initialState, { t: 'whatever', d: {} } as unknown as Action, 0)).toBe(initialState);
});

describe('what the server may say on the way', () => {
  it('names the owner of the sound', () => {
    const s = run([welcome(), { t: 'media.owner', d: { owner: true, owner_tab: 'me' } }]);
    expect(s.media).toMatchObject({ owner: true, owner_tab: 'me' });
  });

  it('brings a reloaded page back into its wrap-up', () => {
    const agent = { login: 'a', name: 'A', state: 'acw' as const, since: 1, call: 'c', until: 99 };
    expect(run([welcome({ agent })]).wrapup).toMatchObject({ call: 'c', until: 99 });
    expect(run([welcome({ agent: { ...agent, state: 'available' } })]).wrapup).toBeNull();
  });

  it('gives a wrap-up the ticket of its call, before or after the end', () => {
    const ticket = { number: '100009', title: 'x' };
    const talking = run([welcome({ calls: [call({ ticket })] })]);
    const start: Action = { t: 'wrapup.start', d: { call: 'c', until: null } };
    const end: Action = { t: 'call.end', d: { call: 'c' } };
    expect(run([start, end], talking).wrapup?.ticket).toEqual(ticket);
    expect(run([end, start], talking).wrapup?.ticket).toEqual(ticket);
  });

  it('ends a monitoring with its talk', () => {
    const s = run([welcome(), { t: 'local.monitor', d: { leg: 'm', mode: 'barge' } }]);
    expect(run([{ t: 'monitor.off', d: { leg: 'other' } }], s).monitor).not.toBeNull();
    expect(run([{ t: 'monitor.off', d: { leg: 'm' } }], s).monitor).toBeNull();
  });

  it('lets nobody dial who is in a call, in wrap-up or off shift', () => {
    for (const state of ['paused', 'available'] as const) {
      const agent = { login: 'a', name: 'A', state, since: 1 };
      expect(canDial(run([welcome({ policy: { dial: true }, agent })]))).toBe(true);
    }
    for (const state of ['offline', 'acw', 'talking', 'dialing', 'lost'] as const) {
      const agent = { login: 'a', name: 'A', state, since: 1 };
      expect(canDial(run([welcome({ policy: { dial: true }, agent })]))).toBe(false);
    }
  });

  it('opens the microphone while a number is called, and says why nobody was reached', () => {
    const rings = run([welcome(), { t: 'call.state', d: call({ state: 'dialing', direction: 'out' }) }]);
    expect(wantsMic(rings)).toBe(true);
    expect(mayBeHeard(rings)).toBe(true);
    const text = { ru: 'Занято', en: 'Busy' };
    const busy = run([{ t: 'call.end', d: { call: 'c', why: 'busy', text } }], rings);
    expect(busy.calls).toEqual([]);
    expect(busy.lastEnd && dialFailure(busy.lastEnd)).toEqual(text);
    expect(dialFailure({ call: 'c', why: 'cancelled', text })).toBeNull();
    expect(dialFailure({ call: 'c', why: 'ended', talk_s: 5 })).toBeNull();
  });

  it('allows dialling only where the server can', () => {
    expect(canDial(run([welcome()]))).toBe(false);
    expect(canDial(run([welcome({ policy: { dial: true } })]))).toBe(true);
    expect(canDial(run([welcome({ policy: { dial: true }, calls: [call()] })]))).toBe(false);
  });
});
