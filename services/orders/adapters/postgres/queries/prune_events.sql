-- @query prune_events exec
-- @param $1 age_us bigint
-- @param $2 limit_count bigint
-- Deletes old events, from each sale's oldest on and never past one that is young, so that what is
-- left of a sale has no gap, whatever the clock did. The recursion steps from sale to sale and looks
-- at each one's oldest event only.
WITH RECURSIVE oldest AS (
    (SELECT sale_id, event_time FROM order_events ORDER BY sale_id, sequence LIMIT 1)
    UNION ALL
    SELECT next.sale_id, next.event_time
    FROM oldest
    CROSS JOIN LATERAL (
        SELECT sale_id, event_time
        FROM order_events
        WHERE sale_id > oldest.sale_id
        ORDER BY sale_id, sequence
        LIMIT 1
    ) AS next
), cut AS (
    SELECT clock_timestamp() - $1::bigint * interval '1 microsecond' AS event_time
), old AS (
    SELECT run.ctid AS place
    FROM oldest
    CROSS JOIN cut
    CROSS JOIN LATERAL (
        SELECT ctid, bool_and(event_time < cut.event_time) OVER (ORDER BY sequence) AS is_old
        FROM (SELECT ctid, sequence, event_time
              FROM order_events
              WHERE sale_id = oldest.sale_id
              ORDER BY sequence
              LIMIT $2) AS first_ones
    ) AS run
    WHERE oldest.event_time < cut.event_time AND run.is_old
    LIMIT $2
)
DELETE FROM order_events
WHERE ctid = ANY (ARRAY(SELECT place FROM old))
