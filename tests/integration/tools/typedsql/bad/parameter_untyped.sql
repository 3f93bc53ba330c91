-- @query parameter_untyped one
-- @param $1 anything text
-- @param $2 other text
SELECT coalesce($1, $1) IS NULL AND $2 IS NULL AS is_null
--= bad/parameter_untyped.sql:4:37: error: could not determine data type of parameter $2
--=     4 | SELECT coalesce($1, $1) IS NULL AND $2 IS NULL AS is_null
--=       |                                     ^
