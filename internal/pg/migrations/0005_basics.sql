-- Rows that the program itself relies on: one status per category, ids in the order of the CHECK; the three roles; one
-- team, because no ticket is without one.

-- +goose Up
INSERT INTO ticket_status (id, key, name, category) VALUES
  (1, 'new',              '{"ru":"Новое","en":"New"}',                              'new'),
  (2, 'open',             '{"ru":"В работе","en":"Open"}',                          'open'),
  (3, 'waiting_customer', '{"ru":"Ждём клиента","en":"Waiting for customer"}',      'waiting_customer'),
  (4, 'waiting_vendor',   '{"ru":"Ждём поставщика","en":"Waiting for vendor"}',     'waiting_vendor'),
  (5, 'scheduled',        '{"ru":"Запланировано","en":"Scheduled"}',                'scheduled'),
  (6, 'solved',           '{"ru":"Решено","en":"Solved"}',                          'solved'),
  (7, 'closed',           '{"ru":"Закрыто","en":"Closed"}',                         'closed'),
  (8, 'merged',           '{"ru":"Объединено","en":"Merged"}',                      'merged'),
  (9, 'spam',             '{"ru":"Спам","en":"Spam"}',                              'spam');

INSERT INTO role (key, permissions) VALUES
  ('agent',      '{contact.write,callback.write,phone.use}'),
  ('supervisor', '{contact.write,callback.write,phone.use,org.write,ticket.read_all,ticket.write_all,call.read_all,recording.read_all,live.read,monitor.listen,monitor.whisper,monitor.barge,agent.force,report.read}'),
  ('admin',      '{contact.write,callback.write,phone.use,org.write,ticket.read_all,ticket.write_all,call.read_all,recording.read_all,live.read,monitor.listen,monitor.whisper,monitor.barge,agent.force,report.read,admin.users,admin.queues,admin.trunks,admin.numbers,admin.flows,admin.tokens,admin.settings,audit.read}');

INSERT INTO team (name, line) VALUES ('Support', 1);

-- +goose Down
DELETE FROM team_member;
DELETE FROM team WHERE name = 'Support';
DELETE FROM agent_role;
DELETE FROM role WHERE key IN ('agent','supervisor','admin');
DELETE FROM ticket_status;
