-- @query parameter_wrong_comparison exec
-- @param $1 sale_id integer
UPDATE sales SET title = '' WHERE sale_id = $1::integer
--= bad/parameter_wrong_comparison.sql:3:43: error: operator does not exist: uuid = integer
--=     3 | UPDATE sales SET title = '' WHERE sale_id = $1::integer
--=       |                                           ^
--=     No operator matches the given name and argument types. You might need to add explicit type casts.
