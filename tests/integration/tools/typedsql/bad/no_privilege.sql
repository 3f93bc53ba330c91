-- @query no_privilege exec
-- @param $1 sale_id uuid
-- The service may not delete orders: migrations grant it no right to.
DELETE FROM orders WHERE sale_id = $1
--= bad/no_privilege.sql:4:1: error: permission denied for table orders, and its role is stampede
--=     4 | DELETE FROM orders WHERE sale_id = $1
--=       | ^
