-- @query unknown_directive one
-- @parm $1 version integer
SELECT version FROM schema_version WHERE version = $1
--= bad/unknown_directive.sql:2:4: error: there is no such directive
--=     2 | -- @parm $1 version integer
--=       |    ^
--=     allowed here: -- @query <name> one|optional|many|exec, -- @param ... and -- @column ...
