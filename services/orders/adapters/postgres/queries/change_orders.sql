-- @query change_orders exec
-- @param $1 sale_id uuid
-- @param $2 order_ids uuid[]
-- @param $3 from_status order_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @param $4 to_status order_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- Moves orders of a locked sale from one status to another; fewer than were named when one is not
-- there or has another status. One lookup an order, and an INSERT that always meets its row:
-- docs/decisions/0007-statements-of-changes-and-events.md.
INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, create_time,
                    expire_time)
SELECT $1, found.order_id, found.number, found.customer_id, found.quantity, $4::order_status,
       found.create_time, found.expire_time
FROM unnest($2::uuid[]) AS wanted (order_id)
CROSS JOIN LATERAL (
    SELECT order_id, number, customer_id, quantity, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND order_id = wanted.order_id
    LIMIT 1
) AS found
ON CONFLICT (sale_id, order_id) DO UPDATE
SET status = excluded.status
WHERE orders.status = $3::order_status
