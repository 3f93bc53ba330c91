-- @query reason_missing many
-- @column expire_time not null because
SELECT expire_time FROM orders
--= bad/reason_missing.sql:2:40: error: the reason is missing
--=     2 | -- @column expire_time not null because
--=       |                                        ^
--=     allowed here: -- @column <name> [null | not null [because <reason>]] [enum <tag> <PREFIX> "<header>" [<count>]]
