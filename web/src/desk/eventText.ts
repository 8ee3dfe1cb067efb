import i18next from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Localized, TimelineItem } from '~/api/types';
import { local } from '~/i18n';

/** Where the words for a field's values stand, when not under the field's own name. */
const FIELD_TEXTS: Record<string, string> = { client_priority: 'priority', root_cause: 'cause' };

/** A value of a change as a person reads it: names instead of keys, a dash for nothing. */
function show(field: string | undefined, v: unknown): string {
  if (v === null || v === undefined || v === '') return '–';
  if (Array.isArray(v))
    return v.length === 0 ? '–' : v.map((x) => show(field === 'flags' ? 'flag' : field, x)).join(', ');
  if (typeof v === 'object') {
    const o = v as { name?: string | Localized; number?: string; login?: string; key?: string };
    if (o.name) return local(o.name);
    return o.number ? `#${o.number}` : (o.login ?? o.key ?? JSON.stringify(v));
  }
  const key = `${FIELD_TEXTS[field ?? ''] ?? field}.${String(v)}`;
  return i18next.exists(key) ? i18next.t(key) : String(v);
}

/** Says what a change was, by whom, and by which rule. */
export function useEventText(): (i: TimelineItem) => string {
  const { t } = useTranslation();
  return (i) => {
    const e = i.event;
    if (!e) return '';
    const who = i.author?.name ?? t(`actor.${e.actor_kind}`, { defaultValue: e.actor_kind });
    const key = `event.${e.type}`;
    const field = e.field ? t(`field.${e.field}`, { defaultValue: e.field }) : '';
    const what = i18next.exists(key)
      ? t(key, { old: show(e.field, e.old), new: show(e.field, e.new) })
      : e.field
        ? t('event.change', { field, old: show(e.field, e.old), new: show(e.field, e.new) })
        : e.type;
    const why = e.reason_text ? ` – ${e.reason_text}` : '';
    return `${who}: ${what}${why}${e.rule ? ` (${e.rule})` : ''}`;
  };
}
