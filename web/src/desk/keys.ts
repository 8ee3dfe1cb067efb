// Keys of the telephone (agent-desk: Alt + letter, by place on the keyboard) and of a ringing call (1-6, N, 0).

import { useEffect } from 'react';
import { useCore } from '~/app/context';
import { inText, keyName } from '~/lib/keys';
import type { PhoneCore } from '~/phone/core';
import { activeCall } from '~/phone/state';
import { toastError } from '~/ui/toast';
import { deskUi } from './deskUi';

export const PHONE_KEYS: { keys: string; action: string }[] = [
  { keys: 'Alt+A', action: 'answer' },
  { keys: 'Alt+H', action: 'hangup' },
  { keys: 'Alt+M', action: 'mute' },
  { keys: 'Space', action: 'talk' },
  { keys: 'Alt+O', action: 'hold' },
  { keys: 'Alt+K', action: 'keypad' },
  { keys: 'Alt+N', action: 'note' },
  { keys: 'Alt+W', action: 'wrapup' },
  { keys: 'Alt+1', action: 'available' },
  { keys: 'Alt+2', action: 'pause' },
  { keys: 'Alt+0', action: 'offline' },
  { keys: 'Ctrl+K', action: 'palette' },
];

/** Does what a key means now. Returns whether the key was ours. */
export function phoneKey(core: PhoneCore, name: string): boolean {
  const s = core.getState();
  const offer = s.offers[0];
  const call = activeCall(s);
  const run = (p: Promise<unknown> | undefined) => {
    p?.catch(toastError);
    return true;
  };
  switch (name) {
    case 'alt+a':
      return run(offer && core.answer(offer.call));
    case 'alt+h':
      return run(call ? core.hangup(call.call) : offer && core.reject(offer.call));
    case 'alt+m':
      return run(call ? core.mute(call.call, !call.muted) : undefined);
    case 'alt+o':
      return run(call ? core.hold(call.call, !call.held) : undefined);
    case 'alt+k':
      if (call) deskUi.set({ keypad: !deskUi.get().keypad });
      return true;
    case 'alt+n':
      if (call || s.wrapup) deskUi.set({ note: !deskUi.get().note });
      return true;
    case 'alt+w':
      return run(s.wrapup ? core.saveWrapup(s.wrapup.call, { done: true }) : undefined);
    case 'alt+1':
      return run(core.setAgent('available'));
    case 'alt+2':
      deskUi.set({ stateMenu: true });
      return true;
    case 'alt+0':
      return run(core.endShift());
    default:
      return false;
  }
}

export function usePhoneKeys(): void {
  const core = useCore();
  useEffect(() => {
    let talking: string | null = null;
    const down = (e: KeyboardEvent) => {
      if (e.repeat) return;
      const name = keyName(e);
      if (name.startsWith('alt+') && phoneKey(core, name)) {
        e.preventDefault();
        return;
      }
      // Space talks while it is held down, as on a radio; buttons and texts keep their own space.
      const call = activeCall(core.getState());
      if (name !== ' ' || !call?.muted || inText(e.target) || e.target instanceof HTMLButtonElement) return;
      e.preventDefault();
      talking = call.call;
      core.mute(call.call, false).catch(toastError);
    };
    const up = (e: KeyboardEvent) => {
      if (e.key !== ' ' || talking === null) return;
      core.mute(talking, true).catch(toastError);
      talking = null;
    };
    window.addEventListener('keydown', down);
    window.addEventListener('keyup', up);
    return () => {
      window.removeEventListener('keydown', down);
      window.removeEventListener('keyup', up);
    };
  }, [core]);
}
