-- @query read_version one
SELECT version, compatible_from FROM schema_version
