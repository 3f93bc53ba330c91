-- @query read_event_bounds optional
-- @param $1 sale_id uuid
-- @column oldest_sequence not null because coalesce has a last argument that is never NULL
-- The oldest event of a sale that is left, or the one that will be written next; none: no such sale.
SELECT currency_code, unit_price_minor,
       coalesce((SELECT sequence FROM order_events WHERE sale_id = $1 ORDER BY sequence LIMIT 1),
                version + 1) AS oldest_sequence
FROM sales
WHERE sale_id = $1
