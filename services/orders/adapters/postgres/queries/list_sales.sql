-- @query list_sales many
-- @param $1 before uuid null
-- @param $2 limit_count bigint
-- @column read_time not null
-- Ids are version 7, so that their order is that of creation; NULL begins with the newest.
SELECT sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time, stock_total,
       stock_remaining, stock_returning, per_customer_limit, hold_seconds, paused, ended,
       version, orders_count, stock_returned, sold_out_since, clock_timestamp() AS read_time
FROM sales
WHERE sale_id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
ORDER BY sale_id DESC
LIMIT $2
