// Who calls: the answer of the look-up, shown while it rings. A number is a claim; `level` says what it found.

import type { ContactRef, OrgRef, Ticket } from './types';

export type CallerLevel = 'own' | 'withheld' | 'none' | 'known' | 'shared' | 'ambiguous' | 'maybe' | string;

/** A ticket that this call may belong to; the short form of Ticket. */
export type Candidate = Pick<Ticket, 'number' | 'title'> &
  Partial<Pick<Ticket, 'status' | 'severity' | 'updated_at' | 'next_due_at' | 'breached'>>;

export interface Caller {
  level: CallerLevel;
  /** Row of the look-up table, L0..L11. */
  rule?: string;
  e164?: string;
  contact?: ContactRef | null;
  org?: OrgRef | null;
  /** Several people behind one number. */
  contacts?: ContactRef[];
  candidates?: Candidate[];
  blocked?: boolean;
  vip?: boolean;
  plan?: string;
}
