/*
 * What the tests of the PostgreSQL store share: one server a program, workers like those of the
 * service (a store, its bounds, its arena), batches of orders, and a superuser's connection to look
 * and to interfere with. What fails here fails the test that called, so none of it may be called on
 * another thread but the test's own, except where it says so.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "base/arena.h"
#include "orders/adapters/postgres/store_postgres.h"
#include "orders/domain/settlement.h"
#include "orders/logic/create_sale.h"
#include "orders/logic/place_orders.h"
#include "support/scratch_postgres.h"

/* Long enough for a busy machine; no test waits for it to pass. */
#define STORE_FIXTURE_PATIENCE_MS 60000

/* How late a wait may end on a machine that does other things besides. */
#define STORE_FIXTURE_LATENESS_MS 20000

#define STORE_FIXTURE_SQL_BYTES 8192

struct pg_conn;

/* The bounds of a worker, in milliseconds; they nest like the service's own. */
struct store_fixture_bounds {
    int lock_ms, statement_ms, idle_in_transaction_ms;
    int64_t transaction_ms, decision_ms;
};

/*
 * The service's own bounds, and long ones for tests whose subject they are not.
 */
extern const struct store_fixture_bounds store_fixture_usual, store_fixture_long;

struct store_fixture_worker {
    struct store store;
    struct store_postgres_config config;
    struct batch_means placing;
    struct create_sale creating;
    struct arena arena;
    /* What the observer was told. */
    unsigned error_count, connected_count;
    unsigned rollback_count; /* errors of the kind "rollback": deadlocks */
    unsigned warning_count;  /* of the kind "commit_warned", with the server's words */
    char kind[32], sqlstate[8], message[512]; /* of the last error */
    char history[1024];                       /* " kind/sqlstate" of the first ones */
};

struct store_fixture_batch {
    struct place_orders_item items[PLACEMENT_BATCH_MAX];
    struct place_orders_item *pointers[PLACEMENT_BATCH_MAX];
    char customers[PLACEMENT_BATCH_MAX][ORDER_CUSTOMER_CHARS_MAX + 1];
    size_t count;
    size_t old_count; /* the first ones' orders were there before: a refusal does not deny them */
};

/* --- The server -------------------------------------------------------------------------------*/

/* Group set-up and tear-down: the program's server by TCP, with the schema, and the superuser. */
int store_fixture_start(void **state);
int store_fixture_stop(void **state);

/* The server of store_fixture_start(). */
struct scratch_postgres *store_fixture_server(void);

/* Connects the superuser again after the server was away. */
void store_fixture_reconnect_admin(void);

/* --- The superuser ----------------------------------------------------------------------------*/

/* A connection of the superuser; PQfinish() ends it. */
struct pg_conn *store_fixture_connect(void);

/* Runs statements without looking at what they return. */
void store_fixture_run(struct pg_conn *connection, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same on the program's own connection of the superuser. */
void store_fixture_admin(const char *format, ...) PRINTF_LIKE(1, 2);

/* The first value of what a query returns, as a number. */
int64_t store_fixture_number(const char *format, ...) PRINTF_LIKE(1, 2);

/* Asks until the query returns true. */
void store_fixture_await(const char *format, ...) PRINTF_LIKE(1, 2);

/* Whether somebody holds the sale's row right now. */
bool store_fixture_is_locked(const struct uuid *sale_id);

/* Waits until a backend waits for a lock. */
void store_fixture_await_lock_waiter(void);

/* The database's clock, in microseconds. */
int64_t store_fixture_now_us(void);

/* --- Sales and orders in the database
 * -----------------------------------------------------------*/

/* A live sale from an hour ago until tomorrow. */
struct uuid store_fixture_sale(int32_t stock, int32_t limit, int32_t hold_seconds);

/* A text form that is good until the fourth next call. */
const char *store_fixture_text(const struct uuid *uuid);

/*
 * Fails unless stock, numbers, version and events agree with the orders: nothing oversold, numbers
 * without a gap, one event for each version, one that places for each transaction that placed.
 */
void store_fixture_audit(const struct uuid *sale_id);

/*
 * Fails unless the database agrees with every verdict: the order of PLACED and REPLAYED is there as
 * it was told, OUTCOME_UNKNOWN may be there or not, anything else is not there.
 */
void store_fixture_compare(const struct uuid *sale_id, const struct store_fixture_batch *batch);

/* --- Workers
 * ------------------------------------------------------------------------------------*/

/* Makes a worker that is not connected yet. url must outlive it. */
void store_fixture_worker_init(struct store_fixture_worker *worker, const char *url,
                               const struct store_fixture_bounds *bounds);

/* Connects with patience. Any thread; false when it cannot. */
bool store_fixture_worker_connect(struct store_fixture_worker *worker);

void store_fixture_worker_fini(struct store_fixture_worker *worker);

/* The deadline of one transaction of the worker's, from now. Any thread. */
int64_t store_fixture_deadline(const struct store_fixture_worker *worker);

/* A connected worker of the service's role with long bounds. */
void store_fixture_worker_start(struct store_fixture_worker *worker);

/* --- Batches
 * ------------------------------------------------------------------------------------*/

/* Empties the batch. Any thread. */
void store_fixture_clear(struct store_fixture_batch *batch);

/* Adds one order whose deadline never passes. Any thread. */
void store_fixture_add(struct store_fixture_batch *batch, const struct uuid *sale_id,
                       const char *customer, const char *key, int32_t quantity);

/* Adds count orders of one unit by customers "<prefix>-0", "<prefix>-1", ... Any thread. */
void store_fixture_add_many(struct store_fixture_batch *batch, const struct uuid *sale_id,
                            const char *prefix, size_t count);

/* Runs the use case on the batch. Any thread; the worker is that thread's. */
void store_fixture_place(struct store_fixture_worker *worker, const struct uuid *sale_id,
                         struct store_fixture_batch *batch);

/* How many items have this verdict. Any thread. */
size_t store_fixture_count(const struct store_fixture_batch *batch, enum verdict verdict);

/* Fails unless every item has this verdict. */
void store_fixture_expect(const struct store_fixture_batch *batch, enum verdict verdict);

/* The item's verdict must be this one; the message names both. */
void store_fixture_expect_item(const struct store_fixture_batch *batch, size_t item,
                               enum verdict verdict);

/* --- Changes
 * ------------------------------------------------------------------------------------*/

/* One transaction by the port's functions that confirms or cancels orders; ret is the domain's
 * decision, set when it came to one. Any thread; the worker is that thread's. */
enum store_result store_fixture_settle(struct store_fixture_worker *worker,
                                       const struct uuid *sale_id,
                                       const struct settlement_request *requests, size_t count,
                                       struct settlement_decision *ret);

/* Settles one order of a batch, which must be done. */
void store_fixture_settle_one(struct store_fixture_worker *worker, const struct uuid *sale_id,
                              const struct uuid *order_id, enum order_act act);

/* A sweep that must succeed; returns the units that matured. */
int32_t store_fixture_sweep(struct store_fixture_worker *worker, const struct uuid *sale_id,
                            int64_t mature_up_to, size_t *ret_expired);

/* Lets every hold of the sale run out, this long ago. */
void store_fixture_run_out(const struct uuid *sale_id, int seconds);

/* A sale's draft with ordinary values: sold from now until tomorrow. */
struct sale_draft store_fixture_draft(void);

#endif
