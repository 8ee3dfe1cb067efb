// Personal switches of this browser.

import { makeStore } from './store';

interface Prefs {
  /** Single-letter keys of ticket lists and of the incoming call (WCAG 2.1.4: can be switched off). */
  singleKeys: boolean;
}

const KEY = 'hotline.prefs';

function read(): Prefs {
  try {
    return {
      singleKeys: true,
      ...(JSON.parse(globalThis.localStorage?.getItem(KEY) ?? '{}') as Partial<Prefs>),
    };
  } catch {
    return { singleKeys: true };
  }
}

export const prefs = makeStore<Prefs>(read());

export function setPref(next: Partial<Prefs>): void {
  prefs.set(next);
  localStorage.setItem(KEY, JSON.stringify(prefs.get()));
}
