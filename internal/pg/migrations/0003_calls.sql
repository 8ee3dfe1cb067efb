-- Calls as facts, and the decision which ticket a call belongs to.
--
-- call, call_leg, call_event: written by the call journal. recording, recording_access: by the recorder. They say what
-- happened and never which ticket it is about. call_link, call_link_event, call_ticket: written by the ticket engine.

-- +goose Up
CREATE TABLE call (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pbx text NOT NULL DEFAULT 'hotline', call_key text NOT NULL,  -- one key for the whole call, over transfers
  direction text NOT NULL CHECK (direction IN ('in','out','internal')),
  state text NOT NULL DEFAULT 'new' CHECK (state IN ('new','menu','waiting','ringing','talking','ended')),
  channel_id bigint REFERENCES channel, team_id bigint REFERENCES team,
  trunk text NOT NULL DEFAULT '', queue text, lang text,
  -- who calls: a claim with its source and trust, never a customer's id
  caller_raw text NOT NULL DEFAULT '', caller_e164 text, caller_ext text, caller_name text, withheld boolean NOT NULL DEFAULT false,
  claim_source text NOT NULL DEFAULT 'none',       -- from, p-asserted-identity, remote-party-id, registration, ari, none
  claim_trust text NOT NULL DEFAULT 'withheld' CHECK (claim_trust IN ('withheld','claimed','asserted','verified')),
  claim_attestation text CHECK (claim_attestation IN ('A','B','C')),
  callee_raw text NOT NULL DEFAULT '', callee_e164 text,
  diversion text[] NOT NULL DEFAULT '{}',          -- numbers that forwarded the call, newest first: text, not trusted
  started_at timestamptz NOT NULL, queued_at timestamptz,
  answered_at timestamptz,                         -- a person answered; not the menu
  ended_at timestamptz,
  disposition text CHECK (disposition IN ('answered','abandoned_ivr','abandoned_queue','no_answer','busy','rejected','voicemail','callback','failed')),
  end_result text CHECK (end_result IN ('success','caller','server','upstream','unknown')), end_reason text,
  hangup_by text CHECK (hangup_by IN ('customer','agent','system')), hangup_cause text,
  wait_ms int, talk_ms int, hold_ms int,
  menu_path jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(menu_path) = 'array'),  -- [{node, exit, at}]; keys of secret nodes never
  ivr_ticket_number text, ivr_verified boolean NOT NULL DEFAULT false,
  UNIQUE (pbx, call_key),
  CHECK ((ended_at IS NULL) = (state <> 'ended')),
  CHECK ((ended_at IS NULL) = (end_result IS NULL)),
  CHECK (answered_at IS NULL OR answered_at >= started_at), CHECK (ended_at IS NULL OR ended_at >= started_at)
);
CREATE INDEX call_number  ON call (caller_e164, started_at DESC);
CREATE INDEX call_dialled ON call (callee_e164, started_at DESC) WHERE direction = 'out';
CREATE INDEX call_live    ON call (started_at) WHERE ended_at IS NULL;
CREATE INDEX call_recent  ON call (started_at DESC, id DESC);
CREATE TABLE call_leg (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call_id bigint NOT NULL REFERENCES call ON DELETE CASCADE,
  leg_key text NOT NULL, role text NOT NULL CHECK (role IN ('customer','agent','consult','queue','ivr','voicemail','survey')),
  agent_id bigint REFERENCES agent, endpoint text, started_at timestamptz NOT NULL, answered_at timestamptz, ended_at timestamptz, cause text,
  UNIQUE (call_id, leg_key)
);
CREATE INDEX call_leg_agent ON call_leg (agent_id, started_at DESC) WHERE agent_id IS NOT NULL;
CREATE TABLE call_event (                          -- raw facts in order, replayable
  call_id bigint NOT NULL REFERENCES call ON DELETE CASCADE, seq int NOT NULL,
  source_id text NOT NULL, at timestamptz NOT NULL, type text NOT NULL, data jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (call_id, seq), UNIQUE (call_id, source_id)
);
CREATE TABLE recording (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call_id bigint NOT NULL REFERENCES call,
  leg_id bigint REFERENCES call_leg, kind text NOT NULL DEFAULT 'call' CHECK (kind IN ('call','voicemail','greeting')),
  state text NOT NULL CHECK (state IN ('recording','paused','closed','uploading','ready','failed','deleted')),
  store_key text, sha256 bytea, codec text, channels smallint, size bigint, duration_ms int, started_at timestamptz,
  consent text NOT NULL DEFAULT 'announced' CHECK (consent IN ('announced','explicit','refused','unknown')),
  paused jsonb NOT NULL DEFAULT '[]',              -- card data and the like: [from_ms,to_ms]
  transcript text, delete_after timestamptz, legal_hold boolean NOT NULL DEFAULT false, deleted_at timestamptz, deleted_by bigint REFERENCES agent,
  CHECK (state <> 'ready' OR store_key IS NOT NULL), CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX recording_call ON recording (call_id);
CREATE INDEX recording_expiry ON recording (delete_after) WHERE state = 'ready' AND NOT legal_hold;
CREATE TABLE recording_access (recording_id bigint REFERENCES recording, agent_id bigint REFERENCES agent, at timestamptz NOT NULL DEFAULT now(), action text NOT NULL, ip inet);
CREATE INDEX recording_access_i ON recording_access (recording_id, at);

-- ---------- the decision -------------------------------------------------
CREATE TABLE call_link (                           -- one row per call that was decided upon; absent: not yet
  call_id bigint PRIMARY KEY REFERENCES call ON DELETE CASCADE,
  rule text NOT NULL,                              -- row of the decision table that spoke: A0a..A16
  state text NOT NULL CHECK (state IN ('open','proposed','confirmed','none')),
  ticket_id bigint REFERENCES ticket,              -- main ticket; further ones in call_ticket
  team_id bigint NOT NULL REFERENCES team,         -- whose list of unlinked calls it stands in
  match_level text NOT NULL DEFAULT 'none' CHECK (match_level IN ('known','shared','maybe','ambiguous','none','withheld','own')),
  match_rule text NOT NULL DEFAULT 'L11',          -- row of the look-up table
  trust text NOT NULL DEFAULT 'withheld' CHECK (trust IN ('withheld','claimed','asserted','verified')),
  caller_key text,                                 -- number the decision went by; null: withheld, own
  contact_id bigint REFERENCES contact, org_id bigint REFERENCES org,
  contact_picked boolean NOT NULL DEFAULT false,   -- an agent said who it was
  agent_id bigint REFERENCES agent,                -- who took the call
  missed boolean NOT NULL DEFAULT false,           -- counts as a missed call on the ticket (A11-A13)
  made_ticket boolean NOT NULL DEFAULT false,      -- the ticket was made for this call
  decided_by bigint REFERENCES agent,              -- null: the rule
  decided_at timestamptz NOT NULL,
  reason text,                                     -- why there is no ticket, in the agent's words
  answered_done boolean NOT NULL DEFAULT false,    -- phases applied: telling them again changes nothing
  ended_done boolean NOT NULL DEFAULT false,
  wrapup_done boolean NOT NULL DEFAULT false,
  wrapup_result text, wrapup_note text,
  told jsonb NOT NULL DEFAULT '{}',                -- what the decision was told of the call: instants, talk, direction
  version int NOT NULL DEFAULT 1,
  CHECK ((state IN ('proposed','confirmed')) = (ticket_id IS NOT NULL))
);
CREATE INDEX call_link_ticket  ON call_link (ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX call_link_contact ON call_link (contact_id, call_id DESC) WHERE contact_id IS NOT NULL;
CREATE INDEX call_link_todo    ON call_link (team_id, call_id DESC) WHERE state IN ('open','proposed');
CREATE INDEX call_link_number  ON call_link (caller_key, call_id DESC) WHERE caller_key IS NOT NULL;
CREATE TABLE call_link_event (                     -- every change of the link; append only, undo appends too
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  call_id bigint NOT NULL REFERENCES call ON DELETE CASCADE, at timestamptz NOT NULL,
  op text NOT NULL CHECK (op IN ('decide','link','confirm','move','split','unlink','undo')),
  actor_kind text NOT NULL CHECK (actor_kind IN ('agent','system')), actor_id bigint REFERENCES agent,
  old jsonb, new jsonb NOT NULL,                   -- rule, state, ticket, contact ... before and after
  undoes bigint UNIQUE REFERENCES call_link_event
);
CREATE INDEX call_link_event_call ON call_link_event (call_id, id);
CREATE TABLE call_ticket (call_id bigint REFERENCES call ON DELETE CASCADE, ticket_id bigint REFERENCES ticket ON DELETE CASCADE, PRIMARY KEY (call_id, ticket_id));
CREATE INDEX call_ticket_rev ON call_ticket (ticket_id);

ALTER TABLE message    ADD FOREIGN KEY (call_id) REFERENCES call;
ALTER TABLE time_entry ADD FOREIGN KEY (call_id) REFERENCES call;
CREATE UNIQUE INDEX message_call ON message (ticket_id, call_id) WHERE kind = 'call' AND deleted_at IS NULL;  -- one call, one entry per ticket
CREATE UNIQUE INDEX time_entry_call ON time_entry (call_id, agent_id) WHERE source = 'call';

CREATE TABLE callback_request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, call_id bigint REFERENCES call, ticket_id bigint REFERENCES ticket,
  number text NOT NULL, asked_at timestamptz NOT NULL DEFAULT now(), not_before timestamptz, not_after timestamptz,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting','dialing','done','failed','cancelled')), attempts int NOT NULL DEFAULT 0,
  finished_at timestamptz, finished_by bigint REFERENCES agent, finished_call_id bigint REFERENCES call,
  CHECK ((state IN ('done','failed','cancelled')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX callback_one ON callback_request (number) WHERE state IN ('waiting','dialing');
CREATE INDEX callback_ticket ON callback_request (ticket_id);
CREATE INDEX callback_call ON callback_request (call_id);

-- +goose Down
DROP TABLE callback_request;
DROP INDEX time_entry_call, message_call;
ALTER TABLE time_entry DROP CONSTRAINT time_entry_call_id_fkey;
ALTER TABLE message DROP CONSTRAINT message_call_id_fkey;
DROP TABLE call_ticket, call_link_event, call_link, recording_access, recording, call_event, call_leg, call;
