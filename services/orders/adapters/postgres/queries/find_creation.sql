-- @query find_creation one
-- @param $1 idempotency_key text
-- The sale that the key made. There is one: remember_creation has just met it.
SELECT sale_id, fingerprint
FROM sale_creations
WHERE idempotency_key = $1
