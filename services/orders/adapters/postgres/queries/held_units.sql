-- @query held_units many
-- @param $1 sale_id uuid
-- @param $2 customer_ids text[]
-- @column units not null because a group has a row and quantity is NOT NULL
-- What a batch's customers hold. The sub-select is a one-time filter: a sale without a limit scans
-- nothing. The status is literal, or the partial index could not serve a generic plan.
SELECT customer_id, sum(quantity)::bigint AS units
FROM orders
WHERE sale_id = $1 AND customer_id = ANY ($2) AND status IN ('RESERVED', 'CONFIRMED')
      AND (SELECT per_customer_limit > 0 FROM sales WHERE sale_id = $1)
GROUP BY customer_id
