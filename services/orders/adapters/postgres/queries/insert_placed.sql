-- @query insert_placed exec
-- @param $1 sale_id uuid
-- @param $2 version bigint
-- @param $3 placed_units integer
-- @param $4 order_ids uuid[] count order_count
-- @param $5 customer_ids text[] count order_count
-- @param $6 quantities integer[] count order_count
-- @param $7 status order_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @param $8 create_time timestamptz
-- @param $9 expire_time timestamptz null
-- Moves the sale and inserts its new orders in one statement, so that there is never one without
-- the other: should the row not be at the version that was decided on, nothing is inserted.
-- Numbers follow the order of the arrays.
WITH moved AS (
    UPDATE sales
    SET stock_remaining = stock_remaining - $3, version = version + 1,
        orders_count = orders_count + cardinality($4::uuid[])
    WHERE sale_id = $1 AND version = $2
    RETURNING orders_count - cardinality($4::uuid[]) AS numbered
)
INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, create_time,
                    expire_time)
SELECT $1, new.order_id, moved.numbered + new.position, new.customer_id, new.quantity,
       $7::order_status, $8, $9
FROM moved,
     unnest($4::uuid[], $5::text[], $6::integer[])
     WITH ORDINALITY AS new (order_id, customer_id, quantity, position)
