-- @query read_sessions one
-- @column active not null because it is a count
-- @column idle not null because it is a count
-- @column idle_in_transaction not null because it is a count
-- @column lock_waiting not null because it is a count
-- @column oldest_transaction_us not null because of its coalesce
-- What the sessions of this program are doing, those of its other replicas included: of this role, in
-- this database, under its name or the one that this session was given. A role sees its own sessions
-- whole. The session that asks is not at work: it counts as idle, and its transaction not at all.
-- Reads no table and takes no lock.
SELECT count(*) FILTER (WHERE state = 'active' AND NOT is_own) AS active,
       count(*) FILTER (WHERE state = 'idle' OR is_own) AS idle,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS lock_waiting,
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start) * 1000000)
                    FILTER (WHERE NOT is_own), 0)::bigint AS oldest_transaction_us
FROM (
    SELECT state, wait_event_type, xact_start, pid = pg_backend_pid() AS is_own
    FROM pg_stat_activity
    WHERE usename = current_user AND datname = current_database()
          AND (application_name LIKE 'stampede-orders%'
               OR application_name = current_setting('application_name'))
) AS session
