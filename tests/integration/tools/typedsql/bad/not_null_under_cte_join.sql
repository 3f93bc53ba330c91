-- @query not_null_under_cte_join many
-- @column number not null
WITH placed AS (SELECT sale_id, number FROM orders WHERE quantity > 1)
SELECT s.sale_id, p.number
FROM sales s
LEFT JOIN placed p USING (sale_id)
--= bad/not_null_under_cte_join.sql:2:19: error: column number can be NULL: orders is on the outer side of a LEFT JOIN
--=     2 | -- @column number not null
--=       |                   ^
--=     if you know better, say: not null because <reason>
