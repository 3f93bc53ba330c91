-- @query parameter_unused exec
-- @param $1 sale_id uuid
-- @param $2 title text
UPDATE sales SET title = '' WHERE sale_id = $1
--= bad/parameter_unused.sql:3:11: error: the command does not use $2 title
--=     3 | -- @param $2 title text
--=       |           ^
