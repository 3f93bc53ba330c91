-- @query exec_with_columns exec
UPDATE sales SET title = '' RETURNING sale_id
--= bad/exec_with_columns.sql:1:11: error: the query returns columns: it is one, optional or many, not exec
--=     1 | -- @query exec_with_columns exec
--=       |           ^
