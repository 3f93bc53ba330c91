-- @query insert_placed exec
-- @param $1 sale_id uuid
-- @param $2 version bigint
-- @param $3 stock_remaining integer
-- @param $4 stock_returning integer
-- @param $5 stock_returned bigint
-- @param $6 sold_out_since bigint
-- @param $7 order_ids uuid[] count order_count
-- @param $8 customer_ids text[] count order_count
-- @param $9 quantities integer[] count order_count
-- @param $10 status order_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @param $11 create_time timestamptz
-- @param $12 expire_time timestamptz null
-- @param $13 changed_numbers bigint[] count changed_count
-- @param $14 changed_statuses order_status[] count changed_count
-- Moves the sale, inserts its new orders and tells of them in one statement, so that there is never
-- one without the others: should the row not be at the version that was decided on, nothing is
-- inserted. Numbers follow the order of the arrays.
WITH moved AS (
    UPDATE sales
    SET stock_remaining = $3, stock_returning = $4, stock_returned = $5, sold_out_since = $6,
        version = version + 1, orders_count = orders_count + cardinality($7::uuid[])
    WHERE sale_id = $1 AND version = $2
    RETURNING version, orders_count - cardinality($7::uuid[]) AS numbered
), told AS (
    INSERT INTO order_events (sale_id, sequence, event_time, placed_from, placed_count,
                              placed_status, changed_numbers, changed_statuses)
    SELECT $1, version, $11, numbered + 1, cardinality($7::uuid[]), $10::order_status, $13,
           $14::text[]::order_status[]
    FROM moved
)
INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, create_time,
                    expire_time)
SELECT $1, new.order_id, moved.numbered + new.position, new.customer_id, new.quantity,
       $10::order_status, $11, $12
FROM moved,
     unnest($7::uuid[], $8::text[], $9::integer[])
     WITH ORDINALITY AS new (order_id, customer_id, quantity, position)
