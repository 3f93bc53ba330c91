-- @query enum_of_no_enum many
-- @column quantity enum order_status ORDER_ "orders/domain/order.h"
SELECT quantity FROM orders
--= bad/enum_of_no_enum.sql:2:12: error: quantity is integer and no enum
--=     2 | -- @column quantity enum order_status ORDER_ "orders/domain/order.h"
--=       |            ^
