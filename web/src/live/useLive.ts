import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { liveQuery } from '~/api/queries';
import type { LiveData } from '~/api/types';
import { useCore, usePhone } from '~/app/context';
import type { Stamped } from '~/phone/state';
import { useTick } from '~/ui/bits';

/** Figures older than this are not to be trusted: the board is hatched and says so. */
export const STALE_MS = 10_000;

export interface Live {
  queues: LiveData['queues'];
  agents: LiveData['agents'];
  calls: LiveData['calls'];
  ready: boolean;
  error: unknown;
  /** Age of the oldest of the three in seconds, when it is too old. */
  staleS: number | null;
}

/** The three live topics while a page shows them; the first picture comes over HTTP. */
export function useLive(): Live {
  const core = useCore();
  const now = useTick();
  useEffect(() => core.watch(['queues', 'agents', 'calls']), [core]);
  const stats = usePhone((s) => s.stats);
  const link = usePhone((s) => s.link.state);
  const first = useQuery(liveQuery);
  const at = first.dataUpdatedAt;
  const pick = <T>(stat: Stamped<T> | null, http: T | undefined): Stamped<T> | null =>
    stat && (stat.at >= at || http === undefined) ? stat : http === undefined ? null : { data: http, at };
  const queues = pick(stats.queues, first.data?.queues);
  const agents = pick(stats.agents, first.data?.agents);
  const calls = pick(stats.calls, first.data?.calls);
  const ready = queues !== null && agents !== null && calls !== null;
  const oldest = ready ? Math.min(queues.at, agents.at, calls.at) : now;
  // A quiet centre sends nothing new; while the socket is up that is silence, not age.
  const age = link === 'open' ? now - Math.max(oldest, lastHeard(stats, at)) : now - oldest;
  return {
    queues: queues?.data ?? [],
    agents: agents?.data ?? [],
    calls: calls?.data ?? [],
    ready,
    error: ready ? null : first.error,
    staleS: ready && age > STALE_MS ? Math.round(age / 1000) : null,
  };
}

function lastHeard(
  stats: { queues: Stamped<unknown> | null; agents: Stamped<unknown> | null; calls: Stamped<unknown> | null },
  at: number,
): number {
  return Math.max(at, stats.queues?.at ?? 0, stats.agents?.at ?? 0, stats.calls?.at ?? 0);
}
