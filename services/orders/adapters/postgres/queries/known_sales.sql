-- @query known_sales many
-- @param $1 sale_ids uuid[]
-- Which of these sales exist.
SELECT sale_id
FROM sales
WHERE sale_id = ANY ($1)
