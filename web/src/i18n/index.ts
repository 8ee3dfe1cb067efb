// Languages: Russian and English, both complete. The dictionary of the other language is loaded when it is asked for.

import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type { Lang, Localized } from '~/api/types';

export const LANGS: { key: Lang; name: string }[] = [
  { key: 'ru', name: 'Русский' },
  { key: 'en', name: 'English' },
];

const KEY = 'hotline.lang';

const load: Record<Lang, () => Promise<{ default: object }>> = {
  ru: () => import('./ru.json'),
  en: () => import('./en.json'),
};

/** The stored choice, else the browser's first language that we have, else English. */
export function firstLang(): Lang {
  const stored = localStorage.getItem(KEY);
  if (stored === 'ru' || stored === 'en') return stored;
  for (const l of navigator.languages ?? []) {
    if (l.startsWith('ru')) return 'ru';
    if (l.startsWith('en')) return 'en';
  }
  return 'en';
}

export async function startI18n(lang: Lang = firstLang()): Promise<void> {
  const { default: texts } = await load[lang]();
  await i18next.use(initReactI18next).init({
    lng: lang,
    fallbackLng: false,
    resources: { [lang]: { translation: texts } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
  document.documentElement.lang = lang;
}

export async function setLang(lang: Lang): Promise<void> {
  if (!i18next.hasResourceBundle(lang, 'translation')) {
    const { default: texts } = await load[lang]();
    i18next.addResourceBundle(lang, 'translation', texts);
  }
  localStorage.setItem(KEY, lang);
  await i18next.changeLanguage(lang);
  document.documentElement.lang = lang;
}

export function currentLang(): Lang {
  return i18next.language === 'ru' ? 'ru' : 'en';
}

/** A text the server sent in several languages, in ours; else in any. */
export function local(text: Localized | string | undefined | null, fallback = ''): string {
  if (!text) return fallback;
  if (typeof text === 'string') return text;
  return text[currentLang()] ?? text.en ?? text.ru ?? fallback;
}
