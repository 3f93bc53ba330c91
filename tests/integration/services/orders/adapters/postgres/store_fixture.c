#include "store_fixture.h"

#include "base/clock.h"
#include "orders/logic/sweep_sale.h"
#include "support/patience.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <cmocka.h>

#define ARENA_BLOCK_BYTES (1 << 17)
#define ARENA_BYTES_MAX   (1 << 23)

const struct store_fixture_bounds store_fixture_usual = {.lock_ms = 1000,
                                                         .statement_ms = 1500,
                                                         .idle_in_transaction_ms = 1000,
                                                         .transaction_ms = 2000,
                                                         .decision_ms = 5000};
const struct store_fixture_bounds store_fixture_long = {.lock_ms = 120000,
                                                        .statement_ms = 150000,
                                                        .idle_in_transaction_ms = 120000,
                                                        .transaction_ms = 200000,
                                                        .decision_ms = 400000};

static struct scratch_postgres server;
static PGconn *admin;

/* --- The server ---------------------------------------------------------------------------------
 */

int store_fixture_start(void **state)
{
    (void)state;
    if (scratch_postgres_start(&server, true, true) != 0) {
        return -1;
    }
    admin = store_fixture_connect();
    return 0;
}

int store_fixture_stop(void **state)
{
    (void)state;
    PQfinish(admin);
    admin = NULL;
    scratch_postgres_stop(&server);
    return 0;
}

void store_fixture_reconnect_admin(void)
{
    PQfinish(admin);
    admin = NULL;
    admin = store_fixture_connect();
}

struct scratch_postgres *store_fixture_server(void)
{
    return &server;
}

/* --- The superuser ------------------------------------------------------------------------------
 */

/* Warnings are what some tests provoke; nobody needs to read them. */
static void ignore_notice(void *data, const PGresult *notice)
{
    (void)data;
    (void)notice;
}

struct pg_conn *store_fixture_connect(void)
{
    PGconn *connection = PQconnectdb(server.admin_url);
    if (PQstatus(connection) != CONNECTION_OK) {
        fail_msg("the superuser cannot connect: %s", PQerrorMessage(connection));
    }
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    return connection;
}

static void PRINTF_LIKE(2, 0)
    format_sql(char sql[STORE_FIXTURE_SQL_BYTES], const char *format, va_list arguments)
{
    int length = vsnprintf(sql, STORE_FIXTURE_SQL_BYTES, format, arguments);
    assert_true(length > 0 && length < STORE_FIXTURE_SQL_BYTES);
}

static PGresult *query(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        PQclear(result);
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    return result;
}

void store_fixture_run(struct pg_conn *connection, const char *format, ...)
{
    char sql[STORE_FIXTURE_SQL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    format_sql(sql, format, arguments);
    va_end(arguments);
    PQclear(query(connection, sql));
}

void store_fixture_admin(const char *format, ...)
{
    char sql[STORE_FIXTURE_SQL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    format_sql(sql, format, arguments);
    va_end(arguments);
    PQclear(query(admin, sql));
}

int64_t store_fixture_number(const char *format, ...)
{
    char sql[STORE_FIXTURE_SQL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    format_sql(sql, format, arguments);
    va_end(arguments);
    PGresult *result = query(admin, sql);
    assert_true(PQntuples(result) > 0);
    int64_t number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

void store_fixture_await(const char *format, ...)
{
    const struct timespec pause = {.tv_nsec = 5 * CLOCK_NS_PER_MS};
    struct patience patience = patience_of_ms(STORE_FIXTURE_PATIENCE_MS);
    char sql[STORE_FIXTURE_SQL_BYTES];
    va_list arguments;

    va_start(arguments, format);
    format_sql(sql, format, arguments);
    va_end(arguments);
    for (;;) {
        PGresult *result = query(admin, sql);
        bool is_true = PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
        PQclear(result);
        if (is_true) {
            return;
        }
        if (patience_is_over(&patience)) {
            fail_msg("never true: %s", sql);
        }
        nanosleep(&pause, NULL);
    }
}

bool store_fixture_is_locked(const struct uuid *sale_id)
{
    return store_fixture_number("SELECT count(*) FROM (SELECT FROM sales WHERE sale_id = '%s' "
                                "FOR UPDATE SKIP LOCKED) AS free",
                                store_fixture_text(sale_id)) == 0;
}

void store_fixture_await_lock_waiter(void)
{
    store_fixture_await("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
}

int64_t store_fixture_now_us(void)
{
    return store_fixture_number("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
}

/* --- Sales and orders in the database -----------------------------------------------------------
 */

const char *store_fixture_text(const struct uuid *uuid)
{
    static _Thread_local char texts[4][UUID_TEXT_CHARS + 1];
    static _Thread_local unsigned next;

    char *text = texts[next++ % COUNT_OF(texts)];
    uuid_format(uuid, text);
    return text;
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    CHECK(getrandom(bytes, count, 0) == (ssize_t)count);
}

struct uuid store_fixture_sale(int32_t stock, int32_t limit, int32_t hold_seconds)
{
    uint8_t random[10];
    random_bytes(NULL, random, sizeof(random));
    struct uuid sale_id = uuid_v7((uint64_t)(clock_wall_us() / 1000), random);
    store_fixture_admin("WITH made AS (INSERT INTO sales (sale_id, sku, title, currency_code, "
                        "unit_price_minor, start_time, end_time, stock_total, stock_remaining, "
                        "per_customer_limit, hold_seconds) VALUES ('%s', 'sku', 'Title', 'EUR', "
                        "1234, now() - interval '1 hour', now() + interval '1 day', %d, %d, %d, "
                        "%d) RETURNING sale_id) INSERT INTO order_events (sale_id, sequence, "
                        "event_time) SELECT sale_id, 1, now() FROM made",
                        store_fixture_text(&sale_id), stock, stock, limit, hold_seconds);
    return sale_id;
}

void store_fixture_audit(const struct uuid *sale_id)
{
    char sql[STORE_FIXTURE_SQL_BYTES];

    snprintf(sql, sizeof(sql),
             "SELECT format('total %%s remaining %%s returning %%s version %%s orders_count %%s; "
             "orders %%s last %%s units %%s transactions %%s; events %%s last %%s placed %%s', "
             "s.stock_total, s.stock_remaining, s.stock_returning, s.version, s.orders_count, "
             "o.count, o.last, o.units, o.transactions, e.count, e.last, e.placed), "
             "s.stock_remaining >= 0 AND "
             "s.stock_total = s.stock_remaining + s.stock_returning + o.units AND "
             "s.orders_count = o.count AND o.last = o.count AND e.count = s.version AND "
             "e.last = s.version AND e.placed = o.count AND e.placements = o.transactions "
             "FROM sales AS s, LATERAL (SELECT count(*), coalesce(max(number), 0) AS last, "
             "coalesce(sum(quantity) FILTER (WHERE status IN ('RESERVED', 'CONFIRMED')), 0) "
             "AS units, count(DISTINCT create_time) AS transactions FROM orders "
             "WHERE sale_id = s.sale_id) AS o, LATERAL (SELECT count(*), max(sequence) AS last, "
             "sum(placed_count) AS placed, count(placed_from) AS placements FROM order_events "
             "WHERE sale_id = s.sale_id) AS e WHERE s.sale_id = '%s'",
             store_fixture_text(sale_id));
    PGresult *result = query(admin, sql);
    assert_int_equal(PQntuples(result), 1);
    if (strcmp(PQgetvalue(result, 0, 1), "t") != 0) {
        fail_msg("the sale does not add up: %s", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
}

#define ROWS_SQL_BYTES (128 * PLACEMENT_BATCH_MAX)

/* Appends to the text in sql. */
static void PRINTF_LIKE(2, 3) append(char sql[ROWS_SQL_BYTES], const char *format, ...)
{
    size_t used = strlen(sql), room = ROWS_SQL_BYTES - used;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(sql + used, room, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < room);
}

/* Every row of the batch's ids, as order_id, number, quantity, customer, status and times. */
static PGresult *rows_of(const struct uuid *sale_id, const struct store_fixture_batch *batch)
{
    static char sql[ROWS_SQL_BYTES];

    sql[0] = '\0';
    append(sql,
           "SELECT order_id, number, quantity, customer_id, status, "
           "(extract(epoch FROM create_time) * 1000000)::bigint, "
           "coalesce((extract(epoch FROM expire_time) * 1000000)::bigint, 0) "
           "FROM orders WHERE sale_id = '%s' AND order_id IN (",
           store_fixture_text(sale_id));
    for (size_t i = 0; i < batch->count; i++) {
        append(sql, "%s'%s'", i == 0 ? "" : ",", store_fixture_text(&batch->items[i].in.order_id));
    }
    append(sql, ")");
    return query(admin, sql);
}

static int find_row(const PGresult *rows, const struct uuid *order_id)
{
    const char *text = store_fixture_text(order_id);
    int found = -1;
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, 0), text) == 0) {
            assert_int_equal(found, -1);
            found = row;
        }
    }
    return found;
}

static void compare_row(const PGresult *rows, int row, const struct place_orders_item *item)
{
    const struct order *order = &item->order;
    assert_true(uuid_equal(&order->order_id, &item->in.order_id));
    assert_int_equal(strtoll(PQgetvalue(rows, row, 1), NULL, 10), order->number);
    assert_int_equal(strtoll(PQgetvalue(rows, row, 2), NULL, 10), order->quantity);
    assert_int_equal(order->quantity, item->in.quantity);
    assert_int_equal(PQgetlength(rows, row, 3), item->in.customer_length);
    assert_memory_equal(PQgetvalue(rows, row, 3), item->in.customer_id, item->in.customer_length);
    assert_string_equal(PQgetvalue(rows, row, 4), order_status_name(order->status));
    assert_int_equal(strtoll(PQgetvalue(rows, row, 5), NULL, 10), order->create_us);
    assert_int_equal(strtoll(PQgetvalue(rows, row, 6), NULL, 10), order->expire_us);
}

void store_fixture_compare(const struct uuid *sale_id, const struct store_fixture_batch *batch)
{
    PGresult *rows = rows_of(sale_id, batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct place_orders_item *item = &batch->items[i];
        int row = find_row(rows, &item->in.order_id);
        switch (item->verdict) {
        case VERDICT_PLACED:
        case VERDICT_REPLAYED:
            if (row < 0) {
                fail_msg("item %zu is %s and not there", i, verdict_name(item->verdict));
            }
            compare_row(rows, row, item);
            break;
        case VERDICT_OUTCOME_UNKNOWN:
        case VERDICT_IDEMPOTENCY_KEY_REUSED:
            break;
        default:
            if (row >= 0 && i >= batch->old_count) {
                fail_msg("item %zu is %s but there", i, verdict_name(item->verdict));
            }
        }
    }
    PQclear(rows);
}

/* --- Workers ------------------------------------------------------------------------------------
 */

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static uint64_t wall_ms(void *data)
{
    (void)data;
    return (uint64_t)(clock_wall_us() / 1000);
}

static void sleep_ns(void *data, int64_t duration_ns)
{
    const struct timespec duration = {.tv_sec = (time_t)(duration_ns / CLOCK_NS_PER_SECOND),
                                      .tv_nsec = (long)(duration_ns % CLOCK_NS_PER_SECOND)};
    (void)data;
    nanosleep(&duration, NULL);
}

static const struct system_port system_port = {.monotonic_ns = monotonic_ns,
                                               .sleep_ns = sleep_ns,
                                               .wall_ms = wall_ms,
                                               .random_bytes = random_bytes};

static void on_error(void *data, const char *kind, const char *sqlstate, const char *message)
{
    struct store_fixture_worker *worker = data;
    worker->error_count++;
    worker->rollback_count += strcmp(kind, "rollback") == 0;
    worker->warning_count += strcmp(kind, "commit_warned") == 0 && message[0] != '\0';
    size_t used = strlen(worker->history);
    snprintf(worker->history + used, sizeof(worker->history) - used, " %s/%s", kind, sqlstate);
    snprintf(worker->kind, sizeof(worker->kind), "%s", kind);
    snprintf(worker->sqlstate, sizeof(worker->sqlstate), "%s", sqlstate);
    snprintf(worker->message, sizeof(worker->message), "%s", message);
}

static void on_connected(void *data)
{
    struct store_fixture_worker *worker = data;
    worker->connected_count++;
}

void store_fixture_worker_init(struct store_fixture_worker *worker, const char *url,
                               const struct store_fixture_bounds *bounds)
{
    *worker = (struct store_fixture_worker){
        .config = {.conninfo = url,
                   .application_name = "store_test",
                   .lock_timeout_ms = bounds->lock_ms,
                   .statement_timeout_ms = bounds->statement_ms,
                   .idle_in_transaction_timeout_ms = bounds->idle_in_transaction_ms,
                   .tcp_user_timeout_ms = 2000,
                   .system = &system_port,
                   .observer = {.data = worker,
                                .on_error = on_error,
                                .on_connected = on_connected}},
        .placing = {.store = &worker->store,
                    .system = &system_port,
                    .transaction_ns_max = bounds->transaction_ms * CLOCK_NS_PER_MS,
                    .decision_ns_max = bounds->decision_ms * CLOCK_NS_PER_MS},
        .creating = {.store = &worker->store,
                     .system = &system_port,
                     .transaction_ns_max = bounds->transaction_ms * CLOCK_NS_PER_MS},
    };
    arena_init(&worker->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    assert_int_equal(store_postgres_create(&worker->config, &worker->store), 0);
}

bool store_fixture_worker_connect(struct store_fixture_worker *worker)
{
    return worker->store.wait_connected(worker->store.data,
                                        clock_deadline_in_ms(STORE_FIXTURE_PATIENCE_MS));
}

void store_fixture_worker_fini(struct store_fixture_worker *worker)
{
    store_postgres_destroy(&worker->store);
    arena_fini(&worker->arena);
}

int64_t store_fixture_deadline(const struct store_fixture_worker *worker)
{
    return clock_monotonic_ns() + worker->placing.transaction_ns_max;
}

void store_fixture_worker_start(struct store_fixture_worker *worker)
{
    store_fixture_worker_init(worker, server.service_url, &store_fixture_long);
    if (!store_fixture_worker_connect(worker)) {
        fail_msg("the store cannot connect: %s", worker->message);
    }
}

/* --- Batches ------------------------------------------------------------------------------------
 */

void store_fixture_clear(struct store_fixture_batch *batch)
{
    batch->count = batch->old_count = 0;
}

void store_fixture_add(struct store_fixture_batch *batch, const struct uuid *sale_id,
                       const char *customer, const char *key, int32_t quantity)
{
    size_t at = batch->count++, length = strlen(customer);

    CHECK(at < PLACEMENT_BATCH_MAX && length < sizeof(batch->customers[at]));
    memcpy(batch->customers[at], customer, length + 1);
    batch->items[at] = (struct place_orders_item){
        .in = {.order_id = order_id_of(sale_id, customer, length, key, strlen(key)),
               .customer_id = batch->customers[at],
               .customer_length = length,
               .quantity = quantity},
        .deadline_ns = CLOCK_DEADLINE_NEVER,
        .attempts_end_ns = CLOCK_DEADLINE_NEVER,
        .verdict = VERDICT_COUNT,
    };
    batch->pointers[at] = &batch->items[at];
}

void store_fixture_add_many(struct store_fixture_batch *batch, const struct uuid *sale_id,
                            const char *prefix, size_t count)
{
    char customer[ORDER_CUSTOMER_CHARS_MAX + 1];
    for (size_t i = 0; i < count; i++) {
        snprintf(customer, sizeof(customer), "%s-%zu", prefix, i);
        store_fixture_add(batch, sale_id, customer, "key", 1);
    }
}

void store_fixture_place(struct store_fixture_worker *worker, const struct uuid *sale_id,
                         struct store_fixture_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i].verdict = VERDICT_COUNT;
    }
    place_orders_run(&worker->placing, sale_id, batch->pointers, batch->count, &worker->arena);
}

size_t store_fixture_count(const struct store_fixture_batch *batch, enum verdict verdict)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        count += batch->items[i].verdict == verdict;
    }
    return count;
}

static const char *name_of(enum verdict verdict)
{
    return verdict < VERDICT_COUNT ? verdict_name(verdict) : "(none)";
}

void store_fixture_expect_item(const struct store_fixture_batch *batch, size_t item,
                               enum verdict verdict)
{
    enum verdict actual = batch->items[item].verdict;
    if (actual != verdict) {
        fail_msg("item %zu is %s instead of %s", item, name_of(actual), name_of(verdict));
    }
}

void store_fixture_expect(const struct store_fixture_batch *batch, enum verdict verdict)
{
    for (size_t i = 0; i < batch->count; i++) {
        store_fixture_expect_item(batch, i, verdict);
    }
}

/* --- Changes ------------------------------------------------------------------------------------
 */

enum store_result store_fixture_settle(struct store_fixture_worker *worker,
                                       const struct uuid *sale_id,
                                       const struct settlement_request *requests, size_t count,
                                       struct settlement_decision *ret)
{
    struct store *store = &worker->store;
    struct uuid ids[SETTLEMENT_BATCH_MAX];
    struct store_change_facts facts;

    arena_reset(&worker->arena);
    for (size_t i = 0; i < count; i++) {
        ids[i] = requests[i].order_id;
    }
    const struct store_change_query query = {.order_ids = ids, .order_count = count};
    enum store_result result = store->load_change(
        store->data, sale_id, &query, store_fixture_deadline(worker), &worker->arena, &facts);
    if (result != STORE_OK) {
        return result;
    }
    CHECK(settlement_decide(&facts.settlement, requests, count, &worker->arena, ret) == 0);
    const struct store_change change = {
        .sale = ret->sale, .changes = ret->changes, .change_count = ret->change_count};
    return store->store_change(store->data, &facts, &change, store_fixture_deadline(worker),
                               &worker->arena);
}

void store_fixture_settle_one(struct store_fixture_worker *worker, const struct uuid *sale_id,
                              const struct uuid *order_id, enum order_act act)
{
    static struct settlement_decision decision;
    const struct settlement_request request = {.order_id = *order_id, .act = act};
    assert_int_equal(store_fixture_settle(worker, sale_id, &request, 1, &decision), STORE_OK);
    assert_int_equal(decision.outcomes[0], OUTCOME_DONE);
}

int32_t store_fixture_sweep(struct store_fixture_worker *worker, const struct uuid *sale_id,
                            int64_t mature_up_to, size_t *ret_expired)
{
    const struct sweep_sale sweeping = {.store = &worker->store,
                                        .deadline_ns = store_fixture_deadline(worker)};
    int32_t matured = -1;
    arena_reset(&worker->arena);
    assert_int_equal(
        sweep_sale_run(&sweeping, sale_id, mature_up_to, &worker->arena, ret_expired, &matured),
        STORE_OK);
    return matured;
}

void store_fixture_run_out(const struct uuid *sale_id, int seconds)
{
    store_fixture_admin("UPDATE orders SET expire_time = clock_timestamp() - %d * interval '1 s' "
                        "WHERE sale_id = '%s' AND status = 'RESERVED'",
                        seconds, store_fixture_text(sale_id));
}

struct sale_draft store_fixture_draft(void)
{
    return (struct sale_draft){
        .sku = "sku-1",
        .title = "A title",
        .unit_price = {"EUR", 1234},
        .end_us = clock_wall_us() + INT64_C(86400000000),
        .stock_total = 100,
    };
}
