-- What the recorder keeps beside the columns of the call model.

-- +goose Up
ALTER TABLE recording
  ADD COLUMN key text UNIQUE,                     -- name of the recording and of its file, made when it starts
  ADD COLUMN error text,                          -- why it is shorter than the talk: disk full, cut by a crash
  ADD COLUMN peaks bytea;                         -- waveform: 50 values a second and channel, interleaved, 0..255

-- +goose Down
ALTER TABLE recording DROP COLUMN peaks, DROP COLUMN error, DROP COLUMN key;
