// Who is told of a ringing call, and how: the owner's tone, another tab's tone when the owner may not make a noise
// yet, a notice on the desktop when the page is not in sight. All of it ends with the offer.

import type { Offer } from './protocol';
import type { Ringer } from './ring';
import { activeCall, type PhoneState } from './state';

export interface BellDeps {
  ringer: Ringer;
  state: () => PhoneState;
  /** Asks the other tabs to ring; resolves to whether one does. */
  askOthers: (call: string) => Promise<boolean>;
  /** Whether anybody can hear the ring of this call. */
  onRing: (call: string, heard: boolean) => void;
  /** Puts a notice on the desktop; the answer takes it away. */
  notify: (title: string, body: string, tag: string) => (() => void) | undefined;
  notices: () => boolean;
}

export class Bell {
  private readonly ringing = new Set<string>();
  private readonly shown = new Map<string, () => void>();

  constructor(private readonly deps: BellDeps) {}

  /** Brings ring and notices to what the state wants. Call it after every change. */
  update(): void {
    const s = this.deps.state();
    const offers = new Set(s.offers.map((o) => o.call));
    for (const [call, close] of this.shown) {
      if (offers.has(call)) continue;
      close();
      this.shown.delete(call);
    }
    for (const call of this.ringing) if (!offers.has(call)) this.ringing.delete(call);
    if (offers.size === 0) {
      this.deps.ringer.stop();
      return;
    }
    if (!s.media.owner) return;
    for (const call of offers) if (!this.ringing.has(call)) void this.ring(call);
  }

  /** A click has unlocked the sound: ring what could not be heard before. */
  again(): void {
    this.ringing.clear();
    this.update();
  }

  /** This offer is answered by itself; it gets a short tone instead of a ring. */
  zip(call: string): void {
    this.ringing.add(call);
    this.deps.ringer.zip();
  }

  /** The owner cannot be heard and asks this tab. Only a tab that was clicked may make a noise. */
  ringForOthers(call: string): boolean {
    if (!navigator.userActivation?.hasBeenActive) return false;
    if (!this.deps.state().offers.some((o) => o.call === call)) return false;
    void this.deps.ringer.start();
    return true;
  }

  /** Tells of the call outside the page when nobody looks at it. */
  notice(offer: Offer): void {
    const s = this.deps.state();
    if (!s.media.owner || !this.deps.notices() || document.visibilityState === 'visible') return;
    const close = this.deps.notify(offer.from_name || offer.from, offer.queue_name ?? '', offer.call);
    if (close) this.shown.set(offer.call, close);
  }

  close(): void {
    this.deps.ringer.stop();
    this.ringing.clear();
    for (const close of this.shown.values()) close();
    this.shown.clear();
  }

  private async ring(call: string): Promise<void> {
    this.ringing.add(call);
    // In a talk a second call shows, but does not ring into the ear.
    if (activeCall(this.deps.state()) !== null) return;
    const heard = (await this.deps.ringer.start()) || (await this.deps.askOthers(call));
    if (!this.ringing.has(call)) {
      // Gone while the sound was being unlocked.
      this.update();
      return;
    }
    if (!heard) this.deps.ringer.stop();
    this.deps.onRing(call, heard);
  }
}
