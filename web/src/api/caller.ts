// Who calls: the answer of the look-up, shown while it rings. A number is a claim; `level` says what it found.

import type { ContactRef, OrgRef, Ticket } from './types';

export type CallerLevel = 'own' | 'withheld' | 'none' | 'known' | 'shared' | 'ambiguous' | 'maybe' | string;

/** A ticket that this call may belong to; the short form of Ticket. */
export type Candidate = Pick<Ticket, 'number' | 'title'> &
  Partial<Pick<Ticket, 'status' | 'severity' | 'updated_at' | 'next_due_at' | 'breached'>> & {
    /** The key that takes it, 1..6. */
    key?: number;
    fresh?: boolean;
    missed?: boolean;
  };

/** A person offered by the look-up, with the reason to offer them. */
export interface ListedContact extends ContactRef {
  org?: OrgRef | null;
  ext?: string;
  /** The ticket in which the number was seen. */
  source?: string;
  seen_at?: string | null;
}

export interface Caller {
  level: CallerLevel;
  /** Row of the look-up table, L0..L11. */
  rule?: string;
  reason_text?: string;
  e164?: string;
  name?: string;
  contact?: ContactRef | null;
  org?: OrgRef | null;
  /** Several people behind one number. */
  contacts?: ListedContact[] | null;
  candidates?: Candidate[] | null;
  blocked?: boolean;
  vip?: boolean;
  plan?: string;
  engineer?: string;
}
