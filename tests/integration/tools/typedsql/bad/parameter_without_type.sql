-- @query parameter_without_type one
-- @param $1 version
SELECT version FROM schema_version WHERE version = $1
--= bad/parameter_without_type.sql:2:21: error: the parameter's type is missing
--=     2 | -- @param $1 version
--=       |                     ^
--=     allowed here: -- @param $<n> <name> <type> [null] [count <name>] [enum <tag> <PREFIX> "<header>" [<count>]]
