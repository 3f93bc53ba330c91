-- @query expire_holds many
-- @param $1 sale_id uuid
-- @param $2 limit_count bigint
-- Lets the holds of a locked sale that have run out expire, the oldest first; orders_pkey finds each
-- row again. Why it is an INSERT that always meets its row, and not an UPDATE:
-- docs/decisions/0007-statements-of-changes-and-events.md. The status is literal, or the partial
-- index could not serve a generic plan. The time is one that passed after the lock was had, and the
-- last line a one-time filter: a sale without holds scans nothing.
INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, create_time,
                    expire_time)
SELECT sale_id, order_id, number, customer_id, quantity, 'EXPIRED', create_time, expire_time
FROM orders
WHERE sale_id = $1 AND status = 'RESERVED' AND expire_time <= (SELECT clock_timestamp())
      AND (SELECT hold_seconds > 0 FROM sales WHERE sale_id = $1)
ORDER BY expire_time
LIMIT $2
ON CONFLICT (sale_id, order_id) DO UPDATE
SET status = excluded.status
WHERE orders.status = 'RESERVED'
RETURNING order_id, number, quantity
