-- @query read_numbered_orders many
-- @param $1 sale_id uuid
-- @param $2 numbers bigint[]
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- The orders that events name, in the order of the numbers. One lookup an order, as in
-- existing_orders; "number > 0" is what the index wants to hear.
SELECT found.order_id, found.number, found.customer_id, found.quantity, found.status,
       found.create_time, found.expire_time
FROM unnest($2::bigint[]) AS wanted (number)
CROSS JOIN LATERAL (
    SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND number = wanted.number AND number > 0
    LIMIT 1
) AS found
