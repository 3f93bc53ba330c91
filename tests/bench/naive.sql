-- How everybody sells a hot item: the row is locked for each order, over a round trip per statement.
BEGIN;
SELECT orders_count + 1 AS number, stock_remaining FROM sales WHERE sale_id = :sale FOR UPDATE \gset
UPDATE sales SET stock_remaining = stock_remaining - 1, orders_count = orders_count + 1 WHERE sale_id = :sale;
INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, create_time) VALUES (:sale, gen_random_uuid(), :number, 'c-' || :number, 1, 'CONFIRMED', clock_timestamp());
COMMIT;
