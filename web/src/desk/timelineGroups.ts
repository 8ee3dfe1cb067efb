// The timeline in the order people read it: days, entries, and runs of small changes folded into one line.

import type { TimelineItem } from '~/api/types';

export type Group =
  | { kind: 'day'; key: string; at: string }
  | { kind: 'item'; key: string; item: TimelineItem }
  | { kind: 'events'; key: string; items: TimelineItem[] };

/** group sorts by time (equal times by id), puts a day before its first entry, and folds neighbouring events. */
export function group(items: TimelineItem[]): Group[] {
  const sorted = [...items].sort((a, b) => a.at.localeCompare(b.at) || a.id.localeCompare(b.id));
  const out: Group[] = [];
  let day = '';
  for (const item of sorted) {
    const d = new Date(item.at).toDateString();
    if (d !== day) {
      day = d;
      out.push({ kind: 'day', key: `d-${d}`, at: item.at });
    }
    const last = out.at(-1);
    if (item.type !== 'event') out.push({ kind: 'item', key: item.id, item });
    else if (last?.kind === 'events') last.items.push(item);
    else out.push({ kind: 'events', key: `e-${item.id}`, items: [item] });
  }
  return out;
}
