BEGIN;

SELECT sale_id, order_id, number, customer_id, quantity, status, create_time, expire_time
FROM orders
WHERE false;

DO $$
BEGIN
    ASSERT enum_range(NULL::order_status)::text = '{RESERVED,CONFIRMED,CANCELLED,EXPIRED}',
        'order_status has other values';
    ASSERT (SELECT array_agg(conname::text)
            FROM pg_catalog.pg_constraint
            WHERE conrelid = 'orders'::regclass AND convalidated AND contype <> 'n')
        @> ARRAY['orders_customer_id_check', 'orders_number_check', 'orders_pkey',
                 'orders_quantity_check'],
        'a constraint of orders is missing';
    ASSERT (SELECT array_agg(attname::text) = ARRAY['expire_time']
            FROM pg_catalog.pg_attribute
            WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped
              AND NOT attnotnull),
        'every column but expire_time is NOT NULL';
    ASSERT (SELECT collname = 'C' FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
            WHERE attrelid = 'orders'::regclass AND attname = 'customer_id'),
        'customers are ordered by bytes';
    ASSERT (SELECT indisvalid AND indisunique AND indpred IS NOT NULL FROM pg_catalog.pg_index
            WHERE indexrelid = 'orders_sale_id_number_key'::regclass),
        'the index of numbers is unique, partial and valid';
    ASSERT (SELECT indisvalid AND indpred IS NOT NULL FROM pg_catalog.pg_index
            WHERE indexrelid = 'orders_held_by_customer'::regclass),
        'the index of held orders is partial and valid';
    ASSERT has_table_privilege('stampede', 'orders', 'SELECT')
           AND has_table_privilege('stampede', 'orders', 'INSERT')
           AND has_table_privilege('stampede', 'orders', 'UPDATE'),
        'stampede lacks a right on orders';
    ASSERT (SELECT version >= 3 FROM schema_version), 'schema_version is behind';
END
$$;

ROLLBACK;
