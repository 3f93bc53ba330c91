-- @query find_restock optional
-- @param $1 sale_id uuid
-- @param $2 idempotency_key text
-- What the key was used for before.
SELECT quantity
FROM sale_restocks
WHERE sale_id = $1 AND idempotency_key = $2
