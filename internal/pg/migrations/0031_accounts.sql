-- How people and programs sign in, and the record of what they changed. People themselves are rows of agent (0001).

-- +goose Up
CREATE TABLE agent_account (
  agent_id        bigint PRIMARY KEY REFERENCES agent ON DELETE CASCADE,
  password_hash   text,                                   -- argon2id in PHC form; NULL: cannot sign in with a password
  password_set_at timestamptz,
  sip_ha1         text CHECK (sip_ha1 ~ '^[0-9a-f]{32}$'),-- MD5(login:hotline:password), as digest needs it; NULL: no desk phone
  endpoint        text NOT NULL DEFAULT '' CHECK (endpoint = '' OR endpoint = 'registered' OR endpoint ~ '^sips?:[^\s]{1,200}$'),
                                                          -- '': browser; 'registered': a desk phone that registers; else its fixed address
  version         int NOT NULL DEFAULT 1
);

CREATE TABLE session (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token_sha256 bytea NOT NULL UNIQUE,                     -- the token itself is only in the browser
  agent_id     bigint NOT NULL REFERENCES agent ON DELETE CASCADE,
  created_at   timestamptz NOT NULL,
  used_at      timestamptz NOT NULL,                      -- exact to a minute
  expires_at   timestamptz NOT NULL,
  ip           text NOT NULL DEFAULT '',
  user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX session_agent ON session (agent_id);
CREATE INDEX session_expiry ON session (expires_at);

-- Tries to sign in. login '' counts all tries of a source.
CREATE TABLE login_attempt (
  login      text NOT NULL,                               -- lower case, as typed: it need not exist
  source     text NOT NULL,                               -- IPv4 address or IPv6 /64
  tries      int NOT NULL,
  since      timestamptz NOT NULL,                        -- start of the window that tries counts in
  locked_to  timestamptz,
  success_at timestamptz,                                 -- last success: such a pair is not held back by its source
  PRIMARY KEY (login, source)
);

CREATE TABLE audit (
  seq      bigint PRIMARY KEY,                            -- without gaps: a cut shows
  at       timestamptz NOT NULL,
  actor    text NOT NULL,                                 -- login; 'system'
  via      text NOT NULL,                                 -- session, token:<name>, command, system
  action   text NOT NULL,
  object   text NOT NULL DEFAULT '',
  detail   jsonb NOT NULL DEFAULT '{}',
  ip       text NOT NULL DEFAULT '',
  hash     bytea NOT NULL                                 -- over the row and the hash of the row before
);
CREATE INDEX audit_object ON audit (object, seq);
CREATE INDEX audit_actor ON audit (actor, seq);

-- +goose StatementBegin
CREATE FUNCTION audit_hash(prev bytea, r audit) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(prev || convert_to(jsonb_build_array(r.seq, extract(epoch FROM r.at)::text, r.actor, r.via, r.action, r.object, r.detail, r.ip)::text, 'UTF8'))
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last audit;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('hotline.audit'));  -- one writer at a time, until its commit
  SELECT * INTO last FROM audit ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(last.seq, 0) + 1;
  NEW.hash := audit_hash(coalesce(last.hash, '\x'::bytea), NEW);
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_chain();
-- +goose StatementBegin
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

-- +goose Down
DROP TABLE audit;
DROP FUNCTION audit_append_only, audit_chain, audit_hash;
DROP TABLE login_attempt, session, agent_account;
