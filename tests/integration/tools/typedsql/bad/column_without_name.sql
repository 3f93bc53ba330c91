-- @query column_without_name one
SELECT version, (compatible_from + 1)
FROM schema_version
--= bad/column_without_name.sql:2:17: error: column 2 is named "?column?", which cannot be a field of C
--=     2 | SELECT version, (compatible_from + 1)
--=       |                 ^
--=     give it a name with AS
