-- Channels, tickets, messages. Mail tables come with the mail channel.

-- +goose Up
-- ---------- channels -----------------------------------------------------
CREATE TABLE channel (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('phone','email','form','portal','chat','sms','telegram','whatsapp','viber','vk','facebook','api')),
  name text NOT NULL, team_id bigint REFERENCES team,
  config jsonb NOT NULL DEFAULT '{}', secret_ref text, enabled boolean NOT NULL DEFAULT true
);
CREATE TABLE own_address (                        -- our DIDs, extensions, mailboxes: never matched as a customer
  kind text NOT NULL CHECK (kind IN ('phone','extension','email')),
  value_norm text NOT NULL,
  channel_id bigint REFERENCES channel, agent_id bigint REFERENCES agent,
  PRIMARY KEY (kind, value_norm)
);
CREATE TABLE number_policy (                      -- block, allow, route; prefix match
  prefix text PRIMARY KEY, action text NOT NULL CHECK (action IN ('block','vip','no_ticket','shared')),
  note text NOT NULL DEFAULT '', until timestamptz
);

-- ---------- tickets ------------------------------------------------------
CREATE SEQUENCE ticket_number_seq START 10000;    -- shown number = sequence value + one check digit
CREATE TABLE ticket_status (
  id smallint PRIMARY KEY, key text NOT NULL UNIQUE, name jsonb NOT NULL,
  category text NOT NULL CHECK (category IN ('new','open','waiting_customer','waiting_vendor','scheduled','solved','closed','merged','spam'))
);
CREATE TABLE ticket (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  number text NOT NULL UNIQUE CHECK (number ~ '^[0-9]{6,18}$'),
  kind text NOT NULL DEFAULT 'question' CHECK (kind IN ('question','problem','suggestion','feedback','task')),
  title text NOT NULL CHECK (length(title) <= 500),
  status_id smallint NOT NULL REFERENCES ticket_status,
  severity smallint NOT NULL DEFAULT 4 CHECK (severity BETWEEN 1 AND 5),       -- 1 blocking .. 5 trivial
  client_priority smallint NOT NULL DEFAULT 2 CHECK (client_priority BETWEEN 1 AND 3),
  rank smallint GENERATED ALWAYS AS ((severity - 1) * 3 + client_priority) STORED, -- work order 1..15
  team_id bigint NOT NULL REFERENCES team,
  assignee_id bigint REFERENCES agent,
  contact_id bigint REFERENCES contact,            -- null only for a withheld number
  org_id bigint REFERENCES org, project_id bigint REFERENCES project,
  contract_id bigint REFERENCES contract, asset_id bigint REFERENCES asset,
  channel_id bigint REFERENCES channel, locale text,
  merged_into_id bigint REFERENCES ticket, merged_at timestamptz,
  follow_up_of_id bigint REFERENCES ticket,        -- answer to a ticket that may no longer be reopened
  pending_until timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  first_response_at timestamptz, last_customer_at timestamptz, last_agent_at timestamptz,
  waiting_since timestamptz,                       -- oldest unanswered customer message
  solved_at timestamptz, closed_at timestamptz, reopen_count int NOT NULL DEFAULT 0,
  next_due_at timestamptz, breached boolean NOT NULL DEFAULT false,  -- copies of the clocks, for lists
  actionable boolean NOT NULL GENERATED ALWAYS AS (status_id <= 2) STORED,  -- new or open (ids 1 and 2, 0005): it is our turn
  resolution text CHECK (resolution IN ('fixed','workaround','answered','duplicate','not_a_problem','wont_do','no_answer','out_of_scope')),
  root_cause text CHECK (root_cause IN ('defect','missing_feature','unclear_feature','user_error','infrastructure','third_party','other')),
  created_rule text,                               -- rule that made it: A9, A13 ...; null: made by a person
  missed_key text,                                 -- missed-call ticket (A13): the number it collects; null: withheld or not one
  flags text[] NOT NULL DEFAULT '{}',              -- missed_call, voicemail, callback, check_link, withheld, shared_number
  field_version jsonb NOT NULL DEFAULT '{}',       -- field -> version of its last change: edits of different fields merge
  custom jsonb NOT NULL DEFAULT '{}',
  version int NOT NULL DEFAULT 1,                  -- If-Match
  CHECK ((merged_into_id IS NULL) = (merged_at IS NULL)),
  CHECK (merged_into_id IS DISTINCT FROM id),
  CHECK ((status_id IN (6, 7)) = (solved_at IS NOT NULL)),
  CHECK ((status_id = 7) = (closed_at IS NOT NULL)),
  CHECK (status_id <> 6 OR resolution IS NOT NULL)
);
CREATE INDEX ticket_queue   ON ticket (team_id, rank, next_due_at, id) WHERE actionable;
CREATE INDEX ticket_mine    ON ticket (assignee_id, next_due_at, id)   WHERE actionable;
CREATE INDEX ticket_recent  ON ticket (team_id, updated_at DESC, id DESC) WHERE actionable;
CREATE INDEX ticket_missed  ON ticket (missed_key, updated_at DESC) WHERE missed_key IS NOT NULL;
CREATE INDEX ticket_status_i ON ticket (status_id, updated_at) WHERE closed_at IS NULL;
CREATE INDEX ticket_contact ON ticket (contact_id, updated_at DESC);
CREATE INDEX ticket_org     ON ticket (org_id, updated_at DESC);
CREATE INDEX ticket_due     ON ticket (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE INDEX ticket_pending ON ticket (pending_until) WHERE pending_until IS NOT NULL;
CREATE INDEX ticket_updated ON ticket (updated_at, id);              -- incremental export cursor
CREATE INDEX ticket_custom  ON ticket USING gin (custom jsonb_path_ops);
ALTER TABLE contact_point ADD FOREIGN KEY (source_ticket_id) REFERENCES ticket ON DELETE SET NULL;

CREATE TABLE tag (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE, color text);
CREATE TABLE ticket_tag (ticket_id bigint REFERENCES ticket ON DELETE CASCADE, tag_id bigint REFERENCES tag, PRIMARY KEY (ticket_id, tag_id));
CREATE INDEX ticket_tag_rev ON ticket_tag (tag_id, ticket_id);
CREATE TABLE ticket_link (
  from_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE, to_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('relates','duplicate_of','child_of','caused_by','split_from','follow_up_of','blocked_by')),
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (from_id, to_id, kind), CHECK (from_id <> to_id)
);
CREATE TABLE ticket_external (                     -- bug tracker, vendor case
  ticket_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE, system text NOT NULL, key text NOT NULL, url text, state text,
  PRIMARY KEY (ticket_id, system, key)
);
CREATE TABLE ticket_participant (
  ticket_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE,
  contact_id bigint REFERENCES contact, agent_id bigint REFERENCES agent,
  role text NOT NULL CHECK (role IN ('requester','cc','follower','collaborator')),
  added_by text NOT NULL DEFAULT 'agent', removed_at timestamptz,
  CHECK (num_nonnulls(contact_id, agent_id) = 1),
  UNIQUE NULLS NOT DISTINCT (ticket_id, contact_id, agent_id)
);
CREATE INDEX ticket_participant_contact ON ticket_participant (contact_id) WHERE contact_id IS NOT NULL AND removed_at IS NULL;
CREATE INDEX ticket_participant_agent ON ticket_participant (agent_id) WHERE agent_id IS NOT NULL AND removed_at IS NULL;
CREATE TABLE line_visit (                          -- time on a line, escalation percent
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ticket_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE,
  line smallint NOT NULL, team_id bigint NOT NULL REFERENCES team,
  entered_at timestamptz NOT NULL, left_at timestamptz,
  exit text CHECK (exit IN ('escalated','returned','solved','moved','merged','spam')), exit_reason text,
  business_s int, CHECK ((left_at IS NULL) = (exit IS NULL))
);
CREATE UNIQUE INDEX line_visit_open ON line_visit (ticket_id) WHERE left_at IS NULL;
CREATE INDEX line_visit_report ON line_visit (line, entered_at);

-- ---------- messages -----------------------------------------------------
CREATE TABLE blob (sha256 bytea PRIMARY KEY CHECK (length(sha256) = 32), size bigint NOT NULL, store_key text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE message (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ticket_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE,
  origin_ticket_id bigint REFERENCES ticket,       -- set by merge and split: makes both undoable
  seq int NOT NULL,                                -- order inside the ticket of birth, never renumbered
  kind text NOT NULL CHECK (kind IN ('email','call','note','chat','form','messenger','sms','system')),
  direction text NOT NULL CHECK (direction IN ('in','out','none')),
  visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public','internal')),
  agent_id bigint REFERENCES agent, contact_id bigint REFERENCES contact,
  channel_id bigint REFERENCES channel, call_id bigint,
  subject text, body_html text, body_text text NOT NULL DEFAULT '',
  reply_text text,                                 -- without quotes and signature; body_text stays complete
  headers jsonb,                                   -- from,to,cc,reply_to,references as parsed
  raw_sha256 bytea REFERENCES blob,
  machine text CHECK (machine IN ('auto_reply','out_of_office','bounce_hard','bounce_soft','list','own_loop','monitoring','read_receipt')),
  counts_as_response boolean NOT NULL DEFAULT false,
  delivery text CHECK (delivery IN ('queued','sent','delivered','deferred','failed','cancelled')),
  delivery_detail text,
  external_id text,                                -- provider id of a chat or messenger message
  created_at timestamptz NOT NULL DEFAULT now(), edited_at timestamptz, deleted_at timestamptz,
  CHECK (kind <> 'note' OR visibility = 'internal' OR direction = 'none')
);
-- unique where it was born: merge moves rows whose seq the target has too
CREATE UNIQUE INDEX message_birth ON message (coalesce(origin_ticket_id, ticket_id), seq);
CREATE INDEX message_ticket ON message (ticket_id, created_at);
CREATE UNIQUE INDEX message_external ON message (channel_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX message_outbox ON message (created_at) WHERE delivery IN ('queued','deferred');
CREATE TABLE attachment (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id bigint NOT NULL REFERENCES message ON DELETE CASCADE,
  sha256 bytea NOT NULL REFERENCES blob, filename text NOT NULL, content_type text NOT NULL,
  content_id text, inline boolean NOT NULL DEFAULT false,
  scan text NOT NULL DEFAULT 'pending' CHECK (scan IN ('pending','clean','blocked','skipped'))
);
CREATE INDEX attachment_message ON attachment (message_id);
CREATE TABLE draft (
  ticket_id bigint REFERENCES ticket ON DELETE CASCADE, agent_id bigint REFERENCES agent ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('reply','note')), body text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (ticket_id, agent_id, kind)
);
CREATE TABLE time_entry (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ticket_id bigint NOT NULL REFERENCES ticket ON DELETE CASCADE,
  agent_id bigint NOT NULL REFERENCES agent, call_id bigint, seconds int NOT NULL CHECK (seconds > 0),
  source text NOT NULL CHECK (source IN ('manual','call','timer')), note text, at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ticket_event (                        -- audit: append only, partitioned by month
  id bigint GENERATED ALWAYS AS IDENTITY, ticket_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  actor_kind text NOT NULL CHECK (actor_kind IN ('agent','contact','rule','sla','api','import','system')),
  actor_id bigint, type text NOT NULL, field text, old jsonb, new jsonb,
  cause jsonb,                                     -- rule id, macro id, call id, inbound_mail id
  PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);
CREATE TABLE ticket_event_default PARTITION OF ticket_event DEFAULT;
CREATE INDEX ticket_event_ticket ON ticket_event (ticket_id, at);
CREATE TABLE ticket_search (                       -- own table: rewriting it does not bloat ticket
  ticket_id bigint PRIMARY KEY REFERENCES ticket ON DELETE CASCADE,
  tsv tsvector NOT NULL, title text NOT NULL
);
CREATE INDEX ticket_search_tsv  ON ticket_search USING gin (tsv);
CREATE INDEX ticket_search_trgm ON ticket_search USING gin (title gin_trgm_ops);

-- +goose Down
DROP TABLE ticket_search, ticket_event, time_entry, draft, attachment, message, blob, line_visit, ticket_participant,
  ticket_external, ticket_link, ticket_tag, tag;
ALTER TABLE contact_point DROP CONSTRAINT contact_point_source_ticket_id_fkey;
DROP TABLE ticket, ticket_status, number_policy, own_address, channel;
DROP SEQUENCE ticket_number_seq;
