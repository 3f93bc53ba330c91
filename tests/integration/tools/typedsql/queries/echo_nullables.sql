-- @query echo_nullables one
-- @param $1 flag boolean null
-- @param $2 small smallint null
-- @param $3 number integer null
-- @param $4 large bigint null
-- @param $5 words text null
-- @param $6 bytes bytea null
-- @param $7 id uuid null
-- @param $8 moment timestamptz null
-- @param $9 status order_status null enum order_status ORDER_ "orders/domain/order.h"
-- @param $10 label order_status null
-- @param $11 numbers integer[] null
-- @param $12 spoken order_status null enum order_status ORDER_ "orders/domain/order.h"
-- @column status enum order_status ORDER_ "orders/domain/order.h"
-- @column spoken enum order_status ORDER_ "orders/domain/order.h"
--
-- The same, where each may be NULL.
SELECT $1::boolean AS flag, $2::smallint AS small, $3::integer AS number, $4::bigint AS large,
       $5::text AS words, $6::bytea AS bytes, $7::uuid AS id, $8::timestamptz AS moment,
       $9::order_status AS status, $10::order_status AS label, $11::integer[] AS numbers,
       $12::text::order_status AS spoken
