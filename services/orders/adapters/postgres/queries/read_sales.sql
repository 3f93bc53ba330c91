-- @query read_sales many
-- @param $1 sale_ids uuid[]
-- @column read_time not null
-- Watched sales, by primary key.
SELECT sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time, stock_total,
       stock_remaining, stock_returning, per_customer_limit, hold_seconds, paused, ended,
       version, orders_count, stock_returned, sold_out_since, clock_timestamp() AS read_time
FROM sales
WHERE sale_id = ANY ($1)
