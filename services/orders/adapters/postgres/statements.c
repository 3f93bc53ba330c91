/*
 * Lock order: a transaction that changes a sale or its orders locks the sale's row first
 * (lock_sale), then reads the time, the existing orders and what customers hold in statements of
 * their own, each with its own READ COMMITTED snapshot taken after the lock (CORRECTNESS B1, B2).
 */
#include "orders/adapters/postgres/statements.h"

#include "base/check.h"
#include "postgres/sql_type.h"

/* The columns that translate.c reads as a sale, in its order. */
#define SALE_COLUMNS                                                                               \
    "sale_id, sku, title, currency_code, unit_price_minor, start_time, end_time, stock_total, "    \
    "stock_remaining, stock_returning, per_customer_limit, hold_seconds, paused, version, "        \
    "orders_count"

/* The columns that translate.c reads as an order, in its order. */
#define ORDER_COLUMNS                                                                              \
    "orders.order_id, orders.number, orders.quantity, orders.status::text, orders.create_time, "   \
    "orders.expire_time"

const struct statement statements_begin = {
    .name = "begin",
    .sql = "BEGIN ISOLATION LEVEL READ COMMITTED",
};

const struct statement statements_commit = {.name = "commit", .sql = "COMMIT"};

const struct statement statements_rollback = {.name = "rollback", .sql = "ROLLBACK"};

const struct statement statements_schema_version = {
    .name = "schema_version",
    .sql = "SELECT version, compatible_from FROM schema_version",
};

const struct statement statements_lock_sale = {
    .name = "lock_sale",
    .sql = "SELECT " SALE_COLUMNS " FROM sales WHERE sale_id = $1 FOR UPDATE",
    .parameter_count = 1,
    .parameter_types = {SQL_TYPE_UUID},
};

const struct statement statements_read_clock = {
    .name = "read_clock",
    .sql = "SELECT clock_timestamp()",
};

/* By id = ANY, not by a join with unnest, which was planned as a sequential scan. */
const struct statement statements_existing_orders = {
    .name = "existing_orders",
    .sql = "SELECT " ORDER_COLUMNS " FROM orders WHERE sale_id = $1 AND order_id = ANY ($2)",
    .parameter_count = 2,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_UUID_ARRAY},
};

/* The sub-select is a one-time filter: a sale without a limit scans nothing. */
const struct statement statements_held_units = {
    .name = "held_units",
    .sql = "SELECT customer_id, sum(quantity)::bigint FROM orders "
           "WHERE sale_id = $1 AND customer_id = ANY ($2) "
           "AND status IN ('RESERVED', 'CONFIRMED') "
           "AND (SELECT per_customer_limit > 0 FROM sales WHERE sale_id = $1) "
           "GROUP BY customer_id",
    .parameter_count = 2,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_TEXT_ARRAY},
};

/*
 * Moves the sale and inserts its new orders in one statement, so that there is never one without
 * the other: should the row not be at the version that was decided on, nothing is inserted.
 * Numbers follow the order of the arrays.
 */
const struct statement statements_place_orders = {
    .name = "place_orders",
    .sql = "WITH moved AS ("
           "UPDATE sales SET stock_remaining = stock_remaining - $3, version = version + 1, "
           "orders_count = orders_count + cardinality($4) "
           "WHERE sale_id = $1 AND version = $2 "
           "RETURNING orders_count - cardinality($4) AS numbered) "
           "INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, status, "
           "create_time, expire_time) "
           "SELECT $1, new.order_id, moved.numbered + new.position, new.customer_id, "
           "new.quantity, $7::text::order_status, $8, $9 "
           "FROM moved, unnest($4, $5, $6) WITH ORDINALITY "
           "AS new (order_id, customer_id, quantity, position)",
    .parameter_count = 9,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_INT8, SQL_TYPE_INT4, SQL_TYPE_UUID_ARRAY,
                        SQL_TYPE_TEXT_ARRAY, SQL_TYPE_INT4_ARRAY, SQL_TYPE_TEXT,
                        SQL_TYPE_TIMESTAMPTZ, SQL_TYPE_TIMESTAMPTZ},
};

/* Waits for another creation with this key to end; no row when that one was committed. */
const struct statement statements_remember_creation = {
    .name = "remember_creation",
    .sql = "INSERT INTO sale_creations (idempotency_key, sale_id, fingerprint) "
           "VALUES ($1, $2, $3) ON CONFLICT (idempotency_key) DO NOTHING",
    .parameter_count = 3,
    .parameter_types = {SQL_TYPE_TEXT, SQL_TYPE_UUID, SQL_TYPE_BYTEA},
};

const struct statement statements_find_creation = {
    .name = "find_creation",
    .sql = "SELECT sale_id, fingerprint FROM sale_creations WHERE idempotency_key = $1",
    .parameter_count = 1,
    .parameter_types = {SQL_TYPE_TEXT},
};

/* No row when the sale would end before it starts, now being the start that was left out. */
const struct statement statements_insert_sale = {
    .name = "insert_sale",
    .sql = "INSERT INTO sales (sale_id, sku, title, currency_code, unit_price_minor, start_time, "
           "end_time, stock_total, stock_remaining, per_customer_limit, hold_seconds) "
           "SELECT $1, $2, $3, $4, $5, coalesce($6, clock.now), $7, $8, $8, $9, $10 "
           "FROM (SELECT clock_timestamp() AS now) AS clock "
           "WHERE $7 > coalesce($6, clock.now) AND $7 > clock.now",
    .parameter_count = 10,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_TEXT, SQL_TYPE_TEXT, SQL_TYPE_TEXT, SQL_TYPE_INT8,
                        SQL_TYPE_TIMESTAMPTZ, SQL_TYPE_TIMESTAMPTZ, SQL_TYPE_INT4, SQL_TYPE_INT4,
                        SQL_TYPE_INT4},
};

const struct statement statements_get_sale = {
    .name = "get_sale",
    .sql = "SELECT " SALE_COLUMNS ", clock_timestamp() FROM sales WHERE sale_id = $1",
    .parameter_count = 1,
    .parameter_types = {SQL_TYPE_UUID},
};

/* Ids are version 7, so that their order is that of creation; NULL begins with the newest. */
const struct statement statements_list_sales = {
    .name = "list_sales",
    .sql = "SELECT " SALE_COLUMNS ", clock_timestamp() FROM sales "
           "WHERE sale_id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) "
           "ORDER BY sale_id DESC LIMIT $2",
    .parameter_count = 2,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_INT8},
};

const struct statement statements_known_sales = {
    .name = "known_sales",
    .sql = "SELECT sale_id FROM sales WHERE sale_id = ANY ($1)",
    .parameter_count = 1,
    .parameter_types = {SQL_TYPE_UUID_ARRAY},
};

const struct statement statements_get_order = {
    .name = "get_order",
    .sql = "SELECT " ORDER_COLUMNS ", orders.customer_id, sales.currency_code, "
           "sales.unit_price_minor "
           "FROM orders JOIN sales USING (sale_id) "
           "WHERE sale_id = $1 AND order_id = $2 AND customer_id = $3",
    .parameter_count = 3,
    .parameter_types = {SQL_TYPE_UUID, SQL_TYPE_UUID, SQL_TYPE_TEXT},
};

const struct statement *const statements_all[] = {
    &statements_begin,           &statements_commit,
    &statements_rollback,        &statements_schema_version,
    &statements_lock_sale,       &statements_read_clock,
    &statements_existing_orders, &statements_held_units,
    &statements_place_orders,    &statements_remember_creation,
    &statements_find_creation,   &statements_insert_sale,
    &statements_get_sale,        &statements_list_sales,
    &statements_known_sales,     &statements_get_order,
};
const size_t statements_all_count = COUNT_OF(statements_all);
