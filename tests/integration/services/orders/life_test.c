/* How stampede-orders starts, loses its database, drains and stops: a program of its own per test.
 */
#include "orders_client.h"
#include "orders_process.h"

#include "base/check.h"
#include "base/clock.h"
#include "support/patience.h"
#include "support/scratch_postgres.h"

#include <google/rpc/status.pb-c.h>
#include <grpc/health/v1/health.pb-c.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stampede/ops/v1/ops.pb-c.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define OPS           "/stampede.ops.v1.OpsService/"
#define ORDER_SERVICE "stampede.orders.v1.OrderService"

static const char *const with_token[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN, NULL};

static struct scratch_postgres server;

static int start_server(void **state)
{
    (void)state;
    return scratch_postgres_start(&server, true, false);
}

static int stop_server(void **state)
{
    (void)state;
    scratch_postgres_stop(&server);
    return 0;
}

static void sleep_ms(long ms)
{
    struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&duration, NULL);
}

/* --- Load ------------------------------------------------------------------------------------ */

#define LOAD_CHAINS       16 /* batches in flight */
#define LOAD_BATCH_ORDERS 20
#define LOAD_BATCHES_MAX  20000

/* What became of one batch; an order is placed, refused with proof, or neither. */
struct load_batch {
    unsigned placed, refused;
    bool is_unresolved;
};

/*
 * Sixteen chains of batches: each reply starts the next batch. From load_end_when_refused on a
 * batch that is not placed whole is its chain's last; before, only a machine that stands still
 * refuses. Customers are named after their batch, so the database can be asked about any of them.
 */
struct load {
    struct orders_client *client;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    bool ends_when_refused;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct load_batch batches[LOAD_BATCHES_MAX];
    size_t count, answered, placed_batches;
    unsigned chains;
    bool stopped;
};

struct load_call {
    struct load *load;
    size_t batch;
};

static void load_start_batch(struct load *load, size_t number);

/* Fills in what a reply says; false ends the chain. */
static bool load_take_reply(struct load *load, const struct rpc_reply *reply,
                            struct load_batch *batch)
{
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = (const void *)reply->message;
    if (reply->status.code != RPC_OK) {
        batch->is_unresolved = reply->status.reason == NULL;
        batch->refused = batch->is_unresolved ? 0 : LOAD_BATCH_ORDERS;
        return !load->ends_when_refused;
    }
    for (size_t i = 0; i < response->n_results; i++) {
        const char *reason = orders_client_result_reason(response->results[i]);
        if (strcmp(reason, "OUTCOME_UNKNOWN") == 0) {
            batch->is_unresolved = true;
        } else if (reason[0] == '\0') {
            batch->placed++;
        } else {
            batch->refused++;
        }
    }
    return batch->placed == LOAD_BATCH_ORDERS || !load->ends_when_refused;
}

static void load_on_done(struct rpc_reply *reply, void *data)
{
    struct load_call *call = data;
    struct load *load = call->load;

    pthread_mutex_lock(&load->lock);
    struct load_batch *batch = &load->batches[call->batch];
    bool goes_on =
        load_take_reply(load, reply, batch) && !load->stopped && load->count < LOAD_BATCHES_MAX;
    load->placed_batches += batch->placed == LOAD_BATCH_ORDERS;
    load->answered++;
    load->chains -= !goes_on;
    size_t next = goes_on ? load->count++ : 0;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
    rpc_reply_free(reply);
    free(call);
    if (goes_on) {
        load_start_batch(load, next);
    }
}

static void load_fill(const struct load *load, size_t number, struct orders_client_batch *batch)
{
    char customer[32];
    orders_client_batch_init(batch, load->sale_id);
    for (size_t i = 0; i < LOAD_BATCH_ORDERS; i++) {
        snprintf(customer, sizeof(customer), "b%zu-%zu", number, i);
        orders_client_batch_add(batch, customer, "k", 1);
    }
}

static void load_start_batch(struct load *load, size_t number)
{
    struct orders_client_batch *batch = malloc(sizeof(*batch));
    struct load_call *call = malloc(sizeof(*call));
    CHECK(batch != NULL && call != NULL);
    *call = (struct load_call){load, number};
    load_fill(load, number, batch);
    orders_client_start(load->client, "/stampede.orders.v1.OrderService/BatchPlaceOrders",
                        &stampede__orders__v1__batch_place_orders_response__descriptor,
                        &batch->message.base, ORDERS_CLIENT_CALL_MS, load_on_done, call);
    free(batch);
}

static struct load *load_begin(struct orders_client *client, const char *key)
{
    struct load *load = calloc(1, sizeof(*load));
    assert_non_null(load);
    load->client = client;
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->changed, NULL);
    orders_client_create_sale(client, key, 10000000, 0, load->sale_id);
    load->chains = LOAD_CHAINS;
    load->count = LOAD_CHAINS;
    for (size_t i = 0; i < LOAD_CHAINS; i++) {
        load_start_batch(load, i);
    }
    return load;
}

static void load_wait_placed(struct load *load, size_t batches)
{
    pthread_mutex_lock(&load->lock);
    while (load->placed_batches < batches && load->chains > 0) {
        pthread_cond_wait(&load->changed, &load->lock);
    }
    assert_true(load->placed_batches >= batches);
    pthread_mutex_unlock(&load->lock);
}

/* For what makes refusals: asking on would only make more. */
static void load_end_when_refused(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    load->ends_when_refused = true;
    pthread_mutex_unlock(&load->lock);
}

/* Waits until every batch that was started is answered. */
static void load_wait_over(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    load->stopped = true;
    while (load->chains > 0) {
        pthread_cond_wait(&load->changed, &load->lock);
    }
    assert_int_equal(load->answered, load->count);
    pthread_mutex_unlock(&load->lock);
}

static void load_free(struct load *load)
{
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->lock);
    free(load);
}

static long query_number(const char *sql)
{
    char value[64];
    assert_int_equal(scratch_postgres_query(server.admin_url, sql, value, sizeof(value)), 0);
    return strtol(value, NULL, 10);
}

/*
 * The heart of it: what was acknowledged is in the database, what was refused is not, and not one
 * unit is missing. Returns how many batches are unresolved.
 */
static size_t load_assert_nothing_lost(const struct load *load)
{
    static char sql[65536];
    size_t placed = 0, unresolved = 0;
    int used = snprintf(sql, sizeof(sql),
                        "SELECT count(*) FROM orders WHERE sale_id = '%s' AND "
                        "split_part(customer_id, '-', 1) NOT IN ('none'",
                        load->sale_id);
    for (size_t i = 0; i < load->count; i++) {
        placed += load->batches[i].is_unresolved ? 0 : load->batches[i].placed;
        if (load->batches[i].is_unresolved) {
            unresolved++;
            used += snprintf(sql + used, sizeof(sql) - (size_t)used, ",'b%zu'", i);
            assert_true((size_t)used < sizeof(sql) - 2);
        }
    }
    snprintf(sql + used, sizeof(sql) - (size_t)used, ")");
    assert_int_equal(query_number(sql), (long)placed);
    snprintf(sql, sizeof(sql),
             "SELECT stock_total - stock_remaining - (SELECT sum(quantity) FROM orders o "
             "WHERE o.sale_id = s.sale_id) FROM sales s WHERE sale_id = '%s'",
             load->sale_id);
    assert_int_equal(query_number(sql), 0);
    return unresolved;
}

/* Every unresolved batch, asked for again with the same keys, is placed whole: once. */
static void load_resolve(struct load *load, struct orders_client *client)
{
    struct orders_client_batch *batch = malloc(sizeof(*batch));
    assert_non_null(batch);
    for (size_t i = 0; i < load->count; i++) {
        if (!load->batches[i].is_unresolved) {
            continue;
        }
        load_fill(load, i, batch);
        struct rpc_reply *reply = orders_client_place_batch(client, batch);
        const Stampede__Orders__V1__BatchPlaceOrdersResponse *response =
            orders_client_message(reply);
        for (size_t j = 0; j < response->n_results; j++) {
            assert_string_equal(orders_client_result_reason(response->results[j]), "");
        }
        rpc_reply_free(reply);
        load->batches[i] = (struct load_batch){.placed = LOAD_BATCH_ORDERS};
    }
    free(batch);
}

/* --- Health ---------------------------------------------------------------------------------- */

#define SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING

/* What is said of a service; the empty name is the whole server. A server that is gone says
 * nothing, which is -1. */
static int health(struct orders_client *client, const char *name)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = (char *)(uintptr_t)name;
    struct rpc_reply *reply =
        orders_client_call(client, "/grpc.health.v1.Health/Check",
                           &grpc__health__v1__health_check_response__descriptor, &request.base);
    const Grpc__Health__V1__HealthCheckResponse *response = (const void *)reply->message;
    int status = reply->status.code == RPC_OK ? (int)response->status : -1;
    rpc_reply_free(reply);
    return status;
}

/* Waits until readiness and health say "no", which two threads tell, a moment apart; false when
 * that has not come by then. */
static bool is_unready_by(const struct orders_process *process, struct orders_client *client,
                          int64_t deadline_ns)
{
    char body[512];
    while (orders_process_get(process, "/readyz", body, sizeof(body)) != 503 ||
           health(client, "") != NOT_SERVING || health(client, ORDER_SERVICE) != NOT_SERVING) {
        if (clock_monotonic_ns() >= deadline_ns) {
            return false;
        }
        sleep_ms(1);
    }
    return true;
}

/* --- Starting -------------------------------------------------------------------------------- */

/* Start is order-free: the program lives, says what it waits for, refuses, and then serves. */
static void start_before_postgres_waits_and_then_serves(void **state)
{
    struct orders_process process;
    struct orders_client client;
    char body[512], sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    assert_int_equal(scratch_postgres_halt(&server), 0);
    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_log(&process, "\"event\":\"database_waited_for\"");
    assert_int_equal(orders_process_get(&process, "/livez", body, sizeof(body)), 200);
    assert_int_equal(orders_process_get(&process, "/readyz?verbose", body, sizeof(body)), 503);
    assert_non_null(strstr(body, "0 of 5 connections"));
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    struct rpc_reply *reply =
        orders_client_place(&client, "01920000-0000-7000-8000-00000000dead", "c-1", "k-1", 1);
    assert_true(reply->status.retry_after_ms > 0);
    orders_client_assert_refused(reply, RPC_UNAVAILABLE, "DATABASE_UNAVAILABLE");
    /* If no replica finds a database, calls are best sent here all the same, for a refusal with its
     * reason; but this service waits. */
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    while (health(&client, "") != SERVING) {
        assert_false(patience_is_over(&patience));
        sleep_ms(10);
    }
    assert_int_equal(health(&client, ORDER_SERVICE), NOT_SERVING);
    sleep_ms(500);
    assert_int_equal(orders_process_count_log(&process, "\"event\":\"database_waited_for\""), 1);

    assert_int_equal(scratch_postgres_restart(&server), 0);
    orders_process_wait_ready(&process, true);
    orders_client_create_sale(&client, "after-wait", 1, 0, sale_id);
    /* Said once all are up; the sale's creation may still be at work on one of them. */
    orders_process_wait_log(&process,
                            "\"event\":\"pool\",\"program\":\"stampede-orders\",\"size\":5,");
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* A schema that this program was not built for is named in so many words, and never written to. */
static void start_on_another_schema_is_not_ready_and_says_why(void **state)
{
    struct orders_process process;
    (void)state;

    assert_int_equal(
        scratch_postgres_execute(server.owner_url,
                                 "CREATE TABLE kept AS SELECT * FROM schema_version; "
                                 "UPDATE schema_version SET version = 99, compatible_from = 99"),
        0);
    orders_process_start(&process, server.service_url, NULL);
    orders_process_wait_log(&process, "the schema has version 99");
    orders_process_wait_ready(&process, false);
    assert_int_equal(scratch_postgres_execute(
                         server.owner_url,
                         "UPDATE schema_version SET (version, compatible_from) = (SELECT version, "
                         "compatible_from FROM kept); DROP TABLE kept"),
                     0);
    orders_process_wait_ready(&process, true);
    orders_process_stop(&process);
}

/* Who holds the port is what the operator needs to know. */
static void start_on_a_taken_port_is_refused_with_its_owner(void **state)
{
    struct orders_process first, second;
    char grpc[64], ops[64], owners[2][96];
    (void)state;

    orders_process_start(&first, server.service_url, NULL);
    snprintf(grpc, sizeof(grpc), "ORDERS_GRPC_ADDR=127.0.0.1:%d", first.grpc_port);
    snprintf(ops, sizeof(ops), "ORDERS_OPS_ADDR=127.0.0.1:%d", first.ops_port);
    snprintf(owners[0], sizeof(owners[0]), "\"127.0.0.1:%d is taken by stampede-orders (pid %d)",
             first.grpc_port, (int)first.pid);
    snprintf(owners[1], sizeof(owners[1]), "\"127.0.0.1:%d is taken by stampede-orders (pid %d)",
             first.ops_port, (int)first.pid);
    const char *const settings[][2] = {{grpc, NULL}, {ops, NULL}};
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        orders_process_launch(&second, server.service_url, settings[i]);
        assert_int_equal(orders_process_wait(&second), 1);
        assert_int_equal(orders_process_count_log(&second, owners[i]), 1);
        orders_process_forget(&second);
    }
    orders_process_stop(&first);
}

/* A typing error in a setting must not silently leave the default in force. */
static void start_with_wrong_settings_is_refused(void **state)
{
    static const char *const wrong[] = {"ORDERS_POOL_SIZ=3", "ORDERS_POOL_SIZE=101",
                                        "STAMPEDE_ADMIN_TOKEN=short", "ORDERS_QUEUE_MAX=1",
                                        "ORDERS_QUEUE_MAX=9" /* for the pool of 5 */};
    struct orders_process process;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *const settings[] = {wrong[i], NULL};
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(wrong[i], "="), wrong[i]);
        orders_process_launch(&process, server.service_url, settings);
        assert_int_equal(orders_process_wait(&process), 2);
        assert_true(orders_process_count_log(&process, name) > 0);
        orders_process_forget(&process);
    }
}

/* --- Serving with other settings ------------------------------------------------------------- */

/* Without a token nobody is an administrator, and shoppers do not notice. */
static void admin_without_a_set_token_is_closed(void **state)
{
    struct orders_process process;
    struct orders_client client;
    struct orders_client_sale sale;
    (void)state;

    orders_process_start(&process, server.service_url, NULL);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_sale_init(&sale, "closed", 1);
    orders_client_assert_refused(
        orders_client_call(&client, "/stampede.sales.v1.SaleService/CreateSale",
                           &stampede__sales__v1__create_sale_response__descriptor,
                           &sale.message.base),
        RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    orders_client_assert_refused(
        orders_client_place(&client, "01920000-0000-7000-8000-00000000dead", "c", "k", 1),
        RPC_NOT_FOUND, "SALE_NOT_FOUND");
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* One connection takes turns between orders and reads: slow, but everything works. */
static void pool_of_one_connection_serves_everything(void **state)
{
    static const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN,
                                           "ORDERS_POOL_SIZE=1", NULL};
    struct orders_process process;
    struct orders_client client;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    orders_process_start(&process, server.service_url, settings);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_create_sale(&client, "pool-of-one", 5, 0, sale_id);
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k-%d", i);
        struct rpc_reply *reply = orders_client_place(&client, sale_id, "c-1", key, 1);
        orders_client_message(reply);
        rpc_reply_free(reply);
    }
    orders_client_assert_refused(orders_client_place(&client, sale_id, "c-1", "k-9", 1),
                                 RPC_FAILED_PRECONDITION, "SOLD_OUT");
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* What does not fit the queue is refused one by one, and told when to come back. */
static void queue_that_is_full_refuses_order_by_order(void **state)
{
    static const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN,
                                           "ORDERS_POOL_SIZE=1", "ORDERS_QUEUE_MAX=2", NULL};
    static struct orders_client_batch batch;
    struct orders_process process;
    struct orders_client client;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1], customer[16];
    size_t placed = 0, overloaded = 0;
    (void)state;

    orders_process_start(&process, server.service_url, settings);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_create_sale(&client, "queue-of-two", 100, 0, sale_id);
    orders_client_batch_init(&batch, sale_id);
    for (size_t i = 0; i < 50; i++) {
        snprintf(customer, sizeof(customer), "c-%zu", i);
        orders_client_batch_add(&batch, customer, "k", 1);
    }
    struct rpc_reply *reply = orders_client_place_batch(&client, &batch);
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *response = orders_client_message(reply);
    for (size_t i = 0; i < response->n_results; i++) {
        const char *reason = orders_client_result_reason(response->results[i]);
        placed += reason[0] == '\0';
        overloaded += strcmp(reason, "OVERLOADED") == 0;
    }
    assert_true(placed >= 1 && placed <= 2);
    assert_int_equal(placed + overloaded, 50);
    assert_int_equal(response->results[49]->error->n_details, 2); /* ErrorInfo and RetryInfo */
    rpc_reply_free(reply);
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* --- Losing the database --------------------------------------------------------------------- */

/* A crash of PostgreSQL in the middle of everything: nothing acknowledged may be gone, nothing
 * refused may be there, and what is unknown is settled by asking again with the same keys. */
static void postgres_killed_under_load_loses_nothing(void **state)
{
    struct orders_process process;
    struct orders_client client;
    (void)state;

    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    struct load *load = load_begin(&client, "killed");
    load_wait_placed(load, 100);
    load_end_when_refused(load);
    assert_int_equal(scratch_postgres_kill(&server), 0);
    orders_process_wait_ready(&process, false);
    orders_process_wait_log(&process, "\"event\":\"database_lost\"");
    assert_int_equal(scratch_postgres_restart(&server), 0);
    load_wait_over(load);
    orders_process_wait_ready(&process, true);
    load_assert_nothing_lost(load);
    load_resolve(load, &client);
    assert_int_equal(load_assert_nothing_lost(load), 0);
    load_free(load);
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* Backends that are ended one by one are replaced without the program becoming unready for long. */
static void backends_terminated_under_load_are_replaced(void **state)
{
    struct orders_process process;
    struct orders_client client;
    char text[64];
    (void)state;

    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    struct load *load = load_begin(&client, "terminated");
    for (size_t round = 1; round <= 10; round++) {
        load_wait_placed(load, round * 20);
        assert_int_equal(
            scratch_postgres_query(server.admin_url,
                                   "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                                   "WHERE application_name LIKE 'stampede-orders%'",
                                   text, sizeof(text)),
            0);
    }
    load_wait_over(load);
    orders_process_wait_ready(&process, true);
    load_assert_nothing_lost(load);
    load_resolve(load, &client);
    assert_int_equal(load_assert_nothing_lost(load), 0);
    load_free(load);
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* How often what must be quick is tried. */
#define QUICK_TRIES 6

/* A read that must be answered, but for a machine so slow that it asks again. */
static void read_sale(struct orders_client *client, char *sale_id)
{
    Stampede__Sales__V1__GetSaleRequest request = STAMPEDE__SALES__V1__GET_SALE_REQUEST__INIT;
    request.sale_id = sale_id;
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    bool is_read = false;
    while (!is_read) {
        struct rpc_reply *reply =
            orders_client_call(client, "/stampede.sales.v1.SaleService/GetSale",
                               &stampede__sales__v1__sale__descriptor, &request.base);
        is_read = reply->status.code == RPC_OK;
        rpc_reply_free(reply);
        assert_false(patience_is_over(&patience));
    }
}

/* Ends one backend: the one for reads or one for orders. */
static void terminate_one(bool reads)
{
    char sql[384], text[64];
    snprintf(sql, sizeof(sql),
             "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
             "WHERE application_name LIKE 'stampede-orders %s%%' LIMIT 1) b",
             reads ? "reads" : "orders");
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    do { /* one that was ended before may not be back */
        assert_false(patience_is_over(&patience));
        assert_int_equal(scratch_postgres_query(server.admin_url, sql, text, sizeof(text)), 0);
    } while (strcmp(text, "1") != 0);
}

/* Ends backends one by one under a load; false when a batch was refused or somebody was told to go
 * away meanwhile. Nothing may be lost in either case. */
static bool is_loss_unnoticed(const struct orders_process *process, struct orders_client *client,
                              const char *key)
{
    char body[512];
    bool is_unnoticed = true;
    struct load *load = load_begin(client, key);
    for (size_t round = 1; round <= 5; round++) {
        load_wait_placed(load, round * 20);
        read_sale(client, load->sale_id);
        terminate_one(true);
        read_sale(client, load->sale_id);
        terminate_one(false);
        for (int i = 0; i < 20; i++) {
            is_unnoticed &= health(client, ORDER_SERVICE) == SERVING;
            is_unnoticed &= orders_process_get(process, "/readyz", body, sizeof(body)) == 200;
            sleep_ms(5);
        }
        orders_process_wait_ready(process, true);
    }
    load_wait_over(load);
    for (size_t i = 0; i < load->count; i++) {
        is_unnoticed &= load->batches[i].placed == LOAD_BATCH_ORDERS;
    }
    load_assert_nothing_lost(load);
    load_resolve(load, client);
    assert_int_equal(load_assert_nothing_lost(load), 0);
    load_free(load);
    return is_unnoticed;
}

/* One connection that is lost and back at once is nobody's business: no order and no read is
 * refused for it, and no balancer is told to go away. How soon "at once" must be is a bound on
 * time, which a machine with other work may miss, but not always. */
static void one_lost_backend_under_load_refuses_nothing(void **state)
{
    struct orders_process process;
    struct orders_client client;
    char key[32];
    bool is_unnoticed = false;
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* the bound on a quick reconnection is one on time, which TSan stretches tenfold */
#endif

    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    for (int i = 0; i < QUICK_TRIES && !is_unnoticed; i++) {
        snprintf(key, sizeof(key), "one-lost-%d", i);
        is_unnoticed = is_loss_unnoticed(&process, &client, key);
        print_message("one lost backend, try %d: %s\n", i, is_unnoticed ? "unnoticed" : "noticed");
    }
    assert_true(is_unnoticed);
    orders_client_close(&client);
    orders_process_stop(&process);
}

/* --- Draining -------------------------------------------------------------------------------- */

/* A rolling restart in the middle of everything: what was acknowledged is kept, what was refused
 * says DRAINING, and the replica that comes next settles the rest. */
static void sigterm_with_calls_in_flight_loses_nothing(void **state)
{
    struct orders_process process, next;
    struct orders_client client, next_client;
    (void)state;

    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    struct load *load = load_begin(&client, "sigterm");
    load_wait_placed(load, 100);
    load_end_when_refused(load);
    orders_process_stop(&process);
    load_wait_over(load);
    load_assert_nothing_lost(load);
    orders_client_close(&client);

    orders_process_start(&next, server.service_url, with_token);
    orders_process_wait_ready(&next, true);
    orders_client_open(&next_client, next.grpc_port, ORDERS_PROCESS_TOKEN);
    load_resolve(load, &next_client);
    assert_int_equal(load_assert_nothing_lost(load), 0);
    load_free(load);
    orders_client_close(&next_client);
    orders_process_stop(&next);
}

/* Stops a program that pauses for so long; false when the pause was over before this test had seen
 * all of it. */
static bool is_served_in_the_pause(int64_t pause_ms)
{
    char pause[64], key[32];
    const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN, pause, NULL};
    Stampede__Ops__V1__DrainRequest request = STAMPEDE__OPS__V1__DRAIN_REQUEST__INIT;
    struct orders_process process;
    struct orders_client client;
    char sale_id[ORDERS_CLIENT_ID_CHARS + 1];

    snprintf(pause, sizeof(pause), "ORDERS_DRAIN_PAUSE_MS=%d", (int)pause_ms);
    snprintf(key, sizeof(key), "pause-%d", (int)pause_ms);
    orders_process_start(&process, server.service_url, settings);
    orders_process_wait_ready(&process, true);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_create_sale(&client, key, 5, 0, sale_id);
    assert_int_equal(health(&client, ""), SERVING);
    assert_int_equal(health(&client, ORDER_SERVICE), SERVING);
    int64_t pause_end_ns = clock_deadline_in_ms(pause_ms);
    orders_process_signal(&process, SIGTERM);
    bool in_time = is_unready_by(&process, &client, pause_end_ns);
    struct rpc_reply *placed = orders_client_place(&client, sale_id, "c-1", "k-1", 1);
    struct rpc_reply *reply = orders_client_call(
        &client, OPS "Drain", &stampede__ops__v1__drain_response__descriptor, &request.base);
    in_time &= clock_monotonic_ns() < pause_end_ns;
    if (in_time) {
        orders_client_message(placed);
        const Stampede__Ops__V1__DrainResponse *progress = orders_client_message(reply);
        assert_in_range(progress->elapsed_ms, 0, pause_ms);
        assert_int_equal(progress->calls_in_flight, 0);
    }
    rpc_reply_free(placed);
    rpc_reply_free(reply);
    assert_int_equal(orders_process_wait(&process), 0);
    assert_int_equal(orders_process_count_log(&process, "\"event\":\"stopped\""), 1);
    assert_true(!in_time ||
                orders_process_count_log(&process, "\"finished\":1,\"refused\":0,") == 1);
    orders_process_forget(&process);
    orders_client_close(&client);
    return in_time;
}

/* Balancers need time to notice: while they do, the program says that it stops and still serves. */
static void drain_pause_says_not_ready_and_still_serves(void **state)
{
    int64_t pause_ms = 1500;
    (void)state;
    while (!is_served_in_the_pause(pause_ms)) {
        pause_ms *= 4;
        assert_true(pause_ms < ORDERS_PROCESS_PATIENCE_MS);
    }
}

/* The method is for administrators and does exactly what the signal does. */
static void drain_method_ends_the_program_in_order(void **state)
{
    Stampede__Ops__V1__DrainRequest request = STAMPEDE__OPS__V1__DRAIN_REQUEST__INIT;
    struct orders_process process;
    struct orders_client client, nobody;
    (void)state;

    orders_process_start(&process, server.service_url, with_token);
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    nobody = (struct orders_client){.channel = client.channel};
    orders_client_assert_refused(orders_client_call(&nobody, OPS "Drain",
                                                    &stampede__ops__v1__drain_response__descriptor,
                                                    &request.base),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    struct rpc_reply *reply = orders_client_call(
        &client, OPS "Drain", &stampede__ops__v1__drain_response__descriptor, &request.base);
    orders_client_message(reply);
    rpc_reply_free(reply);
    assert_int_equal(orders_process_wait(&process), 0);
    orders_process_forget(&process);
    orders_client_close(&client);
}

/* An operator who asks twice does not want to wait. */
static void second_signal_ends_the_program_at_once(void **state)
{
    static const char *const settings[] = {"ORDERS_DRAIN_PAUSE_MS=600000", NULL};
    struct orders_process process;
    (void)state;

    orders_process_start(&process, server.service_url, settings);
    orders_process_signal(&process, SIGINT);
    orders_process_wait_log(&process, "\"event\":\"draining\"");
    orders_process_signal(&process, SIGTERM);
    assert_int_equal(orders_process_wait(&process), 1);
    orders_process_forget(&process);
}

/* Stopping must not depend on the database being there. */
static void sigterm_without_postgres_ends_in_order(void **state)
{
    struct orders_process process;
    (void)state;

    orders_process_start(&process, "postgresql://nobody@127.0.0.1:1/nothing", NULL);
    orders_process_wait_log(&process, "\"event\":\"database_waited_for\"");
    orders_process_stop(&process);
}

/* --- Status ---------------------------------------------------------------------------------- */

static void get_status_tells_pool_and_limits(void **state)
{
    Stampede__Ops__V1__GetStatusRequest request = STAMPEDE__OPS__V1__GET_STATUS_REQUEST__INIT;
    struct orders_process process;
    struct orders_client client;
    bool found = false;
    (void)state;

    orders_process_start(&process, server.service_url, with_token);
    orders_process_wait_log(&process, "\"event\":\"pool\"");
    orders_client_open(&client, process.grpc_port, ORDERS_PROCESS_TOKEN);
    struct rpc_reply *reply =
        orders_client_call(&client, OPS "GetStatus",
                           &stampede__ops__v1__get_status_response__descriptor, &request.base);
    const Stampede__Ops__V1__GetStatusResponse *status = orders_client_message(reply);
    assert_true(status->ready);
    assert_false(status->draining);
    assert_int_equal(status->pool->size, 5);
    assert_int_equal(status->pool->active + status->pool->idle, 5);
    for (size_t i = 0; i < status->n_limits; i++) {
        if (strcmp(status->limits[i]->name, "lane_depth") == 0) {
            found = true;
            assert_int_equal(status->limits[i]->limit, 20000);
            assert_string_equal(status->limits[i]->setting, "ORDERS_QUEUE_MAX");
        }
    }
    assert_true(found);
    rpc_reply_free(reply);
    orders_client_close(&client);
    orders_process_stop(&process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_before_postgres_waits_and_then_serves),
        cmocka_unit_test(start_on_another_schema_is_not_ready_and_says_why),
        cmocka_unit_test(start_on_a_taken_port_is_refused_with_its_owner),
        cmocka_unit_test(start_with_wrong_settings_is_refused),
        cmocka_unit_test(admin_without_a_set_token_is_closed),
        cmocka_unit_test(pool_of_one_connection_serves_everything),
        cmocka_unit_test(queue_that_is_full_refuses_order_by_order),
        cmocka_unit_test(postgres_killed_under_load_loses_nothing),
        cmocka_unit_test(backends_terminated_under_load_are_replaced),
        cmocka_unit_test(one_lost_backend_under_load_refuses_nothing),
        cmocka_unit_test(sigterm_with_calls_in_flight_loses_nothing),
        cmocka_unit_test(drain_pause_says_not_ready_and_still_serves),
        cmocka_unit_test(drain_method_ends_the_program_in_order),
        cmocka_unit_test(second_signal_ends_the_program_at_once),
        cmocka_unit_test(sigterm_without_postgres_ends_in_order),
        cmocka_unit_test(get_status_tells_pool_and_limits),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
