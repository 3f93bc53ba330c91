-- @query syntax_error many
SELECT sale_id
  FORM sales
--= bad/syntax_error.sql:3:8: error: syntax error at or near "sales"
--=     3 |   FORM sales
--=       |        ^
