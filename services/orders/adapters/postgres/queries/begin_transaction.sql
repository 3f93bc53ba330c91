-- @query begin_transaction exec
-- Each statement gets its own snapshot: what is read after the lock must see what was committed
-- while waiting for it (CORRECTNESS B2).
BEGIN ISOLATION LEVEL READ COMMITTED
