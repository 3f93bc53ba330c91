-- @query find_number optional
-- @param $1 number integer
-- @param $2 copies integer
-- @column number not null
SELECT $1::integer AS number FROM generate_series(1, $2)
