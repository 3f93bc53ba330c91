-- @query directive_too_late one
SELECT version
-- @column version null
FROM schema_version
--= bad/directive_too_late.sql:3:4: error: directives stand above the command
--=     3 | -- @column version null
--=       |    ^
