// Notes survive a reload: what was typed for a call stays in this tab's storage until the server has it for good.

const PREFIX = 'hotline.note.';
const KEEP_MS = 12 * 3600 * 1000;

export interface Draft {
  note: string;
  topic?: string;
  result?: string;
  at: number;
}

export function loadDraft(call: string, store: Storage = sessionStorage): Draft | null {
  try {
    return JSON.parse(store.getItem(PREFIX + call) ?? 'null') as Draft | null;
  } catch {
    return null;
  }
}

export function saveDraft(
  call: string,
  d: Omit<Draft, 'at'>,
  now: number,
  store: Storage = sessionStorage,
): void {
  try {
    store.setItem(PREFIX + call, JSON.stringify({ ...d, at: now }));
  } catch {
    // Full or forbidden: the copy on the server has to do.
  }
}

export function dropDraft(call: string, store: Storage = sessionStorage): void {
  store.removeItem(PREFIX + call);
}

/** Throws away what nobody came back for. */
export function sweepDrafts(now: number, store: Storage = sessionStorage): void {
  for (let i = store.length - 1; i >= 0; i--) {
    const key = store.key(i);
    if (!key?.startsWith(PREFIX)) continue;
    const d = loadDraft(key.slice(PREFIX.length), store);
    if (!d || now - d.at > KEEP_MS) store.removeItem(key);
  }
}
