-- @query existing_orders many
-- @param $1 sale_id uuid
-- @param $2 order_ids uuid[]
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- Which of a batch's orders exist already. By id = ANY, not by a join with unnest, which was
-- planned as a sequential scan.
SELECT order_id, number, quantity, status, create_time, expire_time
FROM orders
WHERE sale_id = $1 AND order_id = ANY ($2)
