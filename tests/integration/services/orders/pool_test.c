/* That the pool's figures are right: each of the three places that tell them, while every
 * connection is at work and work waits, and when it is over. */
#include "base/check.h"
#include "base/clock.h"
#include "orders_calls.h"
#include "orders_process.h"
#include "support/patience.h"
#include "support/scratch_postgres.h"

#include <stampede/ops/v1/ops.pb-c.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BODY_BYTES   (256 * 1024)
#define SERIES_BYTES 128

#define PLACE_ORDER "stampede.orders.v1.OrderService/PlaceOrder"
#define GET_SALE    "stampede.sales.v1.SaleService/GetSale"

static struct scratch_postgres server;
static struct orders_process process;
static struct orders_client admin;
static char sale_ids[2][ORDERS_CLIENT_ID_CHARS + 1];

#define LOCKERS                                                                                    \
    "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"

static void end_lockers(void)
{
    char count[16];
    assert_int_equal(scratch_postgres_query(server.admin_url,
                                            "SELECT count(pg_terminate_backend(pid)) " LOCKERS,
                                            count, sizeof(count)),
                     0);
}

static int start(void **state)
{
    static const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN,
                                           "ORDERS_POOL_SIZE=2", "ORDERS_SLOW_WAIT_MS=20", NULL};
    char order_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;
    assert_int_equal(scratch_postgres_start(&server, true, false), 0);
    orders_process_start(&process, server.service_url, settings);
    orders_process_wait_ready(&process, true);
    orders_client_open(&admin, process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_create_sale(&admin, "first", 100000, 0, sale_ids[0]);
    orders_client_create_sale(&admin, "second", 100000, 0, sale_ids[1]);
    for (size_t i = 0; i < 2; i++) { /* gives each its lane */
        orders_calls_place(&admin, sale_ids[i], "c-0", "k", 1, order_id);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    end_lockers(); /* of a test that failed */
    orders_calls_audit(server.admin_url);
    orders_client_close(&admin);
    orders_process_stop(&process);
    scratch_postgres_stop(&server);
    return 0;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* --- A session that holds locks ----------------------------------------------------------------
 */

struct locker {
    pthread_t thread;
    char sql[256];
};

/* Ends when its session is ended. */
static void *hold_locks(void *data)
{
    const struct locker *locker = data;
    (void)!scratch_postgres_execute(server.admin_url, locker->sql);
    return NULL;
}

static void lock_begin(struct locker *locker, const char *statement)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    char count[16] = "0";
    snprintf(locker->sql, sizeof(locker->sql), "BEGIN; %s; SELECT pg_sleep(600)", statement);
    assert_int_equal(pthread_create(&locker->thread, NULL, hold_locks, locker), 0);
    while (strcmp(count, "1") != 0) {
        assert_false(patience_is_over(&patience));
        assert_int_equal(scratch_postgres_query(server.admin_url,
                                                "SELECT count(*) " LOCKERS
                                                " AND wait_event = 'PgSleep'",
                                                count, sizeof(count)),
                         0);
    }
}

static void lock_end(struct locker *locker)
{
    end_lockers();
    pthread_join(locker->thread, NULL);
}

/* --- Callers: each asks again as soon as it is answered ----------------------------------------
 */

struct chain {
    const char *sale_id; /* places orders; NULL: reads the first sale */
    int64_t timeout_ms;
    int calls;
    struct callers *callers;
};

struct callers {
    struct orders_client client;
    struct chain chains[6];
    size_t count;
    atomic_bool stopped;
    atomic_size_t running;
};

static void call_again(struct chain *chain);

static void on_reply(struct rpc_reply *reply, void *data)
{
    struct chain *chain = data;
    rpc_reply_free(reply);
    if (atomic_load(&chain->callers->stopped)) {
        atomic_fetch_sub(&chain->callers->running, 1);
    } else {
        call_again(chain);
    }
}

static void place_again(struct chain *chain)
{
    Stampede__Orders__V1__PlaceOrderRequest request =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_REQUEST__INIT;
    char customer[64];
    snprintf(customer, sizeof(customer), "c-%p-%d", (void *)chain, chain->calls++);
    request.sale_id = (char *)(uintptr_t)chain->sale_id;
    request.customer_id = customer;
    request.idempotency_key = customer;
    request.quantity = 1;
    orders_client_start(&chain->callers->client, "/stampede.orders.v1.OrderService/PlaceOrder",
                        &stampede__orders__v1__place_order_response__descriptor, &request.base,
                        chain->timeout_ms, on_reply, chain);
}

static void call_again(struct chain *chain)
{
    Stampede__Sales__V1__GetSaleRequest request = STAMPEDE__SALES__V1__GET_SALE_REQUEST__INIT;
    if (chain->sale_id != NULL) {
        place_again(chain);
        return;
    }
    request.sale_id = sale_ids[0];
    orders_client_start(&chain->callers->client, "/stampede.sales.v1.SaleService/GetSale",
                        &stampede__sales__v1__sale__descriptor, &request.base, chain->timeout_ms,
                        on_reply, chain);
}

static void callers_begin(struct callers *callers)
{
    orders_client_open(&callers->client, process.grpc_port, NULL);
    atomic_store(&callers->stopped, false);
    atomic_store(&callers->running, callers->count);
    for (size_t i = 0; i < callers->count; i++) {
        callers->chains[i].callers = callers;
        call_again(&callers->chains[i]);
    }
}

static void callers_end(struct callers *callers)
{
    atomic_store(&callers->stopped, true);
    while (atomic_load(&callers->running) > 0) {
        sleep_ms(5);
    }
    orders_client_close(&callers->client);
}

/* --- What the program says of itself -----------------------------------------------------------
 */

static struct rpc_reply *get_status(const Stampede__Ops__V1__GetStatusResponse **ret)
{
    Stampede__Ops__V1__GetStatusRequest request = STAMPEDE__OPS__V1__GET_STATUS_REQUEST__INIT;
    struct rpc_reply *reply =
        orders_client_call(&admin, "/stampede.ops.v1.OpsService/GetStatus",
                           &stampede__ops__v1__get_status_response__descriptor, &request.base);
    *ret = orders_client_message(reply);
    return reply;
}

/* The number behind a text in what a path of the ops listener says; -1: it is not there. */
static double figure(const char *path, const char *before, const char *number)
{
    static char body[BODY_BYTES];
    assert_int_equal(orders_process_get(&process, path, body, sizeof(body)), 200);
    const char *at = strstr(body, before);
    at = at == NULL ? NULL : strstr(at, number);
    return at == NULL ? -1 : strtod(at + strlen(number), NULL);
}

static double metric(const char *series)
{
    char line[SERIES_BYTES + 2]; /* with a line break and a space */
    snprintf(line, sizeof(line), "\n%s ", series);
    return figure("/metrics", line, line);
}

static double in_use(const char *name)
{
    char start_of[128];
    snprintf(start_of, sizeof(start_of), "{\"name\":\"%s\"", name);
    return figure("/limits", start_of, "\"inUse\":");
}

/* Asks until it is so. */
static void wait_until(bool (*is_so)(void), const char *what)
{
    int64_t begun_ns = clock_monotonic_ns();
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    while (!is_so()) {
        if (patience_is_over(&patience)) {
            fail_msg("gave up waiting until %s", what);
        }
        sleep_ms(5);
    }
    print_message("%s after %d ms\n", what,
                  (int)((clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS));
}

/* A member of what /limits tells of the pool in detail. */
static double detail(const char *member)
{
    char text[64];
    snprintf(text, sizeof(text), "\"%s\":", member);
    return figure("/limits", "{\"name\":\"pool_connections\"", text);
}

/* Calls in flight of one method, by GetStatus; -1: it is not listed. */
static int calls_of(const Stampede__Ops__V1__CallsStatus *calls, const char *method)
{
    for (size_t i = 0; i < calls->n_by_method; i++) {
        if (strcmp(calls->by_method[i]->method, method) == 0) {
            return calls->by_method[i]->in_flight;
        }
    }
    return -1;
}

static bool status_says_exhausted(void)
{
    const Stampede__Ops__V1__GetStatusResponse *status;
    struct rpc_reply *reply = get_status(&status);
    bool is_so = status->pool->size == 2 && status->pool->active == 2 && status->pool->idle == 0 &&
                 status->pool->connecting == 0 && status->pool->waiting >= 2 &&
                 status->pool->longest_wait_us > 0 && status->lanes->lanes == 2 &&
                 status->lanes->ready >= 1 && status->lanes->orders_deciding >= 1 &&
                 status->lanes->orders_waiting >= 1 && status->lanes->jobs_waiting >= 1 &&
                 status->calls->in_flight >= 4 && status->calls->connections >= 2 &&
                 calls_of(status->calls, PLACE_ORDER) >= 1 &&
                 calls_of(status->calls, GET_SALE) >= 1 &&
                 calls_of(status->calls, "stampede.sales.v1.SaleService/PauseSale") == 0;
    rpc_reply_free(reply);
    return is_so;
}

static bool limits_say_exhausted(void)
{
    return in_use("pool_connections") == 2 && in_use("pool_idle") == 0 &&
           in_use("pool_connecting") == 0 && in_use("pool_waiting") >= 2 &&
           in_use("pool_longest_wait_milliseconds") >= 1 && in_use("lanes_ready") >= 1;
}

static bool detail_says_exhausted(void)
{
    return detail("active") == 2 && detail("idle") == 0 && detail("connecting") == 0 &&
           detail("waiting") >= 2 && detail("longestWaitMs") >= 1;
}

static bool metrics_say_exhausted(void)
{
    return metric("stampede_pool_connections{state=\"active\"}") == 2 &&
           metric("stampede_pool_connections{state=\"idle\"}") == 0 &&
           metric("stampede_pool_waiting") >= 2 && metric("stampede_pool_connections_limit") == 2 &&
           metric("stampede_rpc_in_flight{method=\"" PLACE_ORDER "\"}") >= 1 &&
           metric("stampede_rpc_in_flight{method=\"" GET_SALE "\"}") >= 1;
}

static bool something_was_late(void)
{
    return metric("stampede_pool_wait_timeouts_total") >= 1;
}

static bool metrics_say_idle(void)
{
    return metric("stampede_pool_waiting") == 0 &&
           metric("stampede_pool_connections{state=\"connecting\"}") == 0;
}

/* --- Exhausted ---------------------------------------------------------------------------------
 */

/* The histogram of waits in /metrics, all kinds of work together. rest is what follows the label of
 * the kind, with its comma. */
static double waits_metric(const char *suffix, const char *rest)
{
    static const char *const kinds[] = {"orders", "changes", "act", "sweep", "read", "lookup"};
    char series[SERIES_BYTES];
    double sum = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        snprintf(series, sizeof(series), "stampede_pool_wait_seconds%s{work=\"%s\"%s}", suffix,
                 kinds[i], rest);
        double value = metric(series);
        assert_true(value >= 0);
        sum += value;
    }
    return sum;
}

/* The count of one bucket in /limits. */
static double detail_bucket(double up_to_seconds)
{
    char bucket[64];
    snprintf(bucket, sizeof(bucket), "{\"upToSeconds\":%g,", up_to_seconds);
    return figure("/limits", bucket, "\"count\":");
}

/* A figure of GetStatus, another place's of the same later on, and GetStatus' again: it only grows,
 * so that what lies between is the same figure. */
static void assert_between(int64_t before, double there, int64_t after)
{
    assert_true((double)before <= there);
    assert_true(there <= (double)after);
}

/* The histogram is the same one wherever it is told, bucket by bucket. */
static void assert_histograms_agree(void)
{
    const Stampede__Ops__V1__GetStatusResponse *first, *last;
    struct rpc_reply *before = get_status(&first);
    size_t count = first->pool->n_wait_buckets;
    double limits[16], metrics[16];
    char rest[32];
    assert_in_range(count, 10, COUNT_OF(limits));
    for (size_t i = 0; i < count; i++) {
        double seconds = (double)first->pool->wait_buckets[i]->up_to_us / 1e6;
        limits[i] = detail_bucket(seconds);
        snprintf(rest, sizeof(rest), ",le=\"%g\"", seconds);
        metrics[i] = waits_metric("_bucket", rest);
    }
    double limits_count = figure("/limits", "\"waits\":{", "\"count\":");
    double metrics_count = waits_metric("_count", "");
    double metrics_sum = waits_metric("_sum", "");
    struct rpc_reply *after = get_status(&last);
    for (size_t i = 0; i < count; i++) {
        int64_t from = first->pool->wait_buckets[i]->count;
        int64_t to = last->pool->wait_buckets[i]->count;
        assert_between(from, limits[i], to);
        assert_between(from, metrics[i], to);
        assert_true(i == 0 || from >= first->pool->wait_buckets[i - 1]->count);
        assert_true(from <= first->pool->waits_count);
    }
    assert_between(first->pool->waits_count, limits_count, last->pool->waits_count);
    assert_between(first->pool->waits_count, metrics_count, last->pool->waits_count);
    assert_between(first->pool->waits_total_us - 1, metrics_sum * 1e6,
                   last->pool->waits_total_us + 1);
    rpc_reply_free(before);
    rpc_reply_free(after);
}

static void assert_sums_agree(void)
{
    const Stampede__Ops__V1__GetStatusResponse *status;
    struct rpc_reply *reply = get_status(&status);
    assert_true(status->pool->waits_count > 0);
    assert_true(status->pool->waits_total_us > 100000);
    assert_true(status->pool->wait_timeouts >= 1);
    assert_int_equal(status->pool->wait_timeouts,
                     (int64_t)metric("stampede_pool_wait_timeouts_total"));
    assert_int_equal(status->pool->wait_timeouts, (int64_t)detail("timeouts"));
    rpc_reply_free(reply);
    assert_true(metric("stampede_pool_wait_seconds_count{work=\"orders\"}") > 0);
    assert_true(metric("stampede_pool_wait_seconds_sum{work=\"orders\"}") > 0.02);
    assert_true(metric("stampede_pool_wait_seconds_sum{work=\"read\"}") > 0.02);
    assert_true(metric("stampede_sale_load_seconds_sum") > 0.02);
}

/* Both connections are stuck behind a lock and work waits for them: it shows in all three places,
 * the program is alive and ready all the while, and it goes away by itself. */
static void pool_exhausted_shows_everywhere_and_recovers(void **state)
{
    static struct callers callers = {.chains = {{.sale_id = sale_ids[0], .timeout_ms = 20000},
                                                {.sale_id = sale_ids[1], .timeout_ms = 20000},
                                                {.sale_id = sale_ids[1], .timeout_ms = 200},
                                                {.timeout_ms = 20000},
                                                {.timeout_ms = 20000},
                                                {.timeout_ms = 200}},
                                     .count = 6};
    struct locker locker;
    char body[512];
    (void)state;

    orders_process_wait_log(&process, "\"event\":\"pool_starting\",\"program\":\"stampede-orders\","
                                      "\"size\":2,\"connecting\":2,");
    orders_process_wait_log(&process, "\"event\":\"pool\"");
    lock_begin(&locker, "LOCK TABLE sales IN ACCESS EXCLUSIVE MODE");
    callers_begin(&callers);
    wait_until(status_says_exhausted, "GetStatus says so");
    wait_until(limits_say_exhausted, "/limits says so");
    wait_until(detail_says_exhausted, "/limits says so in detail");
    wait_until(metrics_say_exhausted, "/metrics says so");
    wait_until(something_was_late, "deadlines have passed");
    assert_int_equal(orders_process_get(&process, "/livez?verbose", body, sizeof(body)), 200);
    assert_non_null(strstr(body, "[+]workers ok\n[+]janitor ok\n[+]grpc ok\n"));
    assert_int_equal(orders_process_get(&process, "/readyz?verbose", body, sizeof(body)), 200);
    assert_non_null(strstr(body, "[+]database ok\n[+]serving ok\n"));
    lock_end(&locker);
    callers_end(&callers);
    wait_until(metrics_say_idle, "nothing waits any more");
    rpc_reply_free(orders_client_place(&admin, sale_ids[0], "afterwards", "k", 1));
    assert_sums_agree();
    assert_histograms_agree();
    orders_process_wait_log(&process, "\"event\":\"slow_wait\",\"program\":\"stampede-orders\","
                                      "\"work\":\"orders\",\"for\":\"connection\"");
    orders_process_wait_log(&process, "\"work\":\"read\"");
}

/* --- What the database says --------------------------------------------------------------------
 */

/* Whoever looks into pg_stat_activity sees which connection is for what. */
static void pool_sessions_are_named_by_their_duty(void **state)
{
    char names[128];
    (void)state;
    assert_int_equal(
        scratch_postgres_query(server.admin_url,
                               "SELECT string_agg(application_name, ',' ORDER BY application_name) "
                               "FROM pg_stat_activity WHERE usename = 'stampede'",
                               names, sizeof(names)),
        0);
    assert_string_equal(names, "stampede-orders orders 1,stampede-orders reads");
}

static bool lock_wait_is_seen(void)
{
    const Stampede__Ops__V1__GetStatusResponse *status;
    struct rpc_reply *reply = get_status(&status);
    bool is_so = status->sessions != NULL && status->sessions->lock_waiting == 1 &&
                 status->sessions->active == 1 && status->sessions->idle == 1 &&
                 status->sessions->oldest_transaction_us > 0 && status->sessions->age_ms >= 0;
    rpc_reply_free(reply);
    return is_so;
}

static bool lock_wait_is_in_metrics(void)
{
    return metric("stampede_db_lock_waiting") == 1 &&
           metric("stampede_db_sessions{state=\"active\"}") == 1 &&
           metric("stampede_db_oldest_transaction_seconds") > 0;
}

static bool no_lock_wait_is_seen(void)
{
    return metric("stampede_db_lock_waiting") == 0 &&
           metric("stampede_db_sessions{state=\"idle\"}") == 2;
}

/* One sale's row is held by somebody else: the wait is seen from the connection that does not wait,
 * and the log names the sale. */
static void pool_lock_wait_is_seen_and_told_of(void **state)
{
    static struct callers callers = {.chains = {{.sale_id = sale_ids[1], .timeout_ms = 20000}},
                                     .count = 1};
    struct locker locker;
    char text[160];
    (void)state;

    wait_until(no_lock_wait_is_seen, "the database was asked");
    snprintf(text, sizeof(text), "SELECT sale_id FROM sales WHERE sale_id = '%s' FOR UPDATE",
             sale_ids[1]);
    lock_begin(&locker, text);
    callers_begin(&callers);
    wait_until(lock_wait_is_seen, "GetStatus tells of the lock");
    wait_until(lock_wait_is_in_metrics, "/metrics tells of the lock");
    snprintf(text, sizeof(text),
             "\"event\":\"slow_lock\",\"program\":\"stampede-orders\",\"sale_id\":\"%s\"",
             sale_ids[1]);
    orders_process_wait_log(&process, text);
    lock_end(&locker);
    callers_end(&callers);
    wait_until(no_lock_wait_is_seen, "the lock is gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_sessions_are_named_by_their_duty),
        cmocka_unit_test(pool_exhausted_shows_everywhere_and_recovers),
        cmocka_unit_test(pool_lock_wait_is_seen_and_told_of),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
