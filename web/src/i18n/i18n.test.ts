import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
// The same search that `node scripts/keys.mjs` prints.
import { allKeys } from '../../scripts/keys.mjs';
import en from './en.json';
import ru from './ru.json';

const PLURAL = /_(zero|one|two|few|many|other)$/;

function flatten(o: object, at = ''): Map<string, string> {
  const out = new Map<string, string>();
  for (const [k, v] of Object.entries(o)) {
    const key = at ? `${at}.${k}` : k;
    if (typeof v === 'string') out.set(key, v);
    else for (const [k2, v2] of flatten(v as object, key)) out.set(k2, v2);
  }
  return out;
}

const RU = flatten(ru);
const EN = flatten(en);
const base = (m: Map<string, string>) => new Set([...m.keys()].map((k) => k.replace(PLURAL, '')));
const holes = (s: string) =>
  [...s.matchAll(/\{\{(\w+)\}\}/g)]
    .map((m) => m[1])
    .sort()
    .join();

describe('dictionaries', () => {
  it('have the same texts', () => {
    expect([...base(RU)].filter((k) => !base(EN).has(k))).toEqual([]);
    expect([...base(EN)].filter((k) => !base(RU).has(k))).toEqual([]);
  });

  it('have every plural form of their language', () => {
    for (const [m, forms] of [
      [RU, ['one', 'few', 'many', 'other']],
      [EN, ['one', 'other']],
    ] as const) {
      // A form beside "one" makes a plural: state.busy_other alone is just a name.
      const counted = new Set(
        [...m.keys()].filter((k) => /_(one|few|many)$/.test(k)).map((k) => k.replace(PLURAL, '')),
      );
      for (const k of counted) for (const f of forms) expect(m.has(`${k}_${f}`), `${k}_${f}`).toBe(true);
    }
  });

  it('fill the same gaps', () => {
    for (const [k, v] of EN) {
      const other = RU.get(k);
      if (other !== undefined) expect(holes(other), k).toBe(holes(v));
    }
  });

  it('are not empty and not left in the other language', () => {
    for (const [k, v] of RU) {
      expect(v.trim(), k).not.toBe('');
      const words = v.replace(/\{\{\w+\}\}/g, '');
      if (!/[а-яё]/i.test(words))
        expect(words, k).toMatch(/^[^a-z]*$|^(SMS|SL|API|Telegram|WhatsApp|Viber|Facebook)$/i);
    }
    for (const [k, v] of EN) expect(v, k).not.toMatch(/[а-яё]/i);
  });

  it('hold every key that the source uses', () => {
    const { keys, prefixes } = allKeys(new URL('..', import.meta.url).pathname);
    const have = base(EN);
    expect([...keys].filter((k) => !have.has(k))).toEqual([]);
    expect([...prefixes].filter((p) => ![...have].some((k) => k.startsWith(p)))).toEqual([]);
  });

  it('hold nothing that the source does not use', () => {
    const { keys, prefixes } = allKeys(new URL('..', import.meta.url).pathname);
    // Values of fields are looked up by the field's own name (desk/eventText.ts).
    const byField = [
      'status.',
      'cause.',
      'flag.',
      'kind.',
      'severity.',
      'priority.',
      'event.',
      'error.',
      'mic.',
    ];
    const used = (k: string) => keys.has(k) || [...prefixes, ...byField].some((p) => k.startsWith(p));
    expect([...base(EN)].filter((k) => !used(k))).toEqual([]);
  });
});

describe('Russian plurals', () => {
  beforeAll(() =>
    i18next.init({ lng: 'ru', resources: { ru: { translation: ru }, en: { translation: en } } }),
  );
  it.each([
    [1, '1 перезвон ждёт'],
    [2, '2 перезвона ждут'],
    [5, '5 перезвонов ждут'],
    [11, '11 перезвонов ждут'],
    [21, '21 перезвон ждёт'],
    [22, '22 перезвона ждут'],
    [25, '25 перезвонов ждут'],
    [111, '111 перезвонов ждут'],
  ])('%d', (count, want) => {
    expect(i18next.t('callback.waiting', { count })).toBe(want);
  });
  it('reads English too', () => {
    expect(i18next.t('callback.waiting', { count: 1, lng: 'en' })).toBe('1 callback waiting');
    expect(i18next.t('callback.waiting', { count: 2, lng: 'en' })).toBe('2 callbacks waiting');
  });
});
