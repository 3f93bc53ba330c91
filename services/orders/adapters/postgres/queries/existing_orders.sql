-- @query existing_orders many
-- @param $1 sale_id uuid
-- @param $2 order_ids uuid[]
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- Which of a batch's orders exist already; one that is asked for twice comes twice. One lookup an
-- order, said so that it cannot be planned in another way: order_id = ANY ($2) became a scan of the
-- whole sale where the table was small when it was planned
-- (docs/decisions/0006-one-lookup-an-order.md).
SELECT found.order_id, found.number, found.quantity, found.status, found.create_time,
       found.expire_time
FROM unnest($2::uuid[]) AS wanted (order_id)
CROSS JOIN LATERAL (
    SELECT order_id, number, quantity, status, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND order_id = wanted.order_id
    LIMIT 1
) AS found
