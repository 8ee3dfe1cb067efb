// One Chromium process, told what to do by JSON lines on stdin: {op, tab?, ...} -> {value} or {error}. When stdin ends,
// the browser ends. The environment names the driver library, the microphone's WAV file and axe-core.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { chromium } = await import(pathToFileURL(process.env.PLAYWRIGHT).href);
const axe = readFileSync(process.env.AXE, 'utf8');
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
    `--use-file-for-fake-audio-capture=${process.env.MICROPHONE}`,
  ],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 850 }, locale: 'en-US' });
context.setDefaultTimeout(20000);
await context.addInitScript(() => {
  localStorage.setItem('hotline.test', '1'); // window.__tone
  localStorage.setItem('hotline.rawAudio', '1'); // no noise suppression: it eats tones
});

const faults = [];
const tabs = [];
const open = async () => {
  const page = await context.newPage();
  page.on('dialog', (d) => d.accept()); // "leave in a call?": yes
  page.on('pageerror', (e) => faults.push(String(e)));
  page.on('response', (r) => r.status() >= 500 && faults.push(`${r.status()} ${r.url()}`));
  tabs.push(page);
  return page;
};
await open();

const re = (s) => new RegExp(s, 'i');
const words = {
  goto: async (p, c) => {
    await p.goto(c.url);
    await p.locator('#main, input[type=password]').first().waitFor();
  },
  login: async (p, c) => {
    await p.goto(c.url);
    await p.fill('input[autocomplete=username]', c.login);
    await p.fill('input[type=password]', c.password);
    await p.keyboard.press('Enter');
    await p.locator('#main').waitFor();
  },
  press: (p, c) => p.getByRole(c.role ?? 'button', { name: re(c.name) }).first().click(),
  click: (p, c) => p.getByText(re(c.text)).first().click(),
  key: (p, c) => p.keyboard.press(c.key),
  see: (p, c) => p.getByText(re(c.text)).first().waitFor(),
  gone: (p, c) => p.getByText(re(c.text)).first().waitFor({ state: 'hidden' }),
  count: (p, c) => p.getByText(re(c.text)).count(),
  fill: (p, c) => p.getByLabel(c.label).first().fill(c.value),
  value: (p, c) => p.getByLabel(c.label).first().inputValue(),
  text: (p, c) => p.locator(c.selector ?? 'body').first().innerText(),
  pressed: (p, c) => p.getByRole('button', { name: re(c.name) }).first().getAttribute('aria-pressed'),
  js: (p, c) => p.evaluate(c.js),
  until: async (p, c) => {
    // Not waitForFunction: our own security policy forbids what it does in the page. A page may be reloading meanwhile.
    const end = Date.now() + 20000;
    while (!(await p.evaluate(c.js).catch(() => false))) {
      if (Date.now() > end) throw new Error(`never true: ${c.js}`);
      await new Promise((done) => setTimeout(done, 30));
    }
  },
  tone: (p, c) => p.evaluate((f) => window.__tone(f), c.freqs),
  reload: async (p) => void (await p.reload()),
  newTab: async (p, c) => words.goto(await open(), c),
  closeTab: async (p) => {
    await p.close();
    tabs.splice(tabs.indexOf(p), 1);
  },
  quiet: (p) => p.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => undefined),
  rest: (p) => p.waitForTimeout(700), // what moves has come to rest
  scheme: (p, c) => p.emulateMedia({ colorScheme: c.value }),
  size: (p, c) => p.setViewportSize({ width: c.width, height: 850 }),
  overflow: (p) => p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
  axe: async (p) => {
    await p.evaluate(axe);
    return p.evaluate(async () =>
      // The rule switched off takes the initials in a hidden avatar for the words of its button.
      (await window.axe.run({ rules: { 'label-content-name-mismatch': { enabled: false } } })).violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`),
    );
  },
  screenshot: async (p, c) => void (await p.screenshot({ path: c.path })),
  faults: () => faults,
};

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await words[c.op](tabs[c.tab ?? 0], c)) ?? null };
  } catch (e) {
    const body = await tabs[c.tab ?? 0]?.locator('body').innerText({ timeout: 1000 }).catch(() => '');
    answer = { error: `${String(e).slice(0, 700)}\nthe page says: ${String(body).slice(0, 1500)}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
