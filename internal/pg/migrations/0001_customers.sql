-- Staff, calendars, plans and customers of the ticket engine. Free text columns carry CHECKs instead of enum types:
-- they are cheap to extend.

-- +goose Up
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---------- staff -------------------------------------------------------
CREATE TABLE team (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text NOT NULL UNIQUE,
  line         smallint NOT NULL DEFAULT 1 CHECK (line BETWEEN 1 AND 4),   -- L1..L4; L4 = vendor
  partner_org_id bigint,                        -- L1 given to a partner, L4 = vendor organisation
  calendar_id  bigint,
  reopen_window interval NOT NULL DEFAULT '14 days',
  autocreate_policy text NOT NULL DEFAULT 'auto' CHECK (autocreate_policy IN ('ask','auto','off')),
  settings jsonb NOT NULL DEFAULT '{}'          -- fresh_days, no_answer_after_days ...: see the list above
);
CREATE TABLE agent (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  login        citext NOT NULL UNIQUE,
  email        citext UNIQUE,
  name         text NOT NULL,
  locale       text NOT NULL DEFAULT 'ru',
  tz           text NOT NULL DEFAULT 'Europe/Moscow',
  partner_org_id bigint,                        -- external agent: sees only tickets of its teams
  substitute_id bigint REFERENCES agent,        -- out of office
  active       boolean NOT NULL DEFAULT true
);
CREATE TABLE team_member (
  team_id bigint NOT NULL REFERENCES team ON DELETE CASCADE,
  agent_id bigint NOT NULL REFERENCES agent ON DELETE CASCADE,
  access text NOT NULL CHECK (access IN ('read','reply','full','lead')),
  PRIMARY KEY (team_id, agent_id)
);
CREATE TABLE role (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text UNIQUE NOT NULL, permissions text[] NOT NULL);
CREATE TABLE agent_role (agent_id bigint REFERENCES agent ON DELETE CASCADE, role_id bigint REFERENCES role, PRIMARY KEY (agent_id, role_id));

-- ---------- calendars and plans -----------------------------------------
CREATE TABLE calendar (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  tz   text NOT NULL,                            -- IANA name, checked by the server on write
  ical_url text,
  version int NOT NULL DEFAULT 1                 -- bumped by any change below: clocks remember it
);
CREATE TABLE calendar_week (                     -- minutes of the local day; a multirange cannot overlap itself
  calendar_id bigint NOT NULL REFERENCES calendar ON DELETE CASCADE,
  weekday smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
  open int4multirange NOT NULL CHECK (open <@ '{[0,1440)}'::int4multirange),
  PRIMARY KEY (calendar_id, weekday)
);
CREATE TABLE calendar_exception (                -- holiday = '{}', short day or working Saturday = other hours
  calendar_id bigint NOT NULL REFERENCES calendar ON DELETE CASCADE,
  day date NOT NULL,
  open int4multirange NOT NULL CHECK (open <@ '{[0,1440)}'::int4multirange),
  label text NOT NULL DEFAULT '',
  source text NOT NULL DEFAULT 'manual' CHECK (source IN ('manual','ical')),
  active boolean NOT NULL DEFAULT true,          -- an admin switches a fed day off; the next sync must keep that
  PRIMARY KEY (calendar_id, day)
);
CREATE TABLE service_plan (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text NOT NULL UNIQUE,                      -- standard | extended | premium
  name text NOT NULL,
  calendar_id bigint NOT NULL REFERENCES calendar,
  named_engineer boolean NOT NULL DEFAULT false
);
ALTER TABLE team ADD FOREIGN KEY (calendar_id) REFERENCES calendar;

-- ---------- customers ----------------------------------------------------
CREATE TABLE org (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  kind text NOT NULL DEFAULT 'client' CHECK (kind IN ('client','partner','vendor','internal')),
  parent_id bigint REFERENCES org,
  client_priority smallint NOT NULL DEFAULT 2 CHECK (client_priority BETWEEN 1 AND 3), -- 1 high 2 medium 3 low
  tz text,
  shared_tickets boolean NOT NULL DEFAULT false, -- colleagues see each other's tickets in the portal
  external_key text UNIQUE,
  custom jsonb NOT NULL DEFAULT '{}',
  archived_at timestamptz,
  version int NOT NULL DEFAULT 1
);
CREATE INDEX org_name_trgm ON org USING gin (name gin_trgm_ops);
CREATE TABLE org_domain (domain citext PRIMARY KEY, org_id bigint NOT NULL REFERENCES org ON DELETE CASCADE);
ALTER TABLE team  ADD FOREIGN KEY (partner_org_id) REFERENCES org;
ALTER TABLE agent ADD FOREIGN KEY (partner_org_id) REFERENCES org;

CREATE TABLE project (                            -- one client may run several installations
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id bigint NOT NULL REFERENCES org,
  name text NOT NULL,
  product text,
  UNIQUE (org_id, name)
);
CREATE TABLE contract (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id bigint NOT NULL REFERENCES org,
  project_id bigint REFERENCES project,
  plan_id bigint NOT NULL REFERENCES service_plan,
  valid daterange NOT NULL CHECK (NOT isempty(valid)),
  calendar_id bigint REFERENCES calendar,         -- agreed hours that differ from the plan
  engineer_id bigint REFERENCES agent,            -- premium: named engineer
  number text,
  EXCLUDE USING gist (org_id WITH =, coalesce(project_id,0) WITH =, valid WITH &&)
);
CREATE TABLE asset (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id bigint NOT NULL REFERENCES org,
  project_id bigint REFERENCES project,
  contract_id bigint REFERENCES contract,
  vendor text NOT NULL DEFAULT '', model text NOT NULL DEFAULT '',
  part_no text, serial text, qty int NOT NULL DEFAULT 1 CHECK (qty > 0),
  location text, custom jsonb NOT NULL DEFAULT '{}',
  retired_at timestamptz
);
CREATE UNIQUE INDEX asset_serial ON asset (lower(vendor), lower(serial)) WHERE serial IS NOT NULL AND retired_at IS NULL;

CREATE TABLE contact (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL DEFAULT '',                  -- may be empty: a bare number is a valid contact
  kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person','shared','unknown','machine')),
  locale text, tz text,
  merged_into_id bigint REFERENCES contact,       -- tombstone, never reused
  blocked_at timestamptz,
  custom jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  version int NOT NULL DEFAULT 1,
  CHECK (merged_into_id IS DISTINCT FROM id)
);
CREATE INDEX contact_name_trgm ON contact USING gin (name gin_trgm_ops) WHERE merged_into_id IS NULL;
CREATE TABLE contact_org (
  contact_id bigint NOT NULL REFERENCES contact ON DELETE CASCADE,
  org_id bigint NOT NULL REFERENCES org ON DELETE CASCADE,
  title text, is_primary boolean NOT NULL DEFAULT false,
  PRIMARY KEY (contact_id, org_id)
);
CREATE UNIQUE INDEX contact_org_primary ON contact_org (contact_id) WHERE is_primary;

CREATE TABLE contact_point (                      -- phones, e-mails, messenger ids: any number per contact
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  contact_id bigint REFERENCES contact ON DELETE CASCADE,
  org_id bigint REFERENCES org ON DELETE CASCADE, -- a company switchboard belongs to the organisation
  kind text NOT NULL CHECK (kind IN ('phone','email','telegram','whatsapp','viber','vk','facebook','chat','external')),
  value_norm text NOT NULL,                       -- phone: E.164 with '+'; e-mail: lower case; messenger: provider id
  value_raw text NOT NULL,
  ext text,                                       -- extension behind a shared number
  alt_keys text[] NOT NULL DEFAULT '{}',          -- other spellings of the same subscriber (BR ninth digit, MX/AR 1/9)
  label text,
  sharing text NOT NULL DEFAULT 'personal' CHECK (sharing IN ('personal','shared')),
  level text NOT NULL DEFAULT 'known' CHECK (level IN ('known','maybe')),
  source text NOT NULL CHECK (source IN ('agent','portal','import','directory','inbound','extracted')),
  source_ticket_id bigint,
  verified_at timestamptz, last_seen_at timestamptz, expires_at timestamptz,
  is_primary boolean NOT NULL DEFAULT false,
  opted_out_at timestamptz, bounced_at timestamptz, bounce_code text,
  CHECK (num_nonnulls(contact_id, org_id) >= 1),
  CHECK (kind <> 'phone' OR value_norm ~ '^\+[1-9][0-9]{6,14}$'),
  UNIQUE NULLS NOT DISTINCT (kind, value_norm, ext, contact_id, org_id)
);
-- one owner for a personal known address; shared ones and 'maybe' ones are free
CREATE UNIQUE INDEX contact_point_owner ON contact_point (kind, value_norm)
  WHERE sharing = 'personal' AND level = 'known' AND contact_id IS NOT NULL;
CREATE INDEX contact_point_lookup ON contact_point (kind, value_norm);
CREATE INDEX contact_point_alt ON contact_point USING gin (alt_keys);
CREATE INDEX contact_point_tail ON contact_point (right(value_norm, 7)) WHERE kind = 'phone';

-- +goose Down
DROP TABLE contact_point, contact_org, contact, asset, contract, project, org_domain;
ALTER TABLE team DROP CONSTRAINT team_partner_org_id_fkey, DROP CONSTRAINT team_calendar_id_fkey;
ALTER TABLE agent DROP CONSTRAINT agent_partner_org_id_fkey;
DROP TABLE org, service_plan, calendar_exception, calendar_week, calendar, agent_role, role, team_member, agent, team;
