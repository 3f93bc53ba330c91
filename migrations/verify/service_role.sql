BEGIN;

SELECT 1 / count(*) FROM pg_catalog.pg_roles WHERE rolname = 'stampede';

ROLLBACK;
