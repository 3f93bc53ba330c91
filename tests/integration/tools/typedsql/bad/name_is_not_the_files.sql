-- @query another_name one
SELECT version FROM schema_version
--= bad/name_is_not_the_files.sql:1:11: error: the query is named another_name, so its file is another_name.sql and not name_is_not_the_files.sql
--=     1 | -- @query another_name one
--=       |           ^
