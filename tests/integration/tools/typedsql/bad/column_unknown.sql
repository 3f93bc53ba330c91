-- @query column_unknown one
-- @column versions null
SELECT version FROM schema_version
--= bad/column_unknown.sql:2:12: error: the query returns no column versions
--=     2 | -- @column versions null
--=       |            ^
