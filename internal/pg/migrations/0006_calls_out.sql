-- Calls out: who has taken a callback, and who may dial a number that is nobody's.

-- +goose Up
ALTER TABLE callback_request
  ADD COLUMN taken_by bigint REFERENCES agent,   -- dials it now
  ADD COLUMN taken_call text,                    -- key of that call; its end settles the row, also after a crash
  ADD COLUMN taken_at timestamptz;
ALTER TABLE callback_request ADD CONSTRAINT callback_taken CHECK (taken_call IS NULL OR state = 'dialing');
UPDATE role SET permissions = permissions || '{call.dial_any}' WHERE key IN ('supervisor','admin');

-- +goose Down
UPDATE role SET permissions = array_remove(permissions, 'call.dial_any');
ALTER TABLE callback_request DROP CONSTRAINT callback_taken, DROP COLUMN taken_by, DROP COLUMN taken_call, DROP COLUMN taken_at;
