// The work lists of the desk.

export type ViewKey = 'mine' | 'team' | 'unassigned' | 'missed' | 'unlinked' | 'all';

export interface View {
  key: ViewKey;
  /** What fills it: tickets, calls, or callbacks with missed calls. */
  source: 'tickets' | 'calls' | 'missed';
}

export const VIEWS: View[] = [
  { key: 'mine', source: 'tickets' },
  { key: 'team', source: 'tickets' },
  { key: 'unassigned', source: 'tickets' },
  { key: 'missed', source: 'missed' },
  { key: 'unlinked', source: 'calls' },
  { key: 'all', source: 'tickets' },
];

export function isView(v: string): v is ViewKey {
  return VIEWS.some((x) => x.key === v);
}

/** ticketFilter gives the query of a ticket view. `team` is the agent's first team. */
export function ticketFilter(
  view: ViewKey,
  q: string,
  team: string | undefined,
  status: string,
): Record<string, string | boolean | undefined> {
  const base = { q: q.replace(/^#/, '') || undefined, status };
  switch (view) {
    case 'mine':
      return { ...base, mine: true };
    case 'team':
      return { ...base, team };
    default:
      // "unassigned" is picked out of everything visible by the list itself.
      return base;
  }
}
