import { useSyncExternalStore } from 'react';

/** A tiny store for state that several distant pieces of the page share. */
export interface Store<T> {
  get: () => T;
  set: (next: Partial<T>) => void;
  subscribe: (fn: () => void) => () => void;
}

export function makeStore<T extends object>(initial: T): Store<T> {
  let state = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    set: (next) => {
      state = { ...state, ...next };
      for (const fn of listeners) fn();
    },
    subscribe: (fn) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
  };
}

export function useStore<T extends object>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}
