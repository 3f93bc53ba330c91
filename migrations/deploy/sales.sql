-- Sales of limited stock. One row is the lock of everything that happens in its sale, and a hot
-- sale's row is rewritten once a batch, so no index names a column that changes and most of each
-- page is left free: every update then stays on its page (HOT) and readers prune behind it.
BEGIN;

CREATE TABLE sales (
    sale_id uuid NOT NULL,
    -- The shop's own name of the thing.
    sku text NOT NULL,
    -- For people.
    title text NOT NULL,
    -- ISO 4217, with the price of one unit in that currency's smallest unit.
    currency_code text NOT NULL,
    unit_price_minor bigint NOT NULL,
    -- Orders are taken in [start_time, end_time).
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    -- stock_total = stock_remaining + stock_returning + what RESERVED and CONFIRMED orders hold.
    stock_total integer NOT NULL,
    stock_remaining integer NOT NULL,
    -- Came back while nothing remained; sellable one lease of the edges' boards later.
    stock_returning integer NOT NULL DEFAULT 0,
    -- Units that one customer may hold at a time; 0 is no limit.
    per_customer_limit integer NOT NULL,
    -- Whether per_customer_limit was ever lowered: a customer may then rightly hold more than it.
    -- Set by the statement that lowers it; the audit tells a warning from a violation by it.
    limit_lowered boolean NOT NULL DEFAULT false,
    -- How long an order waits for payment; 0 confirms it at once.
    hold_seconds integer NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    -- Transactions that changed this sale or its orders, its creation included: gapless.
    version bigint NOT NULL DEFAULT 1,
    -- The order number given last: gapless too.
    orders_count bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sales_pkey PRIMARY KEY (sale_id),
    CONSTRAINT sales_sku_check CHECK (char_length(sku) BETWEEN 1 AND 200),
    CONSTRAINT sales_title_check CHECK (char_length(title) BETWEEN 1 AND 200),
    CONSTRAINT sales_currency_code_check CHECK (currency_code ~ '^[A-Z]{3}$'),
    CONSTRAINT sales_unit_price_minor_check CHECK (unit_price_minor >= 0),
    CONSTRAINT sales_end_time_check CHECK (end_time >= start_time),
    CONSTRAINT sales_stock_total_check CHECK (stock_total BETWEEN 1 AND 10000000),
    CONSTRAINT sales_stock_remaining_check CHECK (stock_remaining >= 0),
    CONSTRAINT sales_stock_returning_check CHECK (stock_returning >= 0),
    CONSTRAINT sales_stock_sum_check CHECK (stock_remaining + stock_returning <= stock_total),
    CONSTRAINT sales_per_customer_limit_check CHECK (per_customer_limit BETWEEN 0 AND 1000000),
    CONSTRAINT sales_hold_seconds_check CHECK (hold_seconds BETWEEN 0 AND 86400),
    CONSTRAINT sales_version_check CHECK (version >= 1),
    CONSTRAINT sales_orders_count_check CHECK (orders_count >= 0)
) WITH (
    fillfactor = 10,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0
);

-- The idempotency keys of CreateSale, written in the transaction that makes the sale. The
-- fingerprint is a SHA-256 of the request: the same key with other fields is refused.
CREATE TABLE sale_creations (
    idempotency_key text COLLATE "C" NOT NULL,
    sale_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sale_creations_pkey PRIMARY KEY (idempotency_key),
    CONSTRAINT sale_creations_idempotency_key_check
        CHECK (octet_length(idempotency_key) BETWEEN 1 AND 255),
    CONSTRAINT sale_creations_fingerprint_check CHECK (octet_length(fingerprint) = 32)
);

GRANT SELECT, INSERT, UPDATE ON sales TO stampede;
GRANT SELECT, INSERT ON sale_creations TO stampede;

UPDATE schema_version SET version = 2;

COMMIT;
