-- Orders. The primary key is also the idempotency index: order_id is a hash of (sale, customer,
-- idempotency key). There is no foreign key to sales: whoever writes here holds the lock of the
-- sale's row already (docs/decisions/0001-no-foreign-key-to-sales.md).
BEGIN;

CREATE TYPE order_status AS ENUM ('RESERVED', 'CONFIRMED', 'CANCELLED', 'EXPIRED');

CREATE TABLE orders (
    sale_id uuid NOT NULL,
    order_id uuid NOT NULL,
    -- 1, 2, 3 ... within the sale, given under its lock.
    number bigint NOT NULL,
    -- The shop's own user id. Bytewise order, for the index that guards the limit must not depend
    -- on the libc of the machine that reads it.
    customer_id text COLLATE "C" NOT NULL,
    quantity integer NOT NULL,
    status order_status NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the hold runs out, or ran out; NULL for an order that was confirmed when placed.
    expire_time timestamptz,
    CONSTRAINT orders_pkey PRIMARY KEY (sale_id, order_id),
    CONSTRAINT orders_number_check CHECK (number >= 1),
    CONSTRAINT orders_customer_id_check CHECK (octet_length(customer_id) BETWEEN 1 AND 64),
    CONSTRAINT orders_quantity_check CHECK (quantity BETWEEN 1 AND 1000)
) WITH (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

-- A number names one order of its sale. The predicate is true of every order, but an index with one
-- serves only queries that say it themselves, and so is never taken for a lookup by order_id:
-- docs/decisions/0006-one-lookup-an-order.md. Pages of a sale's orders say "number > 0".
CREATE UNIQUE INDEX orders_sale_id_number_key ON orders (sale_id, number) WHERE number > 0;

-- What a customer holds, for the limit. Why it is partial and does not carry the quantity:
-- docs/decisions/0002-index-of-held-orders.md. Queries name the statuses literally: under a generic
-- plan a parameter would miss the index.
CREATE INDEX orders_held_by_customer ON orders (sale_id, customer_id)
    WHERE status IN ('RESERVED', 'CONFIRMED');

GRANT SELECT, INSERT, UPDATE ON orders TO stampede;

UPDATE schema_version SET version = 3;

COMMIT;
