-- @query not_null_under_outer_join many
-- @column number not null
SELECT s.sale_id, o.number
FROM sales s
LEFT JOIN orders o USING (sale_id)
--= bad/not_null_under_outer_join.sql:2:19: error: column number can be NULL: orders is on the outer side of a LEFT JOIN
--=     2 | -- @column number not null
--=       |                   ^
--=     if you know better, say: not null because <reason>
