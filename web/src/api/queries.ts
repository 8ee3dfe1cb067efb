// What pages read: one place for keys, paths and how long an answer is good for.

import { infiniteQueryOptions, keepPreviousData, QueryClient, queryOptions } from '@tanstack/react-query';
import { ApiError, get, list } from './client';
import type {
  ApiToken,
  Callback,
  Caller,
  CallRecord,
  Contact,
  FlowInfo,
  LiveData,
  Me,
  Org,
  Page,
  Peaks,
  PhoneNumber,
  QueueSettings,
  TeamInfo,
  Ticket,
  TimelineItem,
  Trunk,
  User,
} from './types';

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        retry: (n, err) => n < 2 && !(err instanceof ApiError && err.status >= 400 && err.status < 500),
        refetchOnWindowFocus: true,
      },
      mutations: { retry: false },
    },
  });
}

/** The signed-in person; null: nobody. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: async (): Promise<Me | null> => {
    try {
      return (await get<{ agent: Me }>('/session')).agent;
    } catch (err) {
      if (err instanceof ApiError && err.status === 401) return null;
      throw err;
    }
  },
  staleTime: 5 * 60_000,
});

type Filter = Record<string, string | number | boolean | undefined>;

/** An endless list by cursor. */
function pages<T>(key: readonly unknown[], path: string, filter: Filter = {}, limit = 50) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => list<T>(path, { ...filter, limit, after: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<T>) => (last.page.has_more ? last.page.next : undefined),
    placeholderData: keepPreviousData,
  });
}

export function flat<T>(data: { pages: Page<T>[] } | undefined): T[] {
  return data?.pages.flatMap((p) => p.data) ?? [];
}

export const ticketsQuery = (filter: Filter) => pages<Ticket>(['tickets', filter], '/tickets', filter);
export const ticketQuery = (number: string) =>
  queryOptions({
    queryKey: ['ticket', number],
    queryFn: ({ signal }) => get<Ticket>(`/tickets/${number}`, undefined, signal),
    // A ticket on screen is worked on by others too.
    refetchInterval: 30_000,
  });
export const timelineQuery = (number: string) => ({
  ...pages<TimelineItem>(['timeline', number], `/tickets/${number}/timeline`, {}, 100),
  refetchInterval: 15_000,
});
export const callsQuery = (filter: Filter) => pages<CallRecord>(['calls', filter], '/calls', filter);
export const callbacksQuery = pages<Callback>(['callbacks'], '/callbacks', { state: 'open' });
export const callerQuery = (number: string) =>
  queryOptions({
    queryKey: ['caller', number],
    queryFn: () => get<Caller>('/caller', { number }),
    enabled: number !== '',
  });

export const contactsQuery = (q: string) => pages<Contact>(['contacts', q], '/contacts', { q });
export const contactQuery = (id: number) =>
  queryOptions({ queryKey: ['contact', id], queryFn: () => get<Contact>(`/contacts/${id}`) });
export const contactTicketsQuery = (id: number) =>
  pages<Ticket>(['contact', id, 'tickets'], `/contacts/${id}/tickets`, {}, 20);
export const contactCallsQuery = (id: number) =>
  pages<CallRecord>(['contact', id, 'calls'], `/contacts/${id}/calls`, {}, 20);
export const orgsQuery = (q: string) =>
  queryOptions({ queryKey: ['orgs', q], queryFn: async () => (await list<Org>('/orgs', { q })).data });

export const peaksQuery = (id: number | string) =>
  queryOptions({
    queryKey: ['peaks', id],
    queryFn: () => get<Peaks>(`/recordings/${id}/peaks`),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const liveQuery = queryOptions({
  queryKey: ['live'],
  queryFn: ({ signal }) => get<LiveData>('/live', undefined, signal),
});

const whole = <T>(key: string, path: string) =>
  queryOptions({ queryKey: [key], queryFn: () => everything<T>(path), staleTime: 30_000 });

/** Settings are short lists, but they come in pages too. */
async function everything<T>(path: string): Promise<T[]> {
  const out: T[] = [];
  let after: string | undefined;
  for (let n = 0; n < 40; n++) {
    const page = await list<T>(path, { after });
    out.push(...page.data);
    if (!page.page.has_more || !page.page.next) break;
    after = page.page.next;
  }
  return out;
}

export const teamsQuery = whole<TeamInfo>('teams', '/teams');
export const usersQuery = whole<User>('users', '/users');
export const queuesQuery = whole<QueueSettings>('queues', '/queues');
export const trunksQuery = { ...whole<Trunk>('trunks', '/trunks'), refetchInterval: 10_000 };
export const numbersQuery = whole<PhoneNumber>('numbers', '/numbers');
export const flowsQuery = whole<FlowInfo>('flows', '/flows');
export const tokensQuery = whole<ApiToken>('tokens', '/tokens');
