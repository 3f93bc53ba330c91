-- @query insert_restock exec
-- @param $1 sale_id uuid
-- @param $2 idempotency_key text
-- @param $3 quantity integer
INSERT INTO sale_restocks (sale_id, idempotency_key, quantity)
VALUES ($1, $2, $3)
