-- @query close_work exec
ROLLBACK
