-- +goose Up
-- Trunks: peers that may send us calls or take ours. The SIP server reads all rows at start and after each change.
CREATE TABLE trunk (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name             text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
  cidrs            cidr[] NOT NULL DEFAULT '{}',            -- addresses its calls may come from; none: no calls in
  asserts_identity boolean NOT NULL DEFAULT false,          -- its caller numbers count as asserted (RFC 3325)
  region           text NOT NULL DEFAULT 'RU' CHECK (region ~ '^[A-Z]{2}$'),
  area_code        text NOT NULL DEFAULT '' CHECK (area_code ~ '^[0-9]{0,8}$'),
  host             text NOT NULL DEFAULT '',                -- where our calls go; empty: none go out
  port             int NOT NULL DEFAULT 5060 CHECK (port BETWEEN 1 AND 65535),
  transport        text NOT NULL DEFAULT 'udp' CHECK (transport IN ('udp','tcp')),
  username         text NOT NULL DEFAULT '',
  password         text NOT NULL DEFAULT '',                -- never leaves through the API
  realm            text NOT NULL DEFAULT '',                -- empty: any realm of this host
  register         boolean NOT NULL DEFAULT false,          -- we register there
  register_every_s int NOT NULL DEFAULT 300 CHECK (register_every_s BETWEEN 30 AND 86400),
  max_calls        int NOT NULL DEFAULT 0 CHECK (max_calls >= 0), -- 0: no limit of its own
  unknown_number   text NOT NULL DEFAULT 'reject' CHECK (unknown_number IN ('reject','notice')),
  caller_id        text NOT NULL DEFAULT '',                -- the number our calls show
  enabled          boolean NOT NULL DEFAULT true,
  version          int NOT NULL DEFAULT 1,
  CHECK (NOT register OR host <> '')
);

-- Numbers: where a dialled number goes. Menu files may declare routes too; a row here wins.
CREATE TABLE route_number (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  number    text NOT NULL UNIQUE CHECK (number ~ '^\+?[0-9A-Za-z*#_.-]{1,40}$'), -- as the trunk dials it
  flow      text NOT NULL DEFAULT '',
  queue     text NOT NULL DEFAULT '',
  label     text NOT NULL DEFAULT '',
  max_calls int NOT NULL DEFAULT 0 CHECK (max_calls >= 0),  -- 0: no limit of its own
  version   int NOT NULL DEFAULT 1,
  CHECK ((flow = '') <> (queue = ''))                       -- exactly one destination
);

-- +goose Down
DROP TABLE route_number;
DROP TABLE trunk;
