-- @query parameter_extra_word one
-- @param $1 version integer nullable
SELECT version FROM schema_version WHERE version = $1
--= bad/parameter_extra_word.sql:2:30: error: this is one word too many
--=     2 | -- @param $1 version integer nullable
--=       |                              ^
--=     allowed here: -- @param $<n> <name> <type> [null] [count <name>] [enum <tag> <PREFIX> "<header>" [<count>]]
