-- @query not_null_of_nullable_column many
-- @column expire_time not null
SELECT expire_time FROM orders
--= bad/not_null_of_nullable_column.sql:2:24: error: column expire_time can be NULL: orders.expire_time may be NULL
--=     2 | -- @column expire_time not null
--=       |                        ^
--=     if you know better, say: not null because <reason>
