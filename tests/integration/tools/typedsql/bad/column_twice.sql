-- @query column_twice many
SELECT o.sale_id, s.title, s.sale_id FROM orders o JOIN sales s USING (sale_id)
--= bad/column_twice.sql:2:28: error: two columns would have the field sale_id
--=     2 | SELECT o.sale_id, s.title, s.sale_id FROM orders o JOIN sales s USING (sale_id)
--=       |                            ^
--=     give one another name with AS
