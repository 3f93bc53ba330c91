BEGIN;

DROP TABLE sale_creations;
DROP TABLE sales;

UPDATE schema_version SET version = 1;

COMMIT;
