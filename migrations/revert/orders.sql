BEGIN;

DROP TABLE orders;
DROP TYPE order_status;

UPDATE schema_version SET version = 2;

COMMIT;
