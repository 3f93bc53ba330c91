-- @query held_units many
-- @param $1 sale_id uuid
-- @param $2 customer_ids text[]
-- @column customer_id not null because it is an element of $2, which has no NULL
-- @column units not null because the last line but one says so
-- What those of a batch's customers hold who hold anything, a row each. One lookup a customer, as
-- in existing_orders. The status is literal, or the partial index could not serve a generic plan.
-- The sub-select is a one-time filter: a sale without a limit scans nothing.
SELECT wanted.customer_id, held.units
FROM (SELECT DISTINCT customer_id FROM unnest($2::text[]) AS asked (customer_id)) AS wanted
CROSS JOIN LATERAL (
    SELECT sum(quantity)::bigint AS units
    FROM orders
    WHERE sale_id = $1 AND customer_id = wanted.customer_id
          AND status IN ('RESERVED', 'CONFIRMED')
) AS held
WHERE held.units IS NOT NULL
      AND (SELECT per_customer_limit > 0 FROM sales WHERE sale_id = $1)
