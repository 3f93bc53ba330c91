-- @query list_customer_orders many
-- @param $1 sale_id uuid
-- @param $2 customer_id text
-- @param $3 after_number bigint
-- @param $4 limit_count bigint
-- @column order_id not null because it is a column of orders that is
-- @column number not null because it is a column of orders that is
-- @column customer_id not null because it is a column of orders that is
-- @column quantity not null because it is a column of orders that is
-- @column status not null enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @column create_time not null because it is a column of orders that is
-- A page of one customer's orders, of both of the customer's indexes: what is held and what is not
-- any more. Between them they name every status.
SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
FROM (
    SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND customer_id = $2 AND status IN ('RESERVED', 'CONFIRMED')
    UNION ALL
    SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
    FROM orders
    WHERE sale_id = $1 AND customer_id = $2 AND status IN ('CANCELLED', 'EXPIRED')
) AS all_statuses
WHERE number > $3
ORDER BY number
LIMIT $4
