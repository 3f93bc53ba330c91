-- @query remember_creation exec
-- @param $1 idempotency_key text
-- @param $2 sale_id uuid
-- @param $3 fingerprint bytea
-- Waits for another creation with this key to end; no row when that one was committed.
INSERT INTO sale_creations (idempotency_key, sale_id, fingerprint)
VALUES ($1, $2, $3)
ON CONFLICT (idempotency_key) DO NOTHING
