import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import en from '~/i18n/en.json';
import ru from '~/i18n/ru.json';
import { ago, clock, dayOf, due, initials, percent, phone, span } from './format';
import { keyName } from './keys';

beforeAll(() =>
  i18next.init({
    lng: 'en',
    resources: { ru: { translation: ru }, en: { translation: en } },
    interpolation: { escapeValue: false },
  }),
);

const at = new Date(2026, 10, 24, 14, 30, 0);
const now = at.getTime();
const past = (s: number) => new Date(now - s * 1000).toISOString();

describe('spans', () => {
  it.each([
    [-3, '0:00'],
    [5, '0:05'],
    [754, '12:34'],
    [3723, '1:02:03'],
  ])('clock %d', (s, want) => expect(clock(s)).toBe(want));

  it.each([
    [42, '42 s'],
    [60, '1 min'],
    [185, '3 min 5 s'],
    [605, '10 min'],
    [7800, '2 h 10 min'],
    [90_000, '1 d 1 h'],
    [400_000, '4 d'],
  ])('span %d', (s, want) => expect(span(s)).toBe(want));

  it('reads Russian', async () => {
    await i18next.changeLanguage('ru');
    expect(span(185)).toBe('3 мин 5 с');
    expect(due(past(-1500), now)?.text).toBe('через 25 мин');
    await i18next.changeLanguage('en');
  });
});

describe('instants', () => {
  it('get shorter the nearer they are', () => {
    expect(ago(past(10), now)).toBe('now');
    expect(ago(past(300), now)).toBe('5 min');
    expect(ago(past(7200), now)).toBe('12:30');
    expect(ago(past(40 * 86_400), now)).toBe('15 Oct');
    expect(ago(past(400 * 86_400), now)).toMatch(/2025/);
    expect(ago(null)).toBe('');
    expect(ago('rubbish')).toBe('');
  });

  it('name days', () => {
    expect(dayOf(past(60), now)).toBe('Today');
    expect(dayOf(past(86_400), now)).toBe('Yesterday');
    expect(dayOf(past(3 * 86_400), now)).toMatch(/Saturday/);
  });

  it('tell deadlines both ways', () => {
    expect(due(past(-600), now)).toMatchObject({ text: 'in 10 min', late: false, soon: true });
    expect(due(past(720), now)).toMatchObject({ text: '12 min late', late: true });
    expect(due(past(-86_400 * 2), now)).toMatchObject({ text: 'in 2 d', soon: false });
    expect(due(undefined)).toBeNull();
  });
});

describe('numbers', () => {
  it.each([
    ['+79161234567', '+7 916 123-45-67'],
    ['+12025550123', '+1 202 555-0123'],
    ['+4930123456', '+49 30 123 456'],
    ['200', '200'],
    ['anonymous', 'anonymous'],
    ['', ''],
  ])('phone %s', (raw, want) => expect(phone(raw)).toBe(want));

  it('percent and initials', () => {
    expect(percent(null)).toBe('–');
    expect(percent(79.6)).toBe('80 %');
    expect(initials('Анна Соколова')).toBe('АС');
    expect(initials('+7 916')).toBe('#');
    expect(initials('Клиника «Доверие»')).toBe('К');
  });
});

describe('keys', () => {
  const k = (code: string, key: string, more = {}) =>
    keyName({ code, key, altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...more });
  it('are named by their place, whatever the layout', () => {
    expect(k('KeyA', 'ф', { altKey: true })).toBe('alt+a');
    expect(k('KeyN', 'т')).toBe('n');
    expect(k('Numpad3', '3')).toBe('3');
    expect(k('Slash', '/')).toBe('/');
    expect(k('KeyJ', 'J', { shiftKey: true })).toBe('shift+j');
  });
});
