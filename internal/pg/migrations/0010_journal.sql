-- How far the local call journals were copied into rows. One row per journal (its id is made with its directory), so
-- that a new journal on an old database is not taken for one that was copied.

-- +goose Up
CREATE TABLE journal_cursor (
  journal text PRIMARY KEY,
  seq bigint NOT NULL,                       -- last record copied; moved in the transaction that writes the rows
  copied_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE journal_cursor;
