BEGIN;

SELECT sale_id, stock_returned, sold_out_since, ended FROM sales WHERE false;
SELECT sale_id, sequence, event_time, placed_from, placed_count, placed_status, changed_numbers,
       changed_statuses
FROM order_events
WHERE false;
SELECT sale_id, idempotency_key, quantity, create_time FROM sale_restocks WHERE false;

DO $$
BEGIN
    ASSERT (SELECT array_agg(conname::text)
            FROM pg_catalog.pg_constraint
            WHERE conrelid IN ('sales'::regclass, 'order_events'::regclass,
                               'sale_restocks'::regclass)
              AND convalidated)
        @> ARRAY['sales_stock_returned_check', 'sales_sold_out_since_check', 'order_events_pkey',
                 'order_events_sequence_check', 'order_events_placed_check',
                 'order_events_changed_check', 'sale_restocks_pkey',
                 'sale_restocks_idempotency_key_check', 'sale_restocks_quantity_check'],
        'a constraint is missing';
    ASSERT (SELECT count(*) = 3 AND bool_and(indisvalid AND indpred IS NOT NULL)
            FROM pg_catalog.pg_index
            WHERE indexrelid IN ('sales_returning'::regclass, 'orders_due'::regclass,
                                 'orders_ended_by_customer'::regclass)),
        'an index is not valid or not partial';
    -- docs/decisions/0006-one-lookup-an-order.md
    ASSERT (SELECT max(indexrelid::bigint) = 'orders_held_by_customer'::regclass::oid::bigint
            FROM pg_catalog.pg_index WHERE indrelid = 'orders'::regclass),
        'orders_held_by_customer is not the youngest index of orders';
    ASSERT (SELECT collname = 'C' FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
            WHERE attrelid = 'sale_restocks'::regclass AND attname = 'idempotency_key'),
        'idempotency keys are ordered by bytes';
    ASSERT has_table_privilege('stampede', 'order_events', 'SELECT')
           AND has_table_privilege('stampede', 'order_events', 'INSERT')
           AND has_table_privilege('stampede', 'order_events', 'DELETE')
           AND NOT has_table_privilege('stampede', 'order_events', 'UPDATE')
           AND has_table_privilege('stampede', 'sale_restocks', 'SELECT')
           AND has_table_privilege('stampede', 'sale_restocks', 'INSERT'),
        'stampede lacks a right on its tables, or has one too many';
    ASSERT (SELECT version >= 4 AND compatible_from >= 4 FROM schema_version),
        'schema_version is behind';
END
$$;

ROLLBACK;
