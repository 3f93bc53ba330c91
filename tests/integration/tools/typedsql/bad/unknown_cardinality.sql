-- @query unknown_cardinality single
SELECT version FROM schema_version
--= bad/unknown_cardinality.sql:1:31: error: how many rows come back is missing or unknown
--=     1 | -- @query unknown_cardinality single
--=       |                               ^
--=     allowed here: -- @query <name> one|optional|many|exec
