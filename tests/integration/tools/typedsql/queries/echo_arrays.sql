-- @query echo_arrays one
-- @param $1 smalls smallint[] count element_count
-- @param $2 numbers integer[] count element_count
-- @param $3 larges bigint[] count element_count
-- @param $4 words text[] count element_count
-- @param $5 ids uuid[] count element_count
-- @param $6 moments timestamptz[] count element_count
-- @param $7 statuses order_status[] enum order_status ORDER_ "orders/domain/order.h"
-- @column smalls not null
-- @column numbers not null
-- @column larges not null
-- @column words not null
-- @column ids not null
-- @column moments not null
-- @column statuses not null
SELECT $1::smallint[] AS smalls, $2::integer[] AS numbers, $3::bigint[] AS larges,
       $4::text[] AS words, $5::uuid[] AS ids, $6::timestamptz[] AS moments,
       $7::text[]::order_status[]::text[] AS statuses
