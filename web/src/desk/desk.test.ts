import { describe, expect, it } from 'vitest';
import { fixFor } from '~/admin/fixes';
import { ApiError, toPage, url } from '~/api/client';
import { fieldErrors } from '~/api/problems';
import type { CallRecord, TimelineItem } from '~/api/types';
import { canCallBack, otherParty } from './otherParty';
import { group } from './timelineGroups';
import { isView, ticketFilter } from './views';

const item = (id: string, type: TimelineItem['type'], at: string): TimelineItem => ({
  id,
  type,
  at,
  author: null,
  contact: null,
});

describe('timeline', () => {
  it('sorts, names days and folds neighbouring changes', () => {
    const groups = group([
      item('m2', 'message', '2026-11-24T10:00:00Z'),
      item('e1', 'event', '2026-11-23T10:00:00Z'),
      item('e2', 'event', '2026-11-23T10:00:01Z'),
      item('m1', 'message', '2026-11-23T11:00:00Z'),
      item('e3', 'event', '2026-11-24T10:00:01Z'),
    ]);
    expect(groups.map((g) => g.kind)).toEqual(['day', 'events', 'item', 'day', 'item', 'events']);
    expect(groups[1]?.kind === 'events' && groups[1].items.map((i) => i.id)).toEqual(['e1', 'e2']);
  });

  it('has a stable order for equal times, and nothing for nothing', () => {
    const at = '2026-11-24T10:00:00Z';
    const keys = group([item('b', 'message', at), item('a', 'message', at)]).map((g) => g.key);
    expect(keys.slice(1)).toEqual(['a', 'b']);
    expect(group([])).toEqual([]);
  });
});

describe('views', () => {
  it('become queries that the server knows', () => {
    expect(ticketFilter('mine', '', '1', 'open')).toEqual({ status: 'open', mine: true });
    expect(ticketFilter('team', '#482170', '1', 'all')).toEqual({ status: 'all', q: '482170', team: '1' });
    expect(ticketFilter('unassigned', '', '1', 'open')).toEqual({ status: 'open' });
    expect(isView('mine')).toBe(true);
    expect(isView('toString')).toBe(false);
  });
});

describe('api', () => {
  it('builds addresses without empty parts', () => {
    expect(url('/tickets', { mine: true, q: undefined, after: '', limit: 50 })).toBe(
      '/api/v1/tickets?mine=1&limit=50',
    );
    expect(url('/teams')).toBe('/api/v1/teams');
  });

  it('reads lists in either form', () => {
    expect(toPage([1])).toEqual({ data: [1], page: { has_more: false } });
    expect(toPage({ data: [1], page: { next: 'x', has_more: true } }).page.next).toBe('x');
    expect(toPage({ data: null }).data).toEqual([]);
  });

  it('names errors by code, else by status', () => {
    expect(new ApiError(409, { code: 'taken' }).code).toBe('taken');
    expect(new ApiError(412, {}).code).toBe('stale');
    expect(new ApiError(0, {}).code).toBe('network');
    expect(new ApiError(500, {}).code).toBe('internal');
  });

  it('puts messages under their fields', () => {
    const err = new ApiError(422, {
      errors: [
        { field: 'login', message: 'taken' },
        { location: 'body.name', message: 'short' },
      ],
    });
    expect(fieldErrors(err)).toEqual({ login: 'taken', name: 'short' });
    expect(fieldErrors(new Error())).toEqual({});
  });
});

describe('trunk errors', () => {
  it.each([
    ['401 Unauthorized', 'auth'],
    ['403 Forbidden', 'auth'],
    ['lookup sip.example: no such host', 'dns'],
    ['dial udp: i/o timeout', 'network'],
    ['503 Service Unavailable', 'busy'],
    ['something new', 'other'],
  ])('%s', (error, want) => expect(fixFor(error)).toBe(want));
});

describe('the other party of a call', () => {
  const record = (more: Partial<CallRecord>): CallRecord => ({
    id: 1,
    key: 'K',
    direction: 'in',
    caller: { number: '+79161234567', name: 'Network name', trust: 'asserted' },
    called: '100',
    started_at: '2026-11-24T10:00:00Z',
    disposition: 'answered',
    ...more,
  });

  it('is who called us, or whom we called', () => {
    expect(otherParty(record({}))).toEqual({ number: '+79161234567', name: 'Network name' });
    const out = record({
      direction: 'out',
      called: '+74951112233',
      caller: { number: '+74950000000', name: 'Us', trust: 'asserted' },
    });
    expect(otherParty(out)).toEqual({ number: '+74951112233', name: '' });
    const contact = { id: 1, name: 'Orlov' };
    expect(otherParty({ ...out, contact }).name).toBe('Orlov');
  });

  it('can be called back when its number is known', () => {
    expect(canCallBack(record({}))).toBe(true);
    expect(canCallBack(record({ caller: { number: '', name: '', trust: 'withheld', withheld: true } }))).toBe(
      false,
    );
    expect(canCallBack(record({ caller: { number: '101', name: '', trust: 'claimed' } }))).toBe(false);
  });
});
