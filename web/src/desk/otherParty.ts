import type { CallRecord } from '~/api/types';

/** The customer's end of a call: who called us, or whom we called. */
export function otherParty(c: CallRecord): { number: string; name: string } {
  const number = c.direction === 'out' ? (c.called ?? '') : c.caller.number;
  const name = c.contact?.name || (c.direction === 'out' ? '' : c.caller.name) || '';
  return { number, name };
}

/** Whether the other party can be called back: a number is known. */
export function canCallBack(c: CallRecord): boolean {
  return !c.caller.withheld && otherParty(c).number.startsWith('+');
}
