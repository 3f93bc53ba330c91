-- @query column_without_form one
SELECT version, version / 2.0 AS half FROM schema_version
--= bad/column_without_form.sql:2:17: error: column half is of type numeric, which has no form in C
--=     2 | SELECT version, version / 2.0 AS half FROM schema_version
--=       |                 ^
--=     cast it in the query, to text for instance
