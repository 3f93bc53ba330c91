-- Just prose.
SELECT version FROM schema_version
--= bad/no_header.sql:1:1: error: the comment block on top has no @query
--=     1 | -- Just prose.
--=       | ^
--=     allowed here: -- @query <name> one|optional|many|exec
