// A server with made-up data for looking at the pages: `node scripts/mock-server.mjs [port]`. It speaks enough of the
// API and of phone.v1 to show every state; it keeps nothing. Scenes are played by GET /mock/<scene>.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import * as fx from './fixtures.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

/** Starts it; resolves to {port, close}. */
export function start(port = 0) {
  const world = {
    agent: { state: 'offline', since: Date.now() },
    calls: [],
    wrapup: null,
    empty: false,
    fail: false,
    frozen: false,
    sockets: new Set(),
    seq: 1,
  };
  const server = createServer((req, res) => {
    const url = new URL(req.url, 'http://mock');
    let body = '';
    req.on('data', (d) => {
      body += d;
    });
    req.on('end', () => {
      if (url.pathname.startsWith('/api/v1/')) api(world, req, res, url, body);
      else if (url.pathname.startsWith('/mock/')) scene(world, url.pathname.slice(6), res);
      else file(url.pathname, res);
    });
  });
  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) =>
    wss.handleUpgrade(req, socket, head, (ws) => phone(world, ws, who(req))),
  );
  const timer = setInterval(() => !world.frozen && stats(world), 1000);
  return new Promise((resolve) =>
    server.listen(port, '127.0.0.1', () =>
      resolve({
        port: server.address().port,
        close: () => {
          clearInterval(timer);
          for (const ws of world.sockets) ws.terminate();
          server.close();
        },
      }),
    ),
  );
}

function file(path, res) {
  let name = join(dist, normalize(path).replace(/^(\.\.[/\\])+/, ''));
  if (!existsSync(name) || statSync(name).isDirectory()) name = join(dist, 'index.html');
  if (!existsSync(name)) {
    res.writeHead(404).end('npm run build first');
    return;
  }
  res
    .writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream' })
    .end(readFileSync(name));
}

function who(req) {
  const login = /mock=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
  return login ? fx.people[login] : undefined;
}

const json = (res, status, data, headers = {}) =>
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(data));
const page = (data, more = false) => ({ data, page: { next: more ? 'x' : '', has_more: more } });
const problem = (res, status, code, detail, headers) =>
  json(
    res,
    status,
    { type: 'about:blank', title: code, status, code, detail, trace_id: '8f31c2aa' },
    headers,
  );

function api(world, req, res, url, raw) {
  const path = url.pathname.slice('/api/v1'.length);
  const me = who(req);
  const body = raw ? JSON.parse(raw) : {};
  if (path === '/session' && req.method === 'POST') {
    if (body.password === 'locked')
      return problem(res, 429, 'locked', 'too many tries', { 'Retry-After': '840' });
    if (!fx.people[body.login] || body.password !== 'demo')
      return problem(res, 401, 'wrong_password', 'wrong login or password');
    return json(
      res,
      200,
      { agent: fx.people[body.login] },
      { 'Set-Cookie': `mock=${body.login}; Path=/; HttpOnly` },
    );
  }
  if (!me) return problem(res, 401, 'unauthenticated', 'sign in first');
  if (path === '/session' && req.method === 'DELETE')
    return res.writeHead(204, { 'Set-Cookie': 'mock=; Path=/; Max-Age=0' }).end();
  if (path === '/session') return json(res, 200, { agent: me });
  if (world.fail) return problem(res, 503, 'unavailable', 'the database does not answer now; try again');
  if (req.method === 'GET') return read(world, path, url, res);
  return write(path, req.method, body, res);
}

function read(world, path, url, res) {
  const e = (list) => page(world.empty ? [] : list);
  const q = url.searchParams;
  const lists = {
    '/tickets': () =>
      e(
        fx.tickets.filter(
          (t) =>
            (q.get('mine') ? t.assignee?.login === 'agent1' : true) &&
            (q.get('q') ? t.title.toLowerCase().includes(q.get('q').toLowerCase()) : true),
        ),
      ),
    '/contacts': () =>
      e(fx.contacts.filter((c) => !q.get('q') || c.name.toLowerCase().includes(q.get('q').toLowerCase()))),
    '/calls': () => e(q.get('state') === 'unlinked' ? fx.unlinked : fx.abandoned),
    '/callbacks': () => e(fx.callbacks),
    '/orgs': () => e(fx.orgs),
    '/teams': () => e(fx.teams),
    '/users': () => e(fx.users),
    '/queues': () => e(fx.queues),
    '/trunks': () => e(fx.trunks),
    '/numbers': () => e(fx.numbers),
    '/flows': () => e(fx.flows),
    '/tokens': () => e(fx.tokens),
    '/caller': () => fx.caller,
    '/live': () => (world.empty ? { queues: [], agents: [], calls: [] } : fx.live()),
  };
  if (lists[path]) return json(res, 200, lists[path]());
  const [, kind, id, sub] = path.split('/');
  if (kind === 'tickets' && sub === 'timeline') return json(res, 200, e(fx.timeline));
  if (kind === 'tickets') {
    const t = fx.tickets.find((x) => x.number === id);
    return t ? json(res, 200, t) : problem(res, 404, 'not_found', 'there is no such object');
  }
  if (kind === 'contacts' && sub === 'tickets')
    return json(res, 200, e(fx.tickets.filter((t) => t.contact?.id === Number(id))));
  if (kind === 'contacts' && sub === 'calls') return json(res, 200, e(fx.calls));
  if (kind === 'contacts') {
    const c = fx.contacts.find((x) => x.id === Number(id));
    return c ? json(res, 200, c) : problem(res, 404, 'not_found', 'there is no such object');
  }
  if (kind === 'recordings' && sub === 'peaks') return json(res, 200, fx.recordingPeaks);
  return problem(res, 404, 'not_found', 'there is no such object');
}

function write(path, method, body, res) {
  const [, kind, id, sub] = path.split('/');
  if (sub === 'password') return json(res, 200, { password: 'Kedr-Volna-37-Luna' });
  if (sub === 'sip-password')
    return json(res, 200, { user: id, password: 'qX7-pLm2-Vt9s', realm: 'hotline' });
  if (kind === 'tokens' && method === 'POST')
    return json(res, 201, {
      token: { ...fx.tokens[0], name: body.name },
      secret: 'hl_3f9c2b7d1e84a6500c9d7be2',
    });
  if (kind === 'tickets' && id) {
    const t = fx.tickets.find((x) => x.number === id) ?? fx.tickets[0];
    return json(res, 200, {
      ...t,
      ...(typeof body.severity === 'number' ? { severity: body.severity } : {}),
      ...(body.title ? { title: body.title } : {}),
      version: t.version + 1,
    });
  }
  if (kind === 'tickets') return json(res, 201, fx.tickets[0]);
  if (kind === 'contacts' && !sub) return json(res, 201, { ...fx.contacts[0], name: body.name });
  return method === 'DELETE' ? res.writeHead(204).end() : json(res, 200, {});
}

// ---- the telephone

function phone(world, ws, me) {
  if (!me) return ws.close(4401, 'sign in');
  world.sockets.add(ws);
  ws.me = me;
  ws.on('close', () => world.sockets.delete(ws));
  ws.on('message', (raw) => {
    const f = JSON.parse(raw);
    if (f.t === 'hello') return ws.send(JSON.stringify({ t: 'welcome', d: snapshot(world, me, f.d) }));
    const reply = command(world, ws, f.t, f.d ?? {});
    if (f.id) ws.send(JSON.stringify({ re: f.id, ok: true, d: reply ?? {} }));
  });
}

function snapshot(world, me, hello) {
  return {
    session: 'mock',
    now: Date.now(),
    seq: world.seq,
    agent: {
      login: me.login,
      name: me.name,
      queues: ['support', 'billing'],
      ...world.agent,
      ...(world.wrapup ? { call: world.wrapup.call, until: world.wrapup.until } : {}),
    },
    calls: world.calls,
    media: { epoch: 0, needed: false, owner: true, owner_tab: hello.tab_id },
    policy: { pause_reasons: fx.pauseReasons, wrapup_extend_s: 60, dial: true },
    ice: [],
    grace: { reattach_s: 30 },
  };
}

function event(world, t, d) {
  world.seq += 1;
  for (const ws of world.sockets) ws.send(JSON.stringify({ t, seq: world.seq, d }));
}

function setAgent(world, state, extra = {}) {
  world.agent = { state, since: Date.now(), ...extra };
  event(world, 'agent.state', world.agent);
}

function command(world, ws, t, d) {
  const call = world.calls.find((c) => c.call === d.call);
  const change = (more) => {
    if (!call) return;
    Object.assign(call, more);
    event(world, 'call.state', call);
  };
  switch (t) {
    case 'agent.set':
      if (d.when === 'after_call')
        event(world, 'agent.state', {
          ...world.agent,
          next: d.state && d.state !== 'available' ? { state: d.state, reason: d.reason } : null,
        });
      else setAgent(world, d.state, { reason: d.reason });
      return;
    case 'media.attach':
      return { epoch: 1, sdp: answerTo(d.sdp) };
    case 'call.answer':
      return talk(world);
    case 'call.reject':
      event(world, 'call.gone', { call: d.call, why: 'rejected' });
      return;
    case 'call.hangup':
      return wrapup(world);
    case 'call.mute':
      return change({ muted: d.on });
    case 'call.hold':
      return change({ held: d.on, state: d.on ? 'held' : 'talking' });
    case 'call.record':
      return change({ recording: d.op === 'pause' ? 'paused' : 'on' });
    case 'call.link':
      return change({
        ticket: { number: d.ticket ?? '482240', title: '' },
        link: { state: 'confirmed', rule: 'A8' },
      });
    case 'wrapup.save':
      if (d.done && world.wrapup) {
        event(world, 'wrapup.end', { call: d.call });
        world.wrapup = null;
        setAgent(world, 'available');
      }
      return;
    case 'call.dial':
      return dial(world, d);
    case 'monitor.start':
      return { leg: 'M1' };
    case 'sub':
      ws.topics = d.topics;
      return;
  }
}

/** An answer that a browser accepts although nobody is behind it. */
function answerTo(offer) {
  const fp = Array.from({ length: 32 }, (_, i) =>
    ((i * 37) % 256).toString(16).padStart(2, '0').toUpperCase(),
  ).join(':');
  return offer
    .split('\r\n')
    .filter((l) => !l.startsWith('a=candidate') && !l.startsWith('a=ssrc'))
    .map((l) =>
      l.startsWith('a=setup')
        ? 'a=setup:active'
        : l.startsWith('a=fingerprint')
          ? `a=fingerprint:sha-256 ${fp}`
          : l.startsWith('a=ice-ufrag')
            ? 'a=ice-ufrag:mock'
            : l.startsWith('a=ice-pwd')
              ? 'a=ice-pwd:mockmockmockmockmockmock'
              : l,
    )
    .join('\r\n');
}

/** A number is called; /mock/busy is the answer of the far side. */
function dial(world, d = {}) {
  const call = {
    call: 'C3',
    call_key: 'K3',
    direction: 'out',
    state: 'dialing',
    since: Date.now() - 4_000,
    from: d.to ?? '+79035557711',
    from_name: 'Светлана Ким',
    queue: 'support',
    queue_name: 'Поддержка',
    muted: false,
    held: false,
    recording: 'off',
    ticket: { number: d.ticket ?? '482228', title: 'Пропущенный вызов' },
    link: null,
    monitors: [],
    note: '',
  };
  world.calls = [call];
  event(world, 'call.state', call);
  setAgent(world, 'dialing');
  return { call: call.call };
}

function busy(world) {
  world.calls = [];
  event(world, 'call.end', {
    call: 'C3',
    why: 'busy',
    by: 'customer',
    talk_s: 0,
    hold_s: 0,
    text: {
      ru: 'Занято. Попробуйте через несколько минут или напишите клиенту',
      en: 'Busy. Try again in some minutes, or write to the customer',
    },
  });
  setAgent(world, 'available');
}

function talk(world, more = {}) {
  const o = fx.offer();
  const call = {
    call: 'C2',
    call_key: 'K2',
    state: 'talking',
    since: Date.now() - 83_000,
    from: o.from,
    from_name: o.from_name,
    trust: o.trust,
    queue: o.queue,
    queue_name: o.queue_name,
    muted: false,
    held: false,
    recording: 'on',
    ticket: { number: '482170', title: fx.tickets[0].title },
    link: { state: 'confirmed', rule: 'A7' },
    monitors: [],
    note: '',
    ...more,
  };
  world.calls = [call];
  event(world, 'call.state', call);
  setAgent(world, 'talking');
}

function wrapup(world) {
  event(world, 'call.end', { call: 'C2', why: 'talked', by: 'agent', talk_s: 83, hold_s: 0 });
  world.calls = [];
  world.wrapup = {
    call: 'C2',
    until: Date.now() + 30_000,
    ticket: { number: '482170', title: fx.tickets[0].title },
  };
  setAgent(world, 'acw');
  event(world, 'wrapup.start', world.wrapup);
}

function stats(world) {
  const l = world.empty ? { queues: [], agents: [], calls: [] } : fx.live();
  for (const ws of world.sockets) {
    for (const topic of ws.topics ?? []) ws.send(JSON.stringify({ t: `stat.${topic}`, d: l[topic] }));
  }
}

function scene(world, name, res) {
  const scenes = {
    reset: () => {
      Object.assign(world, {
        agent: { state: 'offline', since: Date.now() },
        calls: [],
        wrapup: null,
        empty: false,
        fail: false,
        frozen: false,
      });
    },
    available: () => setAgent(world, 'available'),
    paused: () => setAgent(world, 'paused', { reason: 'lunch', by: 'lead1' }),
    offer: () => {
      setAgent(world, 'ringing');
      event(world, 'call.offer', fx.offer());
    },
    shared: () => {
      setAgent(world, 'ringing');
      event(world, 'call.offer', fx.sharedOffer());
    },
    gone: () => event(world, 'call.gone', { call: 'C2', why: 'taken', by: 'Игорь Лапин' }),
    dial: () => dial(world),
    busy: () => busy(world),
    talk: () => talk(world),
    link: () => talk(world, { ticket: null, link: { state: 'open', rule: 'A8' }, card: fx.caller }),
    wrapup: () => {
      talk(world);
      wrapup(world);
    },
    empty: () => {
      world.empty = true;
    },
    fail: () => {
      world.fail = true;
    },
    freeze: () => {
      world.frozen = true;
    },
    alert: () =>
      event(world, 'alert', {
        id: 'a1',
        level: 'critical',
        text: { ru: 'Поддержка: дольше всех ждут 5 минут', en: 'Support: longest wait is 5 minutes' },
      }),
    drop: () => {
      for (const ws of world.sockets) ws.close(1012, 'restart');
    },
  };
  if (!scenes[name]) return json(res, 404, { scenes: Object.keys(scenes) });
  scenes[name]();
  return json(res, 200, { ok: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { port } = await start(Number(process.argv[2] ?? 4173));
  console.log(`http://127.0.0.1:${port}  logins: agent1, lead1, admin; password: demo`);
}
