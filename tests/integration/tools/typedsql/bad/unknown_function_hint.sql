-- @query unknown_function_hint one
SELECT lenght(title) AS n FROM sales
--= bad/unknown_function_hint.sql:2:8: error: function lenght(text) does not exist
--=     2 | SELECT lenght(title) AS n FROM sales
--=       |        ^
--=     No function matches the given name and argument types. You might need to add explicit type casts.
