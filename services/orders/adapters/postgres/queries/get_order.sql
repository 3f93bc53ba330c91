-- @query get_order optional
-- @param $1 sale_id uuid
-- @param $2 order_id uuid
-- @param $3 customer_id text
-- @column status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- One customer's own order and the price of its sale.
SELECT o.order_id, o.number, o.quantity, o.status, o.create_time, o.expire_time, o.customer_id,
       s.currency_code, s.unit_price_minor
FROM orders o
JOIN sales s USING (sale_id)
WHERE sale_id = $1 AND o.order_id = $2 AND o.customer_id = $3
