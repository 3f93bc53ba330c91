BEGIN;

DROP TABLE sale_restocks;
DROP TABLE order_events;
DROP INDEX orders_ended_by_customer;
DROP INDEX orders_due;
DROP INDEX sales_returning;
ALTER TABLE sales
    DROP CONSTRAINT sales_sold_out_since_check,
    DROP CONSTRAINT sales_stock_returned_check,
    DROP COLUMN ended,
    DROP COLUMN sold_out_since,
    DROP COLUMN stock_returned;

UPDATE schema_version SET version = 3, compatible_from = 1;

COMMIT;
