-- @query list_orders many
-- @param $1 sale_id uuid
-- @param $2 after_number bigint
-- @param $3 limit_count bigint
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- A page of a sale's orders. "number > 0" is what its index wants to hear.
SELECT order_id, number, customer_id, quantity, status, create_time, expire_time
FROM orders
WHERE sale_id = $1 AND number > $2 AND number > 0
ORDER BY number
LIMIT $3
