-- @query read_events many
-- @param $1 sale_id uuid
-- @param $2 from_sequence bigint
-- @param $3 limit_count bigint
-- @column placed_status enum order_status ORDER_ "orders/domain/order.h" ORDER_STATUS_COUNT
-- @column changed_statuses not null because the column that it is cast from is
SELECT sequence, event_time, placed_from, placed_count, placed_status, changed_numbers,
       changed_statuses::text[] AS changed_statuses
FROM order_events
WHERE sale_id = $1 AND sequence >= $2
ORDER BY sequence
LIMIT $3
