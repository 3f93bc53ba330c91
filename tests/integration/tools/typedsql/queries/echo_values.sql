-- @query echo_values one
-- @param $1 flag boolean
-- @param $2 small smallint
-- @param $3 number integer
-- @param $4 large bigint
-- @param $5 words text
-- @param $6 bytes bytea
-- @param $7 id uuid
-- @param $8 moment timestamptz
-- @param $9 status order_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @param $10 label order_status
-- @column flag not null
-- @column small not null
-- @column number not null
-- @column large not null
-- @column words not null
-- @column bytes not null
-- @column id not null
-- @column moment not null
-- @column status not null enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @column label not null
--
-- Every type that has a form in C, there and back.
SELECT $1::boolean AS flag, $2::smallint AS small, $3::integer AS number, $4::bigint AS large,
       $5::text AS words, $6::bytea AS bytes, $7::uuid AS id, $8::timestamptz AS moment,
       $9::order_status AS status, $10::order_status AS label
