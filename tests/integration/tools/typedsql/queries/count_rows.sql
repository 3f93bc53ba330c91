-- @query count_rows one
-- @param $1 rows integer
-- @column number not null
-- Breaks its promise of one row for any other number than 1, and that of no NULL for a negative.
SELECT nullif($1::integer, -1) AS number FROM generate_series(1, abs($1::integer))
