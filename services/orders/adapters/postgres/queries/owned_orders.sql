-- @query owned_orders many
-- @param $1 sale_id uuid
-- @param $2 order_ids uuid[]
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- Orders that are to be settled, with whose they are; one that is asked for twice comes twice. One
-- lookup an order, as in existing_orders.
SELECT found.order_id, found.number, found.customer_id, found.quantity, found.status,
       found.create_time, found.expire_time
FROM unnest($2::uuid[]) AS wanted (order_id)
CROSS JOIN LATERAL (
    SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND order_id = wanted.order_id
    LIMIT 1
) AS found
