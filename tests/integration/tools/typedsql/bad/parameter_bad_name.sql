-- @query parameter_bad_name one
-- @param $1 int integer
SELECT version FROM schema_version WHERE version = $1
--= bad/parameter_bad_name.sql:2:14: error: a name is lower-case letters, digits and _, begins with a letter and is no keyword of C
--=     2 | -- @param $1 int integer
--=       |              ^
--=     allowed here: -- @param $<n> <name> <type> [null] [count <name>] [enum <tag> <PREFIX> "<header>" [<count>]]
