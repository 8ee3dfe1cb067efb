// Takes pictures of every page and state from the made-up server, and runs axe-core on each:
//   node scripts/shots.mjs [out=/tmp/hotline-shots] [only=desk,live] [lang=ru,en] [scheme=light,dark] [width=1280,390]
// Exits with 1 when a page has a serious finding, a script error or a horizontal overflow.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { start } from './mock-server.mjs';

const args = Object.fromEntries(process.argv.slice(2).map((a) => a.split('=')));
const list = (name, all) => (args[name] ? args[name].split(',') : all);
const out = args.out ?? '/tmp/hotline-shots';
mkdirSync(out, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const connected = () => {
  window.__hotline.core.dispatch({ t: 'local.media', d: { status: 'connected' } });
};
const measured = () => {
  const core = window.__hotline.core;
  core.dispatch({ t: 'local.media', d: { status: 'connected' } });
  core.dispatch({
    t: 'local.quality',
    d: { score: 4.31, level: 'good', rtt: 38, jitter: 3, loss: 0.2, path: 'udp' },
  });
};

/** name, login ('' = nobody), path, scenes, and what to do on the page before the picture. */
const PAGES = [
  { name: 'signin', login: '', path: '/' },
  {
    name: 'signin-locked',
    login: '',
    path: '/',
    act: async (p) => {
      await p.fill('input[autocomplete=username]', 'agent1');
      await p.fill('input[type=password]', 'locked');
      await p.click('button[type=submit]');
      await p.waitForSelector('[role=alert]');
    },
  },
  {
    name: 'signed-in-and-out',
    login: '',
    path: '/contacts',
    act: async (p) => {
      await p.fill('input[autocomplete=username]', 'agent1');
      await p.fill('input[type=password]', 'demo');
      await p.click('button[type=submit]');
      await p.waitForSelector('table', { timeout: 5000 });
      await p.click('header [aria-haspopup=menu] >> nth=-1');
      await p.click('text=/^(Выйти|Sign out)$/');
      await p.waitForSelector('input[type=password]', { timeout: 5000 });
    },
  },
  { name: 'shift', path: '/shift', act: (p) => p.waitForTimeout(700) },
  { name: 'desk', path: '/desk/mine', scenes: ['available'], eval: connected },
  { name: 'desk-empty', path: '/desk/mine', scenes: ['empty', 'paused'], eval: connected },
  {
    name: 'desk-error',
    path: '/desk/team',
    scenes: ['fail'],
    act: (p) => p.waitForSelector('[role=alert]', { timeout: 9000 }),
  },
  { name: 'missed', path: '/desk/missed', scenes: ['available'], eval: connected },
  {
    name: 'unlinked',
    path: '/desk/unlinked',
    scenes: ['available'],
    eval: connected,
    act: async (p) => {
      await p.click('text=/Привязать|^Link$/');
      await p.waitForTimeout(400);
    },
  },
  { name: 'incoming', path: '/desk/mine/482207', after: ['offer'], eval: connected },
  { name: 'incoming-shared', path: '/desk/mine', after: ['shared'], eval: connected },
  { name: 'dialling', path: '/desk/missed', scenes: ['available'], after: ['dial'], eval: connected },
  {
    name: 'dial-failed',
    path: '/desk/missed',
    scenes: ['available'],
    after: ['dial', 'busy'],
    eval: connected,
    act: (p) => p.waitForTimeout(300),
  },
  { name: 'idle-lead', login: 'lead1', path: '/desk/mine', scenes: ['available'], eval: connected },
  { name: 'talk', path: '/desk/mine', scenes: ['available'], after: ['talk'], eval: measured },
  { name: 'talk-link', path: '/desk/mine', after: ['link'], eval: measured },
  { name: 'wrapup', path: '/desk/mine/482170', after: ['wrapup'], eval: connected },
  {
    name: 'ticket',
    path: '/desk/mine/482170',
    scenes: ['available'],
    eval: connected,
    act: (p) => p.waitForTimeout(600),
  },
  {
    name: 'ticket-top',
    path: '/desk/mine/482170',
    scenes: ['available'],
    eval: connected,
    act: (p) =>
      p.evaluate(() => {
        document.querySelector('section[tabindex="0"]').scrollTop = 420;
      }),
  },
  {
    name: 'solve',
    path: '/desk/mine/482170',
    scenes: ['available'],
    eval: connected,
    act: async (p) => {
      await p.keyboard.press('s');
      await p.waitForTimeout(400);
    },
  },
  {
    name: 'new-ticket',
    path: '/desk/mine',
    scenes: ['available'],
    eval: connected,
    act: async (p) => {
      await p.click('button[aria-label="Новый тикет"], button[aria-label="New ticket"]');
      await p.waitForTimeout(400);
    },
  },
  {
    name: 'palette',
    path: '/desk/mine',
    scenes: ['available'],
    eval: connected,
    act: async (p) => {
      await p.keyboard.press('Control+k');
      await p.waitForTimeout(400);
    },
  },
  { name: 'contacts', path: '/contacts' },
  { name: 'contact', path: '/contacts/11', scenes: ['available'], eval: connected },
  { name: 'live', login: 'lead1', path: '/live', act: (p) => p.waitForTimeout(1200) },
  {
    name: 'live-empty',
    login: 'lead1',
    path: '/live',
    scenes: ['empty'],
    act: (p) => p.waitForTimeout(1200),
  },
  {
    name: 'live-stale',
    login: 'lead1',
    path: '/live',
    scenes: ['freeze'],
    act: async (p) => {
      await p.waitForTimeout(300);
      await p.evaluate(() => {
        const now = Date.now;
        Date.now = () => now() + 31_000;
      });
      await p.waitForTimeout(1300);
    },
  },
  {
    name: 'live-listen',
    login: 'lead1',
    path: '/live',
    scenes: ['available'],
    eval: connected,
    act: async (p) => {
      await p.evaluate(() =>
        window.__hotline.core.dispatch({ t: 'local.monitor', d: { leg: 'M1', mode: 'whisper', call: 'L1' } }),
      );
      await p.waitForTimeout(300);
    },
  },
  { name: 'users', login: 'admin', path: '/admin/users' },
  {
    name: 'user',
    login: 'admin',
    path: '/admin/users',
    act: async (p) => {
      await p.click('text=Анна Соколова');
      await p.waitForTimeout(500);
    },
  },
  {
    name: 'user-secret',
    login: 'admin',
    path: '/admin/users',
    act: async (p) => {
      await p.click('text=Пост охраны');
      await p.waitForTimeout(400);
      await p.click('text=/SIP-пароль|SIP password/');
      await p.waitForTimeout(500);
    },
  },
  { name: 'queues', login: 'admin', path: '/admin/queues' },
  {
    name: 'queue',
    login: 'admin',
    path: '/admin/queues',
    act: async (p) => {
      await p.click('table button');
      await p.waitForTimeout(500);
    },
  },
  { name: 'trunks', login: 'admin', path: '/admin/trunks' },
  {
    name: 'trunk',
    login: 'admin',
    path: '/admin/trunks',
    act: async (p) => {
      await p.click('text=reserve');
      await p.waitForTimeout(500);
    },
  },
  { name: 'flows', login: 'admin', path: '/admin/flows' },
  { name: 'tokens', login: 'admin', path: '/admin/tokens' },
  { name: 'settings', path: '/settings' },
  { name: 'alert', login: 'lead1', path: '/live', after: ['alert'], act: (p) => p.waitForTimeout(600) },
  { name: 'notfound', path: '/nowhere' },
];

const mock = await start();
const base = `http://127.0.0.1:${mock.port}`;
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
  ],
});
let bad = 0;
const only = args.only?.split(',');

for (const lang of list('lang', ['ru', 'en'])) {
  for (const scheme of list('scheme', ['light', 'dark'])) {
    for (const width of list('width', ['1280', '390']).map(Number)) {
      for (const p of PAGES) if (!only || only.includes(p.name)) await shoot(p, lang, scheme, width);
    }
  }
}
await browser.close();
mock.close();
console.log(bad === 0 ? 'no findings' : `${bad} findings`);
process.exit(bad === 0 ? 0 : 1);

async function shoot(p, lang, scheme, width) {
  const context = await browser.newContext({
    viewport: { width, height: width < 700 ? 844 : 800 },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    locale: lang === 'ru' ? 'ru-RU' : 'en-GB',
    timezoneId: 'Europe/Moscow',
  });
  const page = await context.newPage();
  const name = `${p.name}-${lang}-${scheme}-${width}`;
  page.on('pageerror', (e) => report(name, `script error: ${e.message}`));
  page.on(
    'console',
    (m) =>
      m.type() === 'error' &&
      !/Failed to load resource/.test(m.text()) &&
      report(name, `console: ${m.text().slice(0, 200)}`),
  );
  await context.addInitScript((l) => {
    localStorage.setItem('hotline.lang', l);
    localStorage.setItem('hotline.test', '1');
  }, lang);
  await fetch(`${base}/mock/reset`);
  if (p.login !== '') await context.addCookies([{ name: 'mock', value: p.login ?? 'agent1', url: base }]);
  for (const s of p.scenes ?? []) await fetch(`${base}/mock/${s}`);
  await page.goto(base + p.path, { waitUntil: 'networkidle' });
  for (const s of p.after ?? []) await fetch(`${base}/mock/${s}`);
  await page.waitForTimeout(p.after ? 500 : 200);
  if (p.eval) await page.evaluate(p.eval);
  try {
    await p.act?.(page);
  } catch (err) {
    report(name, `could not act: ${String(err).slice(0, 160)}`);
  }
  await page.waitForTimeout(150);
  await page.screenshot({ path: `${out}/${name}.png` });
  const wide = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (wide > 0) report(name, `${wide} px wider than the window`);
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  for (const v of found.violations) {
    if (!['serious', 'critical'].includes(v.impact) && !args.all) continue;
    report(
      name,
      `${v.impact} ${v.id}: ${v.nodes
        .slice(0, 2)
        .map((n) => `${n.target} ${n.any[0]?.message ?? ''}`)
        .join(' | ')
        .slice(0, 260)}`,
    );
  }
  await context.close();
}

function report(name, what) {
  bad += 1;
  console.log(`${name}: ${what}`);
}
