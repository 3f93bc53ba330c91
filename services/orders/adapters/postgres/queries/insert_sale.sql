-- @query insert_sale exec
-- @param $1 sale_id uuid
-- @param $2 sku text
-- @param $3 title text
-- @param $4 currency_code text
-- @param $5 unit_price_minor bigint
-- @param $6 start_time timestamptz null
-- @param $7 end_time timestamptz
-- @param $8 stock_total integer
-- @param $9 per_customer_limit integer
-- @param $10 hold_seconds integer
-- The sale and its first event. No row when the sale would end before it starts, now being the
-- start that was left out.
WITH made AS (
    INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time,
                       stock_total, stock_remaining, per_customer_limit, hold_seconds)
    SELECT $1, $2, $3, $4, $5, coalesce($6, clock.now), $7, $8, $8, $9, $10
    FROM (SELECT clock_timestamp() AS now) AS clock
    WHERE $7 > coalesce($6, clock.now) AND $7 > clock.now
    RETURNING sale_id, version, create_time
)
INSERT INTO order_events (sale_id, sequence, event_time)
SELECT sale_id, version, create_time FROM made
