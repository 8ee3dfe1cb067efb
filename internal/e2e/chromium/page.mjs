// One Chromium with one page, told what to do by JSON lines on stdin: {op, ...} -> {ok, value} or {error}.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { chromium } = await import(pathToFileURL(process.env.PLAYWRIGHT).href);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium', headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${process.env.MICROPHONE}`, '--autoplay-policy=no-user-gesture-required'],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 850 }, locale: 'en-US', colorScheme: process.env.SCHEME ?? 'light' });
await context.addInitScript(() => { localStorage.setItem('hotline.test', '1'); localStorage.setItem('hotline.rawAudio', '1'); });
const errors = [];
const open = async () => {
  const p = await context.newPage();
  p.on('pageerror', (e) => errors.push(String(e)));
  p.on('response', (r) => r.status() >= 500 && errors.push(`${r.status()} ${r.url()}`));
  return p;
};
let page = await open();
const button = (name) => page.getByRole('button', { name: new RegExp(name, 'i') });
const words = {
  goto: (c) => page.goto(c.url),
  login: async (c) => {
    await page.goto(c.url);
    await page.fill('input[autocomplete=username]', c.login);
    await page.fill('input[type=password]', c.password);
    await page.keyboard.press('Enter');
    await page.waitForURL((u) => !u.pathname.includes('login') && u.pathname !== '/', { timeout: 15000 });
  },
  startShift: async () => {
    await page.getByText(/^(start shift|начать смену)$/i).first().click();
    await page.waitForURL('**/shift');
    await button('^(start shift|начать смену)$').click({ timeout: 15000 });
    await page.getByText(/^(available|готов)/i).first().waitFor({ timeout: 15000 });
  },
  press: (c) => button(c.name).first().click({ timeout: c.timeout ?? 20000 }),
  see: (c) => page.getByText(new RegExp(c.text, 'i')).first().waitFor({ timeout: c.timeout ?? 20000 }),
  tone: (c) => page.evaluate((f) => window.__tone(f), c.freqs),
  reload: () => page.reload(),
  secondTab: async (c) => { page = await open(); await page.goto(c.url); },
  text: () => page.locator('body').innerText(),
  overflow: () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  size: (c) => page.setViewportSize({ width: c.width, height: 850 }),
  wait: (c) => page.waitForTimeout(c.ms),
  errors: () => errors,
  screenshot: (c) => page.screenshot({ path: c.path }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line);
  try {
    process.stdout.write(JSON.stringify({ ok: true, value: (await words[c.op](c)) ?? null }, (k, v) => (v && typeof v === 'object' && v.constructor?.name === 'Response' ? null : v)) + '\n');
  } catch (e) {
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT }).catch(() => {});
    process.stdout.write(JSON.stringify({ error: String(e).slice(0, 800) }) + '\n');
  }
}
await browser.close();
