-- @query rollback_transaction exec
ROLLBACK
