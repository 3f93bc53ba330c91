-- @query read_order_ids many
-- @param $1 sale_id uuid
-- @param $2 after_number bigint
-- @param $3 limit_count bigint
-- A slice of a sale's order ids. "number > 0" is what its index wants to hear.
SELECT order_id
FROM orders
WHERE sale_id = $1 AND number > $2 AND number > 0
ORDER BY number
LIMIT $3
