-- @query parameter_undeclared exec
-- @param $1 sale_id uuid
UPDATE sales SET title = $2 WHERE sale_id = $1
--= bad/parameter_undeclared.sql:3:26: error: $2 has no @param
--=     3 | UPDATE sales SET title = $2 WHERE sale_id = $1
--=       |                          ^
--=     the comment block on top declares 1
