-- What the whole order engine stands on: units that return to a sold-out sale, holds that run out,
-- the restocks' idempotency keys, and the events that whoever ships, pays or mails reads. Older
-- programs could not keep the new columns right, so they may not run on this schema.
BEGIN;

ALTER TABLE sales
    -- Units that ever came back while nothing remained; stock_returning are the last of them. Only
    -- grows: whoever read it knows later which units had come back by then.
    ADD COLUMN stock_returned bigint NOT NULL DEFAULT 0,
    -- The version at which stock_remaining last became 0; 0 while some remains. No order is placed
    -- while it stands, so a list of the sale's order ids made since then stays whole.
    ADD COLUMN sold_out_since bigint NOT NULL DEFAULT 0,
    -- An administrator has ended the sale. end_time says when, but not for good: a clock that is set
    -- back comes before it again.
    ADD COLUMN ended boolean NOT NULL DEFAULT false;

UPDATE sales
SET stock_returned = stock_returning,
    sold_out_since = CASE WHEN stock_remaining = 0 THEN version ELSE 0 END
WHERE stock_returning > 0 OR stock_remaining = 0;

ALTER TABLE sales
    ADD CONSTRAINT sales_stock_returned_check CHECK (stock_returned >= stock_returning),
    ADD CONSTRAINT sales_sold_out_since_check
        CHECK (sold_out_since BETWEEN 0 AND version
               AND (stock_remaining = 0) = (sold_out_since > 0));

-- The few sales that wait for returning stock to mature. An update that leaves stock_returning as
-- it is stays HOT all the same.
CREATE INDEX sales_returning ON sales (sale_id) WHERE stock_returning > 0;

-- Holds by when they run out: for the sale's own transaction, and for the search over all sales.
-- The status is literal in queries, or a generic plan would miss the index.
CREATE INDEX orders_due ON orders (sale_id, expire_time) WHERE status = 'RESERVED';

-- A customer's orders that hold nothing any more, for the list of all of a customer's orders. An
-- order that is placed does not touch it: docs/decisions/0007-statements-of-changes-and-events.md.
CREATE INDEX orders_ended_by_customer ON orders (sale_id, customer_id)
    WHERE status IN ('CANCELLED', 'EXPIRED');

-- Again, so that it is the youngest index that begins with sale_id:
-- docs/decisions/0006-one-lookup-an-order.md.
DROP INDEX orders_held_by_customer;
CREATE INDEX orders_held_by_customer ON orders (sale_id, customer_id)
    WHERE status IN ('RESERVED', 'CONFIRMED');

-- One row for each transaction that changed a sale or its orders, written in that transaction:
-- sequence is the sale's version after it, and so has no gap. Pruned from the oldest on.
CREATE TABLE order_events (
    sale_id uuid NOT NULL,
    sequence bigint NOT NULL,
    event_time timestamptz NOT NULL,
    -- The orders that were placed have the numbers placed_from, placed_from + 1, ...
    placed_from bigint,
    placed_count integer NOT NULL DEFAULT 0,
    placed_status order_status,
    -- The orders that moved from one status to another: which, by number, and to what.
    changed_numbers bigint[] NOT NULL DEFAULT '{}',
    changed_statuses order_status[] NOT NULL DEFAULT '{}',
    CONSTRAINT order_events_pkey PRIMARY KEY (sale_id, sequence),
    CONSTRAINT order_events_sequence_check CHECK (sequence >= 1),
    CONSTRAINT order_events_placed_check
        CHECK (CASE WHEN placed_count = 0 THEN placed_from IS NULL AND placed_status IS NULL
                    ELSE placed_count > 0 AND placed_from IS NOT NULL AND placed_from >= 1
                         AND placed_status IS NOT NULL END),
    CONSTRAINT order_events_changed_check
        CHECK (cardinality(changed_numbers) = cardinality(changed_statuses))
) WITH (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

-- Sales that exist begin with what they are now.
INSERT INTO order_events (sale_id, sequence, event_time)
SELECT sale_id, version, clock_timestamp() FROM sales;

-- The idempotency keys of RestockSale, written in the transaction that adds the units.
CREATE TABLE sale_restocks (
    sale_id uuid NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    quantity integer NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sale_restocks_pkey PRIMARY KEY (sale_id, idempotency_key),
    CONSTRAINT sale_restocks_idempotency_key_check
        CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    CONSTRAINT sale_restocks_quantity_check CHECK (quantity >= 1)
);

GRANT SELECT, INSERT, DELETE ON order_events TO stampede;
GRANT SELECT, INSERT ON sale_restocks TO stampede;

UPDATE schema_version SET version = 4, compatible_from = 4;

COMMIT;
