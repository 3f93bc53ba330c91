-- @query read_clock one
-- @column read_time not null
-- The time by which a sale opens and closes. A statement of its own, after the lock: inside of the
-- locking statement it would be the time before the wait (CORRECTNESS B2).
SELECT clock_timestamp() AS read_time
