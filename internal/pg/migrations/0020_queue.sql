-- Queues: configuration, who waits and waited, offers with their reason, states of agents.
--
-- queue, queue_member, agent_skill: written by administrators through the API. The rest is written by the queue engine,
-- one row per fact; agent_state_log is only ever appended to. The moves an agent may make stand three times: in the
-- engine's code, in its documentation, and in the CHECK below; a test compares them.

-- +goose Up
CREATE TABLE queue (
  key text PRIMARY KEY CHECK (key ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  name text NOT NULL CHECK (name <> ''),
  strategy text NOT NULL CHECK (strategy IN ('longest_idle','priority','skills')),
  ring_timeout_s int NOT NULL CHECK (ring_timeout_s > 0),
  wrapup_s int NOT NULL CHECK (wrapup_s >= 0),
  wrapup_mode text NOT NULL CHECK (wrapup_mode IN ('timed','optional','until_done','fixed')),
  max_wait_s int NOT NULL CHECK (max_wait_s >= 0),            -- 0: no limit
  max_len int NOT NULL CHECK (max_len >= 0),                  -- 0: no limit
  on_timeout text NOT NULL CHECK (on_timeout IN ('voicemail','hangup','callback')),
  on_full text NOT NULL CHECK (on_full IN ('voicemail','hangup','callback')),
  on_no_agents text NOT NULL CHECK (on_no_agents IN ('voicemail','hangup','callback','wait')),
  moh text NOT NULL DEFAULT '',
  announce_first_s int NOT NULL DEFAULT 0 CHECK (announce_first_s >= 0),
  announce_every_s int NOT NULL DEFAULT 0 CHECK (announce_every_s >= 0),
  record text NOT NULL CHECK (record IN ('always','never')),
  retention_days int NOT NULL DEFAULT 0 CHECK (retention_days >= 0),
  max_missed int NOT NULL DEFAULT 0 CHECK (max_missed >= 0),  -- 0: by the kind of agent
  missed_rest_s int NOT NULL CHECK (missed_rest_s >= 0),
  sl_threshold_s int NOT NULL CHECK (sl_threshold_s > 0),
  sl_target int NOT NULL CHECK (sl_target BETWEEN 1 AND 100),
  short_abandon_s int NOT NULL CHECK (short_abandon_s >= 0 AND short_abandon_s <= sl_threshold_s),
  team text NOT NULL DEFAULT '',
  weight int NOT NULL DEFAULT 0,
  closed boolean NOT NULL DEFAULT false,                      -- by a supervisor: nobody enters
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE queue_member (
  login text NOT NULL CHECK (login <> ''), queue text NOT NULL REFERENCES queue ON DELETE CASCADE,
  level int NOT NULL DEFAULT 1,
  PRIMARY KEY (login, queue)
);
CREATE INDEX queue_member_queue ON queue_member (queue);
CREATE TABLE agent_skill (
  login text NOT NULL CHECK (login <> ''), skill text NOT NULL CHECK (skill <> ''), level int NOT NULL CHECK (level > 0),
  PRIMARY KEY (login, skill)
);

-- One stay of one call in one queue. queue is text without a reference: facts outlive configuration.
CREATE TABLE queue_entry (
  id bigint PRIMARY KEY, call text NOT NULL, queue text NOT NULL,
  priority int NOT NULL, skills jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(skills) = 'object'),
  lang text NOT NULL DEFAULT '', tag text NOT NULL DEFAULT '', prefer text NOT NULL DEFAULT '',
  later boolean NOT NULL DEFAULT false,                       -- waited in a queue before: never a short abandon
  entered_at timestamptz NOT NULL, credit_us bigint NOT NULL DEFAULT 0 CHECK (credit_us >= 0),
  max_until timestamptz, state text NOT NULL CHECK (state IN ('parked','waiting','offered','ended')),
  outcome text CHECK (outcome IN ('answered','abandoned','callback','voicemail','deflected','flowed')),
  reason text NOT NULL DEFAULT '', ended_at timestamptz, wait_us bigint CHECK (wait_us >= 0),
  agent text NOT NULL DEFAULT '', offers int NOT NULL DEFAULT 0,
  CHECK ((ended_at IS NULL) = (state <> 'ended')), CHECK ((ended_at IS NULL) = (outcome IS NULL)),
  CHECK ((ended_at IS NULL) = (wait_us IS NULL)), CHECK ((outcome = 'answered') = (agent <> '') OR outcome IS NULL),
  CHECK (outcome <> 'flowed' OR reason <> '')
);
CREATE UNIQUE INDEX queue_entry_live ON queue_entry (call) WHERE state <> 'ended';
CREATE INDEX queue_entry_call ON queue_entry (call);
CREATE INDEX queue_entry_time ON queue_entry (queue, entered_at);

-- One reservation of one agent. why says how the decision fell.
CREATE TABLE queue_offer (
  id bigint PRIMARY KEY, entry_id bigint, call text NOT NULL, queue text NOT NULL DEFAULT '', agent text NOT NULL,
  state text NOT NULL CHECK (state IN ('made','ringing','accepted','connected','missed','refused','failed','withdrawn')),
  result text NOT NULL DEFAULT '', made_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, ringing_at timestamptz,
  accepted_at timestamptz, ended_at timestamptz, why jsonb NOT NULL,
  CHECK ((ended_at IS NULL) = (state IN ('made','ringing','accepted'))), CHECK ((entry_id IS NULL) = (queue = ''))
);
CREATE UNIQUE INDEX queue_offer_agent ON queue_offer (agent) WHERE state IN ('made','ringing','accepted');  -- reliability I5
CREATE INDEX queue_offer_call ON queue_offer (call);
CREATE INDEX queue_offer_history ON queue_offer (agent, made_at);

-- Where each agent is now.
CREATE TABLE agent_state (
  login text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('offline','available','ringing','dialing','talking','held','consulting','conference','acw','paused','busy_other','lost','lost_call','error')),
  reason text NOT NULL DEFAULT '', set_by text NOT NULL DEFAULT '', since timestamptz NOT NULL,
  next text NOT NULL DEFAULT '' CHECK (next IN ('','paused','offline')), next_reason text NOT NULL DEFAULT '',
  until timestamptz,                                          -- end of wrap-up
  back text NOT NULL DEFAULT '' CHECK (back IN ('','available','paused')), back_reason text NOT NULL DEFAULT '',
  connection text NOT NULL CHECK (connection IN ('online','lost','none')),
  missed int NOT NULL DEFAULT 0, call text NOT NULL DEFAULT '', queue text NOT NULL DEFAULT '', seen_at timestamptz NOT NULL,
  CHECK (state <> 'paused' OR reason <> '')
);
CREATE TABLE agent_state_log (
  id bigint PRIMARY KEY, login text NOT NULL, from_state text NOT NULL, to_state text NOT NULL,
  reason text NOT NULL DEFAULT '', set_by text NOT NULL DEFAULT '', at timestamptz NOT NULL,
  call text NOT NULL DEFAULT '', queue text NOT NULL DEFAULT '', offer_id bigint,
  CONSTRAINT agent_state_move CHECK ((from_state, to_state) IN (
    ('offline','available'),('offline','paused'),
    ('available','offline'),('available','ringing'),('available','dialing'),('available','talking'),('available','paused'),('available','busy_other'),('available','lost'),('available','error'),
    ('ringing','offline'),('ringing','available'),('ringing','talking'),('ringing','paused'),('ringing','lost'),('ringing','error'),
    ('dialing','offline'),('dialing','available'),('dialing','talking'),('dialing','acw'),('dialing','paused'),('dialing','lost'),
    ('talking','offline'),('talking','available'),('talking','held'),('talking','consulting'),('talking','conference'),('talking','acw'),('talking','paused'),('talking','lost'),('talking','lost_call'),
    ('held','offline'),('held','available'),('held','talking'),('held','consulting'),('held','conference'),('held','acw'),('held','paused'),('held','lost'),('held','lost_call'),
    ('consulting','offline'),('consulting','available'),('consulting','talking'),('consulting','held'),('consulting','conference'),('consulting','acw'),('consulting','paused'),('consulting','lost'),('consulting','lost_call'),
    ('conference','offline'),('conference','available'),('conference','talking'),('conference','held'),('conference','acw'),('conference','paused'),('conference','lost'),('conference','lost_call'),
    ('acw','offline'),('acw','available'),('acw','paused'),('acw','lost'),
    ('paused','offline'),('paused','available'),('paused','dialing'),('paused','talking'),('paused','paused'),
    ('busy_other','offline'),('busy_other','available'),('busy_other','talking'),('busy_other','paused'),
    ('lost','offline'),('lost','available'),('lost','talking'),('lost','paused'),('lost','error'),
    ('lost_call','offline'),('lost_call','available'),('lost_call','talking'),('lost_call','acw'),('lost_call','paused'),('lost_call','lost'),('lost_call','error'),
    ('error','offline'),('error','available'),('error','paused')
  ))
);
CREATE INDEX agent_state_log_login ON agent_state_log (login, at);
CREATE INDEX agent_state_log_at ON agent_state_log USING brin (at);
-- +goose StatementBegin
CREATE FUNCTION agent_state_log_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'agent_state_log is append-only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER agent_state_log_append_only BEFORE UPDATE ON agent_state_log
  FOR EACH ROW EXECUTE FUNCTION agent_state_log_no_update();

-- +goose Down
DROP TABLE agent_state_log;
DROP FUNCTION agent_state_log_no_update;
DROP TABLE agent_state, queue_offer, queue_entry, agent_skill, queue_member, queue;
