-- @query parameter_wrong_type exec
-- @param $1 sale_id uuid
-- @param $2 stock bigint
UPDATE sales SET stock_total = $2 WHERE sale_id = $1
--= bad/parameter_wrong_type.sql:3:20: error: $2 stock is integer in the command, and bigint here
--=     3 | -- @param $2 stock bigint
--=       |                    ^
