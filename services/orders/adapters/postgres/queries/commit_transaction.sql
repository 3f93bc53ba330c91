-- @query commit_transaction exec
-- What its answer proves is judged by connection.c (CORRECTNESS A3).
COMMIT
