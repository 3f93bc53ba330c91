-- The role stays: it belongs to the cluster, and other databases of it may have granted to it. What
-- this database granted went with its tables.
BEGIN;

COMMIT;
