-- @query count_of_no_array one
-- @param $1 version integer count version_count
SELECT version FROM schema_version WHERE version = $1
--= bad/count_of_no_array.sql:2:11: error: only an array has a count
--=     2 | -- @param $1 version integer count version_count
--=       |           ^
