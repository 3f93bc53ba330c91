-- @query no_cardinality
SELECT version FROM schema_version
--= bad/no_cardinality.sql:1:25: error: how many rows come back is missing or unknown
--=     1 | -- @query no_cardinality
--=       |                         ^
--=     allowed here: -- @query <name> one|optional|many|exec
