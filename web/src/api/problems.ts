// Errors in words: what the server or the telephone refused becomes a sentence in the user's language.

import i18next from 'i18next';
import { PhoneError } from '~/phone/protocol';
import { ApiError } from './client';
import type { Lang } from './types';

export interface Shown {
  title: string;
  detail?: string;
  /** For support: names the log lines of this failure. */
  trace?: string;
}

/** explain puts an error into words. It never shows a raw code alone, and never invents a cause. */
export function explain(err: unknown): Shown {
  const t = i18next.t.bind(i18next);
  if (err instanceof PhoneError) {
    const own = err.text?.[i18next.language as Lang] ?? err.text?.en;
    const key = `error.phone.${err.code}`;
    return { title: own ?? (i18next.exists(key) ? t(key) : t('error.phone.other', { code: err.code })) };
  }
  if (err instanceof ApiError) {
    const key = `error.code.${err.code}`;
    const title = i18next.exists(key)
      ? t(key, { seconds: err.body.retry_after ?? 60 })
      : t(`error.code.${err.status >= 500 ? 'internal' : 'other'}`, { code: err.code });
    const fields = (err.body.errors ?? []).map((e) => e.message).filter(Boolean);
    const detail = fields.length > 0 ? fields.join('; ') : err.status < 500 ? err.body.detail : undefined;
    return { title, detail: detail || undefined, trace: err.body.trace_id };
  }
  return { title: t('error.code.internal') };
}

/** Messages by the form's field, so that each stands under its input. */
export function fieldErrors(err: unknown): Record<string, string> {
  if (!(err instanceof ApiError)) return {};
  const out: Record<string, string> = {};
  for (const e of err.body.errors ?? []) {
    const name = e.field ?? e.location?.replace(/^body\./, '');
    if (name && e.message) out[name] = e.message;
  }
  if (err.body.field && !out[err.body.field]) out[err.body.field] = explain(err).detail ?? explain(err).title;
  return out;
}
