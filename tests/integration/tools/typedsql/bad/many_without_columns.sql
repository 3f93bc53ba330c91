-- @query many_without_columns many
UPDATE sales SET title = ''
--= bad/many_without_columns.sql:1:11: error: the query returns no columns: it is exec, not many
--=     1 | -- @query many_without_columns many
--=       |           ^
