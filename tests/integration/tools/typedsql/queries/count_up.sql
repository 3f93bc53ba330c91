-- @query count_up many
-- @param $1 last integer
-- @column number not null
-- @column words not null because repeat() of what is never NULL is never NULL
-- 1, 2, 3 ... with as many letters.
SELECT number::integer AS number, repeat('x', number::integer) AS words
FROM generate_series(1, $1) AS number;
