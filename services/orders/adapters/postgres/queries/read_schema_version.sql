-- @query read_schema_version optional
SELECT version, compatible_from
FROM schema_version
