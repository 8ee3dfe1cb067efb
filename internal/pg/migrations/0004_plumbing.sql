-- What the API needs beside the data itself.

-- +goose Up
CREATE TABLE api_token (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, agent_id bigint REFERENCES agent, name text NOT NULL,
  token_sha256 bytea NOT NULL UNIQUE, scopes text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz, last_used_at timestamptz, revoked_at timestamptz
);
CREATE TABLE idempotency (
  actor text NOT NULL, key text NOT NULL CHECK (length(key) BETWEEN 1 AND 200), method text NOT NULL, path text NOT NULL, body_sha256 bytea NOT NULL,
  status int, response jsonb, created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE TABLE outbox (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), topic text NOT NULL, entity_id bigint NOT NULL, data jsonb NOT NULL);

-- +goose Down
DROP TABLE outbox, idempotency, api_token;
