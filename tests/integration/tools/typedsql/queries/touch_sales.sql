-- @query touch_sales exec
-- @param $1 title text
UPDATE sales SET paused = NOT paused WHERE title = $1
