-- @query enum_header_unquoted many
-- @column status enum order_status ORDER_ orders/domain/order.h
SELECT status FROM orders
--= bad/enum_header_unquoted.sql:2:44: error: the header stands in "quotes"
--=     2 | -- @column status enum order_status ORDER_ orders/domain/order.h
--=       |                                            ^
--=     allowed here: -- @column <name> [null | not null [because <reason>]] [enum <tag> <PREFIX> "<header>" [<count>]]
