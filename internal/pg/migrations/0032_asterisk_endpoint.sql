-- A desk phone may be an endpoint of the Asterisk that carries the callers.

-- +goose Up
ALTER TABLE agent_account DROP CONSTRAINT agent_account_endpoint_check;
ALTER TABLE agent_account ADD CONSTRAINT agent_account_endpoint_check
  CHECK (endpoint = '' OR endpoint = 'registered' OR endpoint ~ '^sips?:[^\s]{1,200}$' OR endpoint ~ '^asterisk:[^\s]{1,200}$');

-- +goose Down
UPDATE agent_account SET endpoint = 'registered' WHERE endpoint LIKE 'asterisk:%';
ALTER TABLE agent_account DROP CONSTRAINT agent_account_endpoint_check;
ALTER TABLE agent_account ADD CONSTRAINT agent_account_endpoint_check
  CHECK (endpoint = '' OR endpoint = 'registered' OR endpoint ~ '^sips?:[^\s]{1,200}$');
