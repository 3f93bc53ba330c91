-- What must always hold, checked on a running database: one statement, and so one snapshot, for
-- each sale, and one line of output for each. Run by `./dev audit`, or by hand:
--     psql -X -A -t -v ON_ERROR_STOP=1 -f tools/audit/audit.sql "$DATABASE_URL"
-- A line is `<sale> ok ...`, `<sale> warning ...` or `<sale> VIOLATION ...`. It reads only, needs no
-- more rights than the service's role has, and never blocks a sale.
\set QUIET on
SET default_transaction_read_only = on;

SELECT format('settings fsync=%s full_page_writes=%s synchronous_commit=%s',
              current_setting('fsync'), current_setting('full_page_writes'),
              current_setting('synchronous_commit'));

SELECT format($check$
WITH sale AS (
    SELECT * FROM sales WHERE sale_id = %1$L
), tally AS (
    SELECT count(*) AS orders,
           COALESCE(min(number), 1) AS number_first,
           COALESCE(max(number), 0) AS number_last,
           COALESCE(sum(quantity) FILTER (WHERE status IN ('RESERVED', 'CONFIRMED')), 0) AS held
    FROM orders
    WHERE sale_id = %1$L
), told AS (
    SELECT count(*) AS events, min(sequence) AS sequence_first, max(sequence) AS sequence_last
    FROM order_events
    WHERE sale_id = %1$L
), over_limit AS (
    SELECT customer_id, sum(quantity) AS held
    FROM orders
    WHERE sale_id = %1$L AND status IN ('RESERVED', 'CONFIRMED')
    GROUP BY customer_id
    HAVING sum(quantity) > (SELECT NULLIF(per_customer_limit, 0) FROM sale)
), customers AS (
    SELECT count(*) AS many,
           (array_agg(format('%%s holds %%s', customer_id, held) ORDER BY held DESC))[1] AS worst
    FROM over_limit
), findings AS (
    SELECT array_remove(ARRAY[
               CASE WHEN stock_remaining < 0 OR stock_returning < 0
                    THEN 'negative stock' END,
               CASE WHEN stock_total <> stock_remaining + stock_returning + held
                    THEN format('stock does not add up: off by %%s',
                                stock_remaining + stock_returning + held - stock_total) END,
               CASE WHEN stock_returned < stock_returning
                    THEN format('%%s units return, but only %%s ever came back',
                                stock_returning, stock_returned) END,
               CASE WHEN (stock_remaining = 0) <> (sold_out_since > 0)
                         OR sold_out_since NOT BETWEEN 0 AND version
                    THEN format('sold out since version %%s with %%s units left', sold_out_since,
                                stock_remaining) END,
               -- Old events are pruned, from the first on; those that are left end at the version.
               CASE WHEN events > 0 AND (sequence_last <> version
                                         OR sequence_last - sequence_first + 1 <> events)
                    THEN format('%%s events from %%s to %%s of version %%s have gaps',
                                events, sequence_first, sequence_last, version) END,
               -- Numbers are unique, so first, last and count make them gapless.
               CASE WHEN number_first <> 1 OR number_last <> orders
                    THEN format('numbers %%s to %%s of %%s orders have gaps',
                                number_first, number_last, orders) END,
               CASE WHEN orders_count <> orders
                    THEN format('orders_count is %%s', orders_count) END,
               CASE WHEN many > 0 AND NOT limit_lowered
                    THEN format('%%s customers over the limit of %%s (%%s)',
                                many, per_customer_limit, worst) END
           ], NULL) AS violations,
           CASE WHEN many > 0 AND limit_lowered
                THEN format('%%s customers over the limit of %%s, which was lowered (%%s)',
                            many, per_customer_limit, worst) END AS warning,
           format('total %%s = remaining %%s + returning %%s + held %%s, orders %%s, version %%s',
                  stock_total, stock_remaining, stock_returning, held, orders, version) AS account
    FROM sale, tally, told, customers
)
SELECT format('%%s %%s', %1$L,
              CASE WHEN cardinality(violations) > 0
                   THEN format('VIOLATION %%s: %%s', array_to_string(violations, '; '), account)
                   WHEN warning IS NOT NULL THEN format('warning %%s: %%s', warning, account)
                   ELSE format('ok %%s', account) END)
FROM findings
$check$, sale_id)
FROM sales
ORDER BY sale_id \gexec

SELECT format('%s VIOLATION %s orders of a sale that does not exist', sale_id, count(*))
FROM orders
WHERE NOT EXISTS (SELECT FROM sales WHERE sales.sale_id = orders.sale_id)
GROUP BY sale_id;

SELECT format('%s VIOLATION %s events of a sale that does not exist', sale_id, count(*))
FROM order_events
WHERE NOT EXISTS (SELECT FROM sales WHERE sales.sale_id = order_events.sale_id)
GROUP BY sale_id;
