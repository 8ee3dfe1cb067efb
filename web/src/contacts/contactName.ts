import type { Contact } from '~/api/types';
import { phone } from '~/lib/format';

/** What a contact is called: by name, else by number or address (a first call makes a contact without a name). */
export function contactName(c: Contact, unknown: string): string {
  const point = c.points.find((p) => p.kind === 'phone') ?? c.points[0];
  return c.name || (point?.kind === 'phone' ? phone(point.value) : point?.value) || unknown;
}
