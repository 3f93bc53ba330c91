BEGIN;

SELECT sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time, stock_total,
       stock_remaining, stock_returning, per_customer_limit, limit_lowered, hold_seconds, paused,
       version, orders_count, create_time
FROM sales
WHERE false;

SELECT idempotency_key, sale_id, fingerprint, create_time FROM sale_creations WHERE false;

DO $$
BEGIN
    ASSERT (SELECT array_agg(conname::text ORDER BY conname::text COLLATE "C")
            FROM pg_catalog.pg_constraint
            WHERE conrelid = 'sales'::regclass AND convalidated AND contype <> 'n')
        @> ARRAY['sales_currency_code_check', 'sales_end_time_check', 'sales_hold_seconds_check',
                 'sales_orders_count_check', 'sales_per_customer_limit_check', 'sales_pkey',
                 'sales_sku_check', 'sales_stock_remaining_check', 'sales_stock_returning_check',
                 'sales_stock_sum_check', 'sales_stock_total_check', 'sales_title_check',
                 'sales_unit_price_minor_check', 'sales_version_check'],
        'a constraint of sales is missing';
    ASSERT (SELECT array_agg(conname::text)
            FROM pg_catalog.pg_constraint
            WHERE conrelid = 'sale_creations'::regclass AND convalidated AND contype <> 'n')
        @> ARRAY['sale_creations_fingerprint_check', 'sale_creations_idempotency_key_check',
                 'sale_creations_pkey'],
        'a constraint of sale_creations is missing';
    ASSERT NOT EXISTS (SELECT FROM pg_catalog.pg_attribute
                       WHERE attrelid IN ('sales'::regclass, 'sale_creations'::regclass)
                         AND attnum > 0 AND NOT attisdropped AND NOT attnotnull),
        'every column is NOT NULL';
    ASSERT (SELECT collname = 'C' FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
            WHERE attrelid = 'sale_creations'::regclass AND attname = 'idempotency_key'),
        'idempotency keys are ordered by bytes';
    -- A column that each batch changes in an index's key or columns would end HOT updates.
    ASSERT (SELECT bool_and(indnatts = 1 AND indkey[0] = 1) FROM pg_catalog.pg_index
            WHERE indrelid = 'sales'::regclass),
        'an index of sales holds more than sale_id';
    ASSERT (SELECT reloptions @> ARRAY['fillfactor=10'] FROM pg_catalog.pg_class
            WHERE oid = 'sales'::regclass),
        'sales leaves room on its pages';
    ASSERT has_table_privilege('stampede', 'sales', 'SELECT')
           AND has_table_privilege('stampede', 'sales', 'INSERT')
           AND has_table_privilege('stampede', 'sales', 'UPDATE')
           AND has_table_privilege('stampede', 'sale_creations', 'SELECT')
           AND has_table_privilege('stampede', 'sale_creations', 'INSERT'),
        'stampede lacks a right on its tables';
    ASSERT (SELECT version >= 2 FROM schema_version), 'schema_version is behind';
END
$$;

ROLLBACK;
