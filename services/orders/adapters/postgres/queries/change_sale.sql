-- @query change_sale exec
-- @param $1 sale_id uuid
-- @param $2 version bigint
-- @param $3 event_time timestamptz
-- @param $4 title text
-- @param $5 start_time timestamptz
-- @param $6 end_time timestamptz
-- @param $7 stock_total integer
-- @param $8 stock_remaining integer
-- @param $9 stock_returning integer
-- @param $10 stock_returned bigint
-- @param $11 sold_out_since bigint
-- @param $12 per_customer_limit integer
-- @param $13 paused boolean
-- @param $14 ended boolean
-- @param $15 changed_numbers bigint[] count changed_count
-- @param $16 changed_statuses order_status[] count changed_count
-- Moves the sale to what was decided, all but what never changes, and tells of it: one row, or none
-- should the sale not be at the version that was decided on. A limit that falls, 0 being none, is
-- remembered for the audit.
WITH moved AS (
    UPDATE sales
    SET title = $4, start_time = $5, end_time = $6, stock_total = $7, stock_remaining = $8,
        stock_returning = $9, stock_returned = $10, sold_out_since = $11,
        per_customer_limit = $12,
        limit_lowered = limit_lowered
                        OR ($12 > 0 AND (per_customer_limit = 0 OR $12 < per_customer_limit)),
        paused = $13, ended = $14, version = version + 1
    WHERE sale_id = $1 AND version = $2
    RETURNING version
)
INSERT INTO order_events (sale_id, sequence, event_time, changed_numbers, changed_statuses)
SELECT $1, version, $3, $15, $16::text[]::order_status[] FROM moved
