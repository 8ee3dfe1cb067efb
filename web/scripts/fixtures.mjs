// A small company on an ordinary morning, for looking at the pages without a server. Nothing here reaches a build.

const MIN = 60_000;
const now = Date.now();
const ago = (minutes) => new Date(now - minutes * MIN).toISOString();
const ahead = (minutes) => new Date(now + minutes * MIN).toISOString();

const STATUS = {
  new: { key: 'new', name: { ru: 'Новое', en: 'New' }, category: 'new' },
  open: { key: 'open', name: { ru: 'В работе', en: 'Open' }, category: 'open' },
  waiting: { key: 'waiting_customer', name: { ru: 'Ждём клиента', en: 'Waiting for customer' }, category: 'waiting_customer' },
  vendor: { key: 'waiting_vendor', name: { ru: 'Ждём поставщика', en: 'Waiting for vendor' }, category: 'waiting_vendor' },
  solved: { key: 'solved', name: { ru: 'Решено', en: 'Solved' }, category: 'solved' },
};

export const teams = [
  { id: 1, name: 'Первая линия', line: 1 },
  { id: 2, name: 'Сети и каналы', line: 2 },
  { id: 3, name: 'Разработка', line: 3 },
];

const PERMS = {
  agent: ['contact.write', 'callback.write', 'phone.use'],
  supervisor: ['contact.write', 'callback.write', 'phone.use', 'org.write', 'ticket.read_all', 'ticket.write_all', 'call.read_all', 'recording.read_all', 'live.read', 'monitor.listen', 'monitor.whisper', 'monitor.barge', 'agent.force', 'report.read'],
};
PERMS.admin = [...PERMS.supervisor, 'admin.users', 'admin.queues', 'admin.trunks', 'admin.numbers', 'admin.flows', 'admin.tokens', 'admin.settings', 'audit.read'];

const person = (id, login, name, roles, extra = {}) => ({
  id, login, name, locale: 'ru', roles, permissions: roles.flatMap((r) => PERMS[r]), teams: [{ ...teams[0], access: 'full' }], kind: 'browser', ...extra,
});

export const people = {
  agent1: person(1, 'agent1', 'Анна Соколова', ['agent']),
  lead1: person(4, 'lead1', 'Марина Белова', ['supervisor']),
  admin: person(5, 'admin', 'Олег Панин', ['admin']),
};

const orgs = [
  { id: 1, name: 'Северсталь-Логистика' },
  { id: 2, name: 'Клиника «Доверие»' },
  { id: 3, name: 'Hanza Freight GmbH' },
];

const point = (id, kind, value, extra = {}) => ({ id, kind, value, raw: value, ext: '', label: '', sharing: 'personal', level: 'known', verified_at: null, ...extra });

export const contacts = [
  { id: 11, name: 'Дмитрий Орлов', kind: 'person', locale: 'ru', org: orgs[0], orgs: [orgs[0]], blocked: false, version: 3, points: [point(1, 'phone', '+79161234567', { label: 'мобильный', verified_at: ago(9000) }), point(2, 'phone', '+74951200300', { ext: '214', sharing: 'shared' }), point(3, 'email', 'd.orlov@severstal-log.example')] },
  { id: 12, name: 'Екатерина Лебедева', kind: 'person', locale: 'ru', org: orgs[1], orgs: [orgs[1]], blocked: false, version: 1, points: [point(4, 'phone', '+78123334455'), point(5, 'email', 'lebedeva@doverie.example'), point(6, 'telegram', '@kate_leb')] },
  { id: 13, name: 'Jonas Meyer', kind: 'person', locale: 'en', org: orgs[2], orgs: [orgs[2]], blocked: false, version: 2, points: [point(7, 'phone', '+4930123456', { level: 'maybe' }), point(8, 'email', 'j.meyer@hanza.example')] },
  { id: 14, name: 'Светлана Ким', kind: 'person', locale: 'ru', org: orgs[0], orgs: [orgs[0]], blocked: false, version: 1, points: [point(9, 'phone', '+79035557711')] },
  { id: 15, name: 'Константин Константинопольский-Задунайский', kind: 'person', locale: 'ru', org: null, orgs: [], blocked: true, version: 1, points: [point(10, 'phone', '+73952112233')] },
];

const ref = (c) => ({ id: c.id, name: c.name, points: c.points });

const ticket = (number, title, more) => ({
  number, title, kind: 'question', status: STATUS.open, severity: 4, client_priority: 2, team: teams[0], assignee: { login: 'agent1', name: 'Анна Соколова' },
  contact: null, org: null, channel: 'phone', created_at: ago(300), updated_at: ago(20), last_customer_at: ago(20), next_due_at: null, breached: false, missed_calls: 0, flags: [], preview: '', version: 1, ...more,
});

export const tickets = [
  ticket('482170', 'Не работает удалённый доступ после обновления', { kind: 'problem', severity: 2, client_priority: 1, contact: ref(contacts[0]), org: orgs[0], updated_at: ago(4), next_due_at: ahead(38), preview: 'Перезагрузил клиент, ошибка 809 та же. Нужны логи со шлюза.' }),
  ticket('482207', 'Вопрос по счёту за октябрь', { status: STATUS.waiting, channel: 'email', contact: ref(contacts[1]), org: orgs[1], updated_at: ago(52), preview: 'Здравствуйте! В счёте указан не тот период, просьба выставить заново.' }),
  ticket('482184', 'Shipment labels print twice on the Zebra printer in the Hamburg warehouse', { kind: 'problem', severity: 3, channel: 'form', contact: ref(contacts[2]), org: orgs[2], updated_at: ago(95), next_due_at: ahead(300), preview: 'Since Monday each label comes out two times.' }),
  ticket('482228', 'Пропущенный вызов', { status: STATUS.new, assignee: null, missed_calls: 3, flags: ['missed_call'], contact: ref(contacts[3]), org: orgs[0], updated_at: ago(11), next_due_at: ago(12), breached: true }),
  ticket('482091', 'Добавить второго администратора в портал', { kind: 'task', severity: 5, channel: 'portal', contact: ref(contacts[1]), org: orgs[1], updated_at: ago(1500), status: STATUS.vendor, preview: 'Запросили у поставщика права.' }),
  ticket('482233', 'Звонок от +7 495 980-11-22, 10:42', { status: STATUS.new, assignee: null, flags: ['unverified'], updated_at: ago(2), preview: 'Не слышно собеседника в переговорной' }),
];

const peaks = (seed) => Array.from({ length: 1800 }, (_, i) => Math.max(0.02, Math.abs(Math.sin(i / 23 + seed) * Math.sin(i / 131 + seed * 2)) * (0.35 + 0.5 * Math.abs(Math.sin(i * 12.9898 + seed)))));
export const recordingPeaks = { channels: 2, per_second: 10, data: [peaks(0.4), peaks(2.1)] };

export const calls = [
  {
    id: 901, key: '01J9ZK2V', direction: 'in', state: 'ended', caller: { number: '+79161234567', raw: '+79161234567', name: '', trust: 'asserted', withheld: false }, called: '100', trunk: 'mango', queue: 'support', lang: 'ru', team: teams[0],
    contact: { id: 11, name: 'Дмитрий Орлов' }, org: orgs[0], agents: [{ login: 'agent1', name: 'Анна Соколова' }], started_at: ago(62), answered_at: ago(61), ended_at: ago(57), disposition: 'answered', end_result: 'success', end_reason: 'talked', hangup_by: 'customer',
    wait_ms: 47_000, talk_ms: 182_000, hold_ms: 21_000,
    menu_path: [{ node: 'Русский' }, { node: 'Техническая поддержка' }, { node: 'Удалённый доступ' }],
    legs: [{ key: 'a', role: 'customer', agent: null, endpoint: 'trunk:mango', started_at: ago(62), answered_at: ago(62), ended_at: ago(57), cause: 'normal' }, { key: 'b', role: 'agent', agent: { login: 'agent2', name: 'Игорь Лапин' }, endpoint: '', started_at: ago(61.5), answered_at: null, ended_at: ago(61.2), cause: 'no_answer' }, { key: 'c', role: 'agent', agent: { login: 'agent1', name: 'Анна Соколова' }, endpoint: '', started_at: ago(61.2), answered_at: ago(61), ended_at: ago(57), cause: 'normal' }],
    recordings: [{ id: 71, kind: 'talk', state: 'ready', duration_ms: 180_000, channels: 2, started_at: ago(61) }],
    link: { rule: 'A7', state: 'confirmed', reason_text: 'Единственный свежий открытый тикет этого контакта', ticket: { number: '482170', title: tickets[0].title }, match_level: 'known', match_rule: 'L4', by: '', at: ago(61), missed: false, result: 'follow_up', note: 'Ошибка 809 после обновления клиента. Попросил прислать логи, перезвоню до обеда.', can_undo: true },
  },
  {
    id: 902, key: '01J9ZK3A', direction: 'in', state: 'ended', caller: { number: '+79161234567', raw: '', name: '', trust: 'claimed', withheld: false }, called: '100', queue: 'support', agents: [], started_at: ago(20), answered_at: null, ended_at: ago(19), disposition: 'abandoned_queue', hangup_by: 'customer', wait_ms: 64_000, talk_ms: 0, hold_ms: 0,
    menu_path: [{ node: 'Русский' }, { node: 'Техническая поддержка' }], legs: [], recordings: [], contact: { id: 11, name: 'Дмитрий Орлов' },
    link: { rule: 'A12', state: 'proposed', reason_text: 'Номер только заявлен: подтвердите, что вызов относится к этому тикету', ticket: { number: '482170', title: tickets[0].title }, can_undo: false, note: '' },
  },
];

export const unlinked = [
  { ...calls[0], id: 911, contact: null, caller: { number: '+74959801122', name: '', trust: 'claimed' }, started_at: ago(33), talk_ms: 74_000, recordings: [], link: { rule: 'A8', state: 'open', reason_text: '', ticket: null } },
  { ...calls[0], id: 912, contact: { id: 12, name: 'Екатерина Лебедева' }, caller: { number: '+78123334455', name: '', trust: 'asserted' }, started_at: ago(80), talk_ms: 12_000, recordings: [], link: { rule: 'A8', state: 'open', ticket: null } },
];

export const abandoned = [
  { ...calls[1], id: 921, contact: null, caller: { number: '+79035557711', name: 'Светлана Ким', trust: 'asserted' }, started_at: ago(12), wait_ms: 93_000 },
  { ...calls[1], id: 922, contact: null, caller: { number: '', name: '', trust: 'withheld', withheld: true }, started_at: ago(41), wait_ms: 4_000, link: null, disposition: 'abandoned_ivr' },
];

export const callbacks = [
  { id: 1, number: '+79035557711', state: 'waiting', asked_at: ago(12), attempts: 1, ticket: { number: '482228', title: 'Пропущенный вызов' }, call_id: 921, contact: { id: 14, name: 'Светлана Ким' } },
  { id: 2, number: '+74959801122', state: 'waiting', asked_at: ago(49), attempts: 0, ticket: null, call_id: null, contact: null },
];

const item = (id, type, minutes, more) => ({ id, type, at: ago(minutes), author: null, contact: null, ...more });
const anna = { login: 'agent1', name: 'Анна Соколова' };

export const timeline = [
  item('e1', 'event', 1502, { event: { type: 'created', actor_kind: 'rule', rule: 'T6', reason_text: 'Письмо от известного отправителя' } }),
  item('m1', 'message', 1500, { kind: 'email', direction: 'in', visibility: 'public', contact: { id: 11, name: 'Дмитрий Орлов' }, message_id: 1, body: 'Добрый день!\n\nПосле вчерашнего обновления перестал работать удалённый доступ: «Ошибка 809». Работают только те, кто в офисе. Очень просим помочь сегодня, у нас отгрузка.\n\nС уважением,\nДмитрий Орлов' }),
  item('e2', 'event', 1498, { author: anna, event: { type: 'changed', field: 'severity', old: 4, new: 2, actor_kind: 'agent' } }),
  item('e3', 'event', 1497, { author: anna, event: { type: 'changed', field: 'status', old: 'new', new: 'open', actor_kind: 'agent' } }),
  item('e4', 'event', 1496, { author: anna, event: { type: 'changed', field: 'assignee', old: null, new: 'agent1', actor_kind: 'agent' } }),
  item('m2', 'message', 1490, { kind: 'reply', direction: 'out', visibility: 'public', author: anna, message_id: 2, delivery: 'delivered', body: 'Дмитрий, здравствуйте! Мы видим обращение и уже смотрим. Подскажите, пожалуйста, версию клиента: меню «Справка», «О программе».' }),
  item('c1', 'call', 62, { call: calls[0] }),
  item('m3', 'message', 55, { kind: 'note', direction: 'none', visibility: 'internal', author: anna, message_id: 3, body: 'На шлюзе в 09:12 закончился сертификат. Передала в «Сети и каналы», Игорь обещал обновить до обеда.' }),
  item('c2', 'call', 20, { call: calls[1] }),
  item('m4', 'message', 4, { kind: 'email', direction: 'in', visibility: 'public', contact: { id: 11, name: 'Дмитрий Орлов' }, message_id: 4, body: 'Перезагрузил клиент, ошибка 809 та же. Нужны логи со шлюза.' }),
];

export const queues = [
  { key: 'support', name: 'Поддержка', strategy: 'longest_idle', ring_timeout_s: 20, wrapup_s: 30, max_wait_s: 600, max_len: 50, on_timeout: 'voicemail', on_full: 'callback', on_no_agents: 'voicemail', moh: '', announce_first_s: 20, announce_every_s: 60, record: 'always', retention_days: 180, max_missed: 2, missed_rest_s: 5, sl_threshold_s: 20, sl_target: 80, short_abandon_s: 5, team: 'Первая линия', weight: 0, closed: false, version: 4 },
  { key: 'billing', name: 'Счета и договоры', strategy: 'skills', ring_timeout_s: 25, wrapup_s: 60, max_wait_s: 0, max_len: 0, on_timeout: 'callback', on_full: 'voicemail', on_no_agents: 'wait', moh: '', announce_first_s: 30, announce_every_s: 90, record: 'never', retention_days: 0, max_missed: 0, missed_rest_s: 5, sl_threshold_s: 30, sl_target: 80, short_abandon_s: 5, team: 'Первая линия', weight: 5, closed: false, version: 1 },
];

export const users = [
  { login: 'agent1', name: 'Анна Соколова', email: 'anna@demo.example', locale: 'ru', roles: ['agent'], teams: [{ name: 'Первая линия', access: 'full' }], queues: [{ queue: 'support', level: 1 }, { queue: 'billing', level: 2 }], skills: { ru: 3, en: 2 }, endpoint: '', active: true, version: 2 },
  { login: 'agent2', name: 'Игорь Лапин', email: '', locale: 'ru', roles: ['agent'], teams: [{ name: 'Сети и каналы', access: 'full' }], queues: [{ queue: 'support', level: 2 }], skills: { ru: 3 }, endpoint: '', active: true, version: 1 },
  { login: 'desk1', name: 'Пост охраны', email: '', locale: 'ru', roles: ['agent'], teams: [], queues: [{ queue: 'support', level: 3 }], skills: {}, endpoint: 'registered', active: true, version: 1 },
  { login: 'lead1', name: 'Марина Белова', email: 'marina@demo.example', locale: 'ru', roles: ['supervisor'], teams: [{ name: 'Первая линия', access: 'lead' }], queues: [], skills: {}, endpoint: '', active: true, version: 7 },
  { login: 'admin', name: 'Олег Панин', email: '', locale: 'en', roles: ['admin'], teams: [], queues: [], skills: {}, endpoint: '', active: true, version: 1 },
  { login: 'petrov', name: 'Сергей Петров', email: '', locale: 'ru', roles: ['agent'], teams: [], queues: [], skills: {}, endpoint: 'sip:petrov@10.0.0.7:5060', active: false, version: 3 },
];

export const trunks = [
  { name: 'mango', cidrs: ['81.88.80.0/24', '81.88.82.0/23'], asserts_identity: true, region: 'RU', area_code: '495', host: 'sip.operator.example', port: 5060, transport: 'udp', user: '74951234567', password_set: true, register: true, max_calls: 30, unknown_number: 'reject', caller_id: '+74951234567', enabled: true, state: { registered: true, since: ago(900), error: '', calls: 4 }, version: 2 },
  { name: 'reserve', cidrs: ['203.0.113.7/32'], asserts_identity: false, region: 'RU', area_code: '', host: 'reserve.operator.example', port: 5061, transport: 'tcp', user: 'hotline', password_set: true, register: true, max_calls: 10, unknown_number: 'notice', caller_id: '', enabled: true, state: { registered: false, since: ago(26), error: '401 Unauthorized: wrong credentials', calls: 0 }, version: 1 },
  { name: 'office', cidrs: ['10.1.0.0/16'], asserts_identity: false, region: 'RU', area_code: '', host: '', port: 5060, transport: 'udp', user: '', password_set: false, register: false, max_calls: 0, unknown_number: 'reject', caller_id: '', enabled: false, state: { registered: false, since: null, error: '', calls: 0 }, version: 1 },
];

export const numbers = [
  { number: '+74951234567', flow: 'hotline', queue: '', label: 'Горячая линия', max_calls: 60, version: 1 },
  { number: '100', flow: 'hotline', queue: '', label: 'Внутренний номер меню', max_calls: 0, version: 1 },
  { number: '200', flow: '', queue: 'support', label: 'Прямо в поддержку', max_calls: 0, version: 2 },
];

export const flows = [
  { id: 'hotline', title: { ru: 'Горячая линия', en: 'Hotline' }, version: '7c1e9a2b44f0', languages: ['ru', 'en'], problems: [], live_callers: 3 },
  { id: 'outage', title: { ru: 'Авария', en: 'Outage' }, version: '7c1e9a2b44f0', languages: ['ru'], live_callers: 0, problems: [
    { file: 'flows/outage.yaml', line: 41, col: 9, code: 'L013', severity: 'error', node: 'ask_number', msg: 'The exit "exhausted" is not wired', fix: 'add exhausted: <node> to the input' },
    { file: 'flows/outage.yaml', line: 12, col: 3, code: 'L027', severity: 'warning', node: 'greeting', msg: 'The prompt "outage_hello" has no recording in English', fix: 'record it, or switch on speech synthesis' } ] },
];

export const tokens = [
  { id: 1, name: 'Выгрузка в 1С', login: 'admin', scopes: ['tickets:read', 'calls:read'], created_at: ago(90_000), last_used_at: ago(3), expires_at: null },
  { id: 2, name: 'Wallboard', login: 'lead1', scopes: ['live:read'], created_at: ago(9000), last_used_at: null, expires_at: ahead(200_000) },
];

export const caller = {
  level: 'known', rule: 'L4', e164: '+79161234567', contact: contacts[0], org: { id: 1, name: orgs[0].name }, contacts: [], blocked: false, vip: true, plan: 'premium', engineer: 'Игорь Лапин',
  candidates: [
    { key: 1, number: '482170', title: tickets[0].title, status: STATUS.open, fresh: true, missed: false, updated_at: ago(4) },
    { key: 2, number: '481999', title: 'Замена сертификата на шлюзе', status: STATUS.solved, fresh: false, missed: false, updated_at: ago(8000) },
  ],
};

export const offer = () => ({
  call: 'C2', from: '+79161234567', from_name: 'Дмитрий Орлов', trust: 'asserted', queue: 'support', queue_name: 'Поддержка', waited_s: 47, lang: 'ru', card: caller, expires: Date.now() + 20_000, auto: false,
  menu: [{ node: 'lang', label: { ru: 'Русский', en: 'Russian' } }, { node: 'tech', label: { ru: 'Техническая поддержка', en: 'Technical support' } }, { node: 'vpn', label: { ru: 'Удалённый доступ', en: 'Remote access' } }],
});

export const sharedOffer = () => ({
  ...offer(), call: 'C3', from: '+74951200300', from_name: '', trust: 'claimed', lang: 'en',
  card: { level: 'shared', rule: 'L6', org: { id: 1, name: orgs[0].name }, contacts: [{ id: 11, name: 'Дмитрий Орлов' }, { id: 14, name: 'Светлана Ким' }, { id: 12, name: 'Екатерина Лебедева' }], candidates: [], vip: false },
});

export const pauseReasons = [
  { key: 'lunch', name: { ru: 'обед', en: 'lunch' }, productive: false },
  { key: 'break', name: { ru: 'перерыв', en: 'short break' }, productive: false },
  { key: 'training', name: { ru: 'обучение', en: 'training' }, productive: true },
];

export const live = () => ({
  queues: [
    { key: 'support', name: 'Поддержка', waiting: 4, longest_s: 176, available: 1, talking: 2, staffed: 5, answered: 118, abandoned: 9, sl_pct: 74, avg_wait_s: 31 },
    { key: 'billing', name: 'Счета и договоры', waiting: 0, longest_s: 0, available: 2, talking: 1, staffed: 3, answered: 41, abandoned: 1, sl_pct: 92, avg_wait_s: 12 },
    { key: 'vip', name: 'Премиум', waiting: 1, longest_s: 318, available: 0, talking: 1, staffed: 1, answered: 7, abandoned: 2, sl_pct: 55, avg_wait_s: 64 },
  ],
  agents: [
    { login: 'agent1', name: 'Анна Соколова', kind: 'browser', state: 'talking', since: now - 3.2 * MIN, call: 'L1', queues: ['support'], online: true },
    { login: 'agent2', name: 'Игорь Лапин', kind: 'browser', state: 'available', since: now - 0.7 * MIN, queues: ['support'], online: true },
    { login: 'agent3', name: 'Полина Жукова', kind: 'browser', state: 'paused', reason: 'lunch', since: now - 22 * MIN, queues: ['support', 'billing'], online: true },
    { login: 'agent4', name: 'Тимур Алиев', kind: 'browser', state: 'acw', since: now - 0.4 * MIN, queues: ['billing'], online: true },
    { login: 'agent5', name: 'Вера Носова', kind: 'browser', state: 'lost_call', since: now - 0.2 * MIN, call: 'L3', queues: ['support'], online: false },
    { login: 'desk1', name: 'Пост охраны', kind: 'desk', state: 'ringing', since: now - 0.1 * MIN, queues: ['support'], online: true },
    { login: 'agent6', name: 'Глеб Орехов', kind: 'browser', state: 'offline', since: now - 300 * MIN, queues: ['vip'], online: false },
  ],
  calls: [
    { call: 'L1', from: '+79161234567', from_name: 'Дмитрий Орлов', queue: 'support', state: 'talking', since: now - 3.2 * MIN, agent: 'agent1', lang: 'ru', priority: 0 },
    { call: 'L2', from: '+78123334455', from_name: 'Екатерина Лебедева', queue: 'billing', state: 'held', since: now - 6 * MIN, agent: 'agent4', lang: 'ru', priority: 0 },
    { call: 'L4', from: '+74959801122', from_name: '', queue: 'vip', state: 'waiting', since: now - 5.3 * MIN, position: 1, lang: 'ru', priority: 2 },
    { call: 'L5', from: '+4930123456', from_name: 'Jonas Meyer', queue: 'support', state: 'waiting', since: now - 2.9 * MIN, position: 1, lang: 'en', priority: 0 },
    { call: 'L6', from: '', from_name: '', queue: 'support', state: 'waiting', since: now - 1.1 * MIN, position: 2, lang: 'ru', priority: 0 },
    { call: 'L7', from: '+79031112233', from_name: '', queue: 'support', state: 'ringing', since: now - 0.1 * MIN, agent: 'desk1', lang: 'ru', priority: 0 },
    { call: 'L8', from: '+79261239876', from_name: '', queue: '', state: 'menu', since: now - 0.3 * MIN, lang: 'ru', priority: 0 },
  ],
});

export { orgs };
