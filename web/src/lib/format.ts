// Times, spans, numbers and telephone numbers as a person reads them, in the user's language and zone.

import i18next from 'i18next';

const cache = new Map<string, Intl.DateTimeFormat>();

function fmt(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${i18next.language}/${name}`;
  let f = cache.get(key);
  if (!f) {
    f = new Intl.DateTimeFormat(i18next.language === 'ru' ? 'ru-RU' : 'en-GB', options);
    cache.set(key, f);
  }
  return f;
}

/** clock shows a span as a running timer: 0:05, 12:34, 1:02:03. Negative spans read 0:00. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  const tail = String(s % 60).padStart(2, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`;
}

/** span says a duration in words, at most two units: "42 s", "3 min 5 s", "2 h 10 min", "4 d". */
export function span(seconds: number): string {
  const t = i18next.t.bind(i18next);
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t('unit.s', { n: s });
  const m = Math.floor(s / 60);
  if (m < 60) return join(t('unit.min', { n: m }), s % 60 && m < 10 ? t('unit.s', { n: s % 60 }) : '');
  const h = Math.floor(m / 60);
  if (h < 24) return join(t('unit.h', { n: h }), m % 60 ? t('unit.min', { n: m % 60 }) : '');
  const d = Math.floor(h / 24);
  return join(t('unit.d', { n: d }), d < 3 && h % 24 ? t('unit.h', { n: h % 24 }) : '');
}

function join(a: string, b: string): string {
  return b ? `${a} ${b}` : a;
}

type Instant = string | number | Date | null | undefined;

function date(at: Instant): Date | null {
  if (at === null || at === undefined || at === '') return null;
  const d = new Date(at);
  return Number.isNaN(d.getTime()) ? null : d;
}

/** ago says how long it is since, short enough for a list: "now", "5 min", "14:02", "12 Mar", "12 Mar 2024". */
export function ago(at: Instant, now = Date.now()): string {
  const d = date(at);
  if (!d) return '';
  const s = Math.round((now - d.getTime()) / 1000);
  if (s >= -5 && s < 45) return i18next.t('time.now');
  if (s >= 45 && s < 3570) return i18next.t('unit.min', { n: Math.max(1, Math.round(s / 60)) });
  const today = new Date(now);
  if (d.toDateString() === today.toDateString()) return timeOf(d);
  if (d.getFullYear() === today.getFullYear()) return fmt('dm', { day: 'numeric', month: 'short' }).format(d);
  return fmt('dmy', { day: 'numeric', month: 'short', year: 'numeric' }).format(d);
}

export function timeOf(at: Instant): string {
  const d = date(at);
  return d ? fmt('t', { hour: '2-digit', minute: '2-digit' }).format(d) : '';
}

/** moment names an instant by the clock, with its date unless it is today. */
export function moment(at: Instant, now = Date.now()): string {
  const d = date(at);
  if (!d) return '';
  const today = d.toDateString() === new Date(now).toDateString();
  return today ? timeOf(d) : `${fmt('dm', { day: 'numeric', month: 'short' }).format(d)}, ${timeOf(d)}`;
}

/** dayOf names a day: "Today", "Yesterday", "Monday, 3 March". */
export function dayOf(at: Instant, now = Date.now()): string {
  const d = date(at);
  if (!d) return '';
  const days = Math.round((startOfDay(new Date(now)) - startOfDay(d)) / 86_400_000);
  if (days === 0) return i18next.t('time.today');
  if (days === 1) return i18next.t('time.yesterday');
  const sameYear = d.getFullYear() === new Date(now).getFullYear();
  return fmt(sameYear ? 'wdm' : 'wdmy', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(d);
}

function startOfDay(d: Date): number {
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

/** full gives the exact instant with its zone, for tooltips. */
export function full(at: Instant): string {
  const d = date(at);
  return d
    ? fmt('full', {
        day: 'numeric',
        month: 'long',
        year: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        timeZoneName: 'short',
      }).format(d)
    : '';
}

/** due tells a deadline from now on: "in 25 min", "12 min late". */
export function due(at: Instant, now = Date.now()): { text: string; late: boolean; soon: boolean } | null {
  const d = date(at);
  if (!d) return null;
  const s = Math.round((d.getTime() - now) / 1000);
  const late = s < 0;
  return {
    text: i18next.t(late ? 'time.late' : 'time.in', { span: roughly(Math.abs(s)) }),
    late,
    soon: !late && s < 3600,
  };
}

/** One unit is enough far away from the deadline. */
function roughly(s: number): string {
  if (s < 3600) return i18next.t('unit.min', { n: Math.max(1, Math.round(s / 60)) });
  if (s < 86_400) return i18next.t('unit.h', { n: Math.round(s / 3600) });
  return i18next.t('unit.d', { n: Math.round(s / 86_400) });
}

const RU = /^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/;
const US = /^\+1(\d{3})(\d{3})(\d{4})$/;

/** phone groups a number for reading; what is not a plain E.164 number stays as it came. */
export function phone(raw: string | undefined | null): string {
  if (!raw) return '';
  const ru = RU.exec(raw);
  if (ru) return `+7 ${ru[1]} ${ru[2]}-${ru[3]}-${ru[4]}`;
  const us = US.exec(raw);
  if (us) return `+1 ${us[1]} ${us[2]}-${us[3]}`;
  if (/^\+\d{8,15}$/.test(raw)) return raw.replace(/^(\+\d{2})(\d{2,4}?)((?:\d{3})+)$/, grouped);
  return raw;
}

function grouped(_: string, country: string, area: string, rest: string): string {
  return `${country} ${area} ${rest.replace(/(\d{3})(?=\d)/g, '$1 ')}`;
}

export function percent(v: number | null | undefined): string {
  return v === null || v === undefined ? '–' : `${Math.round(v)} %`;
}

/** Initials for a round badge: two letters at most. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/\s+/)
    .filter((w) => /^\p{L}/u.test(w));
  const letters = words.slice(0, 2).map((w) => [...w][0]?.toUpperCase() ?? '');
  return letters.join('') || '#';
}

/** The user's zone, in words that a colleague understands. */
export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
