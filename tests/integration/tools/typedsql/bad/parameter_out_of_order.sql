-- @query parameter_out_of_order one
-- @param $2 version integer
SELECT version FROM schema_version WHERE version = $1
--= bad/parameter_out_of_order.sql:2:11: error: parameters stand in order: $1 comes next
--=     2 | -- @param $2 version integer
--=       |           ^
--=     allowed here: -- @param $<n> <name> <type> [null] [count <name>] [enum <tag> <PREFIX> "<header>" [<count>]]
