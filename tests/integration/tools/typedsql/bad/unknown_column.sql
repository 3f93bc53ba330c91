-- @query unknown_column many
-- @param $1 sale_id uuid
-- The column is called title; the ö before it must not move the pointer.
SELECT 'schön' AS word, o.titel FROM sales o WHERE sale_id = $1
--= bad/unknown_column.sql:4:25: error: column o.titel does not exist
--=     4 | SELECT 'schön' AS word, o.titel FROM sales o WHERE sale_id = $1
--=       |                         ^
--=     Perhaps you meant to reference the column "o.title".
