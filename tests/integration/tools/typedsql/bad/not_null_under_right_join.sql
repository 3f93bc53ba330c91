-- @query not_null_under_right_join many
-- @column title not null
SELECT s.title, o.number
FROM sales s
RIGHT JOIN orders o ON o.sale_id = s.sale_id
--= bad/not_null_under_right_join.sql:2:18: error: column title can be NULL: sales is on the outer side of a RIGHT JOIN
--=     2 | -- @column title not null
--=       |                  ^
--=     if you know better, say: not null because <reason>
