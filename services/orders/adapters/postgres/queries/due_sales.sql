-- @query due_sales many
-- @param $1 after_id uuid
-- @param $2 limit_count bigint
-- @column sale_id not null because both tables that it comes from have it so
-- @column holds_due not null because both parts of the union are
-- @column stock_returned not null because both parts of the union are
-- Sales with holds that have run out, or with returning stock. The recursion steps from sale to sale
-- and looks at each one's first hold only, however many it has. The status is literal, or the
-- partial index could not serve a generic plan.
WITH RECURSIVE held AS (
    (SELECT sale_id, expire_time
     FROM orders
     WHERE status = 'RESERVED' AND sale_id > $1
     ORDER BY sale_id, expire_time
     LIMIT 1)
    UNION ALL
    SELECT next.sale_id, next.expire_time
    FROM held
    CROSS JOIN LATERAL (
        SELECT sale_id, expire_time
        FROM orders
        WHERE status = 'RESERVED' AND sale_id > held.sale_id
        ORDER BY sale_id, expire_time
        LIMIT 1
    ) AS next
)
SELECT sale_id, bool_or(due) AS holds_due, max(returned) AS stock_returned
FROM (
    SELECT sale_id, true AS due, 0::bigint AS returned
    FROM held
    WHERE expire_time <= (SELECT clock_timestamp())
    UNION ALL
    SELECT sale_id, false, stock_returned
    FROM sales
    WHERE stock_returning > 0 AND sale_id > $1
) AS found
GROUP BY sale_id
ORDER BY sale_id
LIMIT $2
