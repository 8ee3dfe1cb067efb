// What every page may ask for: who is signed in, and the telephone.

import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { Me } from '~/api/types';
import { currentLang } from '~/i18n';
import { PhoneCore } from '~/phone/core';
import type { PhoneState } from '~/phone/state';
import { installTestHooks, testHooksWanted } from '~/phone/testhooks';

interface Ctx {
  me: Me;
  core: PhoneCore;
  signOut: () => void;
}

const Context = createContext<Ctx | null>(null);

/** A notice outside the page, when the user allowed it. */
function desktopNotice(title: string, body: string, tag: string): (() => void) | undefined {
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return undefined;
  const n = new Notification(title, { body, tag, requireInteraction: true, icon: '/favicon.svg' });
  n.onclick = () => {
    window.focus();
    n.close();
  };
  return () => n.close();
}

export function AppProvider({ me, signOut, children }: { me: Me; signOut: () => void; children: ReactNode }) {
  const out = useRef(signOut);
  useEffect(() => {
    out.current = signOut;
  });
  const [core, setCore] = useState<PhoneCore | null>(null);
  useEffect(() => {
    const made = new PhoneCore({
      lang: currentLang,
      version: '1',
      onSignedOut: () => out.current(),
      notify: desktopNotice,
    });
    made.start();
    if (testHooksWanted()) installTestHooks(made);
    setCore(made);
    return () => made.stop();
  }, []);
  if (!core) return null;
  return <Context.Provider value={{ me, core, signOut: () => out.current() }}>{children}</Context.Provider>;
}

export function useApp(): Ctx {
  const ctx = useContext(Context);
  if (!ctx) throw new Error('useApp outside AppProvider');
  return ctx;
}

export const useMe = (): Me => useApp().me;
export const useCore = (): PhoneCore => useApp().core;

/** One part of the telephone's state; the page is drawn again when that part changes. */
export function usePhone<T>(select: (s: PhoneState) => T): T {
  const core = useCore();
  const get = useCallback(() => select(core.getState()), [core, select]);
  return useSyncExternalStore(core.subscribe, get);
}

/** Whether to show a part at all; the server decides what is allowed. */
export function can(me: Me, permission: string): boolean {
  return me.permissions.includes(permission);
}
