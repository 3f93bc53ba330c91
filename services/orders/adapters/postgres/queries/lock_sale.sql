-- @query lock_sale optional
-- @param $1 sale_id uuid
-- The first statement of every transaction that changes a sale or its orders (CORRECTNESS B1).
SELECT sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time, stock_total,
       stock_remaining, stock_returning, per_customer_limit, hold_seconds, paused, ended,
       version, orders_count, stock_returned, sold_out_since
FROM sales
WHERE sale_id = $1
FOR UPDATE
