-- @query find_price optional
-- @param $1 sale_id uuid
-- Whether there is such a sale, and what a unit costs.
SELECT currency_code, unit_price_minor
FROM sales
WHERE sale_id = $1
