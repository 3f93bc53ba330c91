/*
 * Several workers, as of several replicas, on the same sales at once: while connections are ended
 * at random, while somebody sits on the lock, and while a holder of the lock is frozen.
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "support/patience.h"
#include "support/proxy.h"

#include <libpq-fe.h>
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

#define CROWD_MAX   6
#define SALES_MAX   12
#define NAMES       400 /* customers that a crowd buys for, each with one key */
#define BATCH_MAX   40
#define CROWD_MS    2000
#define CREATE_KEYS 15

/* As many sessions are ended at least, so that some of them end at work. */
#define SESSIONS_ENDED 60

/* One worker on a thread of its own; the main thread looks at it before and after only. */
struct member {
    struct store_fixture_worker worker;
    struct store_fixture_batch batch;
    pthread_t thread;
    unsigned seed;
    unsigned verdicts[VERDICT_COUNT];
    enum verdict creations[CREATE_KEYS];
    struct uuid created[CREATE_KEYS];
};

static struct member members[CROWD_MAX];
static struct uuid sales[SALES_MAX];
static size_t sale_count;
static atomic_bool crowd_is_over;
static atomic_uint crowd_verdicts[VERDICT_COUNT]; /* so far, of all members */

/* Per name of the first sale: how often it was answered PLACED, and whether it was acknowledged. */
static atomic_uint placed[NAMES], acknowledged[NAMES];

static void start_crowd(size_t count, void *(*life)(void *),
                        const struct store_fixture_bounds *bounds)
{
    for (size_t i = 0; i < NAMES; i++) {
        atomic_store(&placed[i], 0);
        atomic_store(&acknowledged[i], 0);
    }
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        atomic_store(&crowd_verdicts[verdict], 0);
    }
    atomic_store(&crowd_is_over, false);
    for (size_t i = 0; i < count; i++) {
        struct member *member = &members[i];
        memset(member->verdicts, 0, sizeof(member->verdicts));
        member->seed = (unsigned)i + 1;
        store_fixture_worker_init(&member->worker, store_fixture_server()->service_url, bounds);
        assert_true(store_fixture_worker_connect(&member->worker));
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&members[i].thread, NULL, life, &members[i]), 0);
    }
}

static void join_crowd(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    }
}

/* Lets the crowd buy for its time, and until it has heard this, and for so long as it takes. */
static void end_crowd(size_t count, enum verdict awaited)
{
    const struct timespec pause = {.tv_nsec = 5 * CLOCK_NS_PER_MS};
    struct patience patience = patience_of_ms(STORE_FIXTURE_PATIENCE_MS);
    int64_t end_ns = clock_deadline_in_ms(CROWD_MS);
    while (clock_monotonic_ns() < end_ns || atomic_load(&crowd_verdicts[awaited]) == 0) {
        assert_false(patience_is_over(&patience));
        nanosleep(&pause, NULL);
    }
    atomic_store(&crowd_is_over, true);
    join_crowd(count);
}

static void dismiss_crowd(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_fixture_worker_fini(&members[i].worker);
    }
}

static unsigned verdicts_of(size_t count, enum verdict verdict)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += members[i].verdicts[verdict];
    }
    return sum;
}

static void add_name(struct store_fixture_batch *batch, const struct uuid *sale_id, unsigned name)
{
    char customer[16];
    snprintf(customer, sizeof(customer), "name-%u", name);
    store_fixture_add(batch, sale_id, customer, "key", 1);
}

/* Places batches of random names, copies included, on a random sale until the crowd is over. */
static void *buy(void *data)
{
    struct member *member = data;
    unsigned names[BATCH_MAX];

    while (!atomic_load(&crowd_is_over)) {
        size_t count = 1 + (size_t)rand_r(&member->seed) % BATCH_MAX;
        size_t sale = (size_t)rand_r(&member->seed) % sale_count;
        store_fixture_clear(&member->batch);
        for (size_t i = 0; i < count; i++) {
            names[i] = (unsigned)rand_r(&member->seed) % NAMES;
            add_name(&member->batch, &sales[sale], names[i]);
        }
        store_fixture_place(&member->worker, &sales[sale], &member->batch);
        for (size_t i = 0; i < count; i++) {
            enum verdict verdict = member->batch.items[i].verdict;
            member->verdicts[verdict]++;
            atomic_fetch_add(&crowd_verdicts[verdict], 1);
            if (sale == 0) {
                atomic_fetch_add(&placed[names[i]], verdict == VERDICT_PLACED);
                atomic_fetch_or(&acknowledged[names[i]],
                                verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED);
            }
        }
    }
    return NULL;
}

/* Every name is asked for once more, in peace: what was acknowledged is there, the rest fits. */
static void check_names(const struct uuid *sale_id, int32_t stock)
{
    static struct store_fixture_batch batch;
    struct store_fixture_worker worker;
    size_t found = 0;

    store_fixture_worker_start(&worker);
    for (unsigned name = 0; name < NAMES; name++) {
        store_fixture_clear(&batch);
        add_name(&batch, sale_id, name);
        store_fixture_place(&worker, sale_id, &batch);
        enum verdict verdict = batch.items[0].verdict;
        assert_true(verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED ||
                    verdict == VERDICT_SOLD_OUT);
        found += verdict != VERDICT_SOLD_OUT;
        assert_true(atomic_load(&placed[name]) <= 1);
        if (atomic_load(&acknowledged[name])) {
            assert_int_equal(verdict, VERDICT_REPLAYED);
        }
        store_fixture_compare(sale_id, &batch);
    }
    assert_int_equal(found, stock);
    store_fixture_audit(sale_id);
    store_fixture_worker_fini(&worker);
}

/* Two replicas sell one hot sale to the same customers: exactly the stock, each order once. */
static void contention_of_two_stores_sells_exactly_the_stock(void **state)
{
    (void)state;
    sale_count = 1;
    sales[0] = store_fixture_sale(NAMES / 2, 0, 0);
    start_crowd(2, buy, &store_fixture_long);
    end_crowd(2, VERDICT_SOLD_OUT);
    assert_int_equal(verdicts_of(2, VERDICT_PLACED), NAMES / 2);
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        bool expected =
            verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED || verdict == VERDICT_SOLD_OUT;
        assert_int_equal(verdicts_of(2, verdict) > 0, expected);
    }
    assert_int_equal(members[0].worker.error_count + members[1].worker.error_count, 0);
    check_names(&sales[0], NAMES / 2);
    dismiss_crowd(2);
}

/* The same while an operator ends sessions at random: in locks, in commits, in between. */
static void contention_while_sessions_are_ended_sells_exactly_the_stock(void **state)
{
    const struct timespec pause = {.tv_nsec = 15 * CLOCK_NS_PER_MS};
    (void)state;

    sale_count = 1;
    sales[0] = store_fixture_sale(NAMES / 2, 0, 60);
    start_crowd(3, buy, &store_fixture_usual);
    int64_t end_ns = clock_deadline_in_ms(CROWD_MS);
    for (int64_t ended = 0; clock_monotonic_ns() < end_ns || ended < SESSIONS_ENDED;) {
        ended += store_fixture_number("SELECT count(pg_terminate_backend(pid)) "
                                      "FROM pg_stat_activity "
                                      "WHERE application_name = 'store_test' AND random() < 0.4");
        nanosleep(&pause, NULL);
    }
    atomic_store(&crowd_is_over, true);
    join_crowd(3);
    unsigned errors = 0;
    for (size_t i = 0; i < 3; i++) {
        errors += members[i].worker.error_count;
    }
    assert_true(errors > 0); /* a slow machine takes longer to get to them */
    assert_int_equal(verdicts_of(3, VERDICT_INTERNAL), 0);
    print_message("%u errors; %u placed, %u replayed, %u sold out, %u unavailable, %u unknown\n",
                  errors, verdicts_of(3, VERDICT_PLACED), verdicts_of(3, VERDICT_REPLAYED),
                  verdicts_of(3, VERDICT_SOLD_OUT), verdicts_of(3, VERDICT_DATABASE_UNAVAILABLE),
                  verdicts_of(3, VERDICT_OUTCOME_UNKNOWN));
    check_names(&sales[0], NAMES / 2);
    dismiss_crowd(3);
}

/* Rule B1: sales are locked one at a time and first, so that no two transactions can deadlock. */
static void contention_over_many_sales_never_deadlocks(void **state)
{
    (void)state;
    sale_count = SALES_MAX;
    for (size_t i = 0; i < SALES_MAX; i++) {
        sales[i] = store_fixture_sale(300, i % 2 == 0 ? 0 : 1, i % 3 == 0 ? 60 : 0);
    }
    start_crowd(CROWD_MAX, buy, &store_fixture_long);
    end_crowd(CROWD_MAX, VERDICT_PLACED);
    for (size_t i = 0; i < CROWD_MAX; i++) {
        assert_int_equal(members[i].worker.rollback_count, 0);
        assert_int_equal(members[i].worker.error_count, 0);
    }
    assert_int_equal(verdicts_of(CROWD_MAX, VERDICT_OVERLOADED), 0);
    assert_true(verdicts_of(CROWD_MAX, VERDICT_PLACED) > 0);
    for (size_t i = 0; i < SALES_MAX; i++) {
        store_fixture_audit(&sales[i]);
    }
    dismiss_crowd(CROWD_MAX);
}

/* --- One creation, asked for several times at once ---------------------------------------------*/

static void *create_all(void *data)
{
    struct member *member = data;
    struct violations violations;
    struct store_sale sale;
    char key[16];

    for (size_t i = 0; i < CREATE_KEYS; i++) {
        struct create_sale_request request = {.key = key, .draft = store_fixture_draft()};
        request.key_length = (size_t)snprintf(key, sizeof(key), "race-%zu", i);
        request.draft.end_us = INT64_C(4000000000000000);
        arena_reset(&member->worker.arena);
        member->creations[i] = create_sale_run(&member->worker.creating, &request,
                                               clock_deadline_in_ms(STORE_FIXTURE_PATIENCE_MS),
                                               &member->worker.arena, &sale, &violations);
        member->created[i] = sale.sale.sale_id;
    }
    return NULL;
}

/* Rule B7: retries that overlap make one sale, and all hear of the same one. */
static void contention_for_one_creation_key_makes_one_sale(void **state)
{
    (void)state;
    start_crowd(4, create_all, &store_fixture_long);
    join_crowd(4);
    for (size_t key = 0; key < CREATE_KEYS; key++) {
        unsigned made = 0;
        for (size_t i = 0; i < 4; i++) {
            enum verdict verdict = members[i].creations[key];
            assert_true(verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED);
            made += verdict == VERDICT_PLACED;
            assert_true(uuid_equal(&members[i].created[key], &members[0].created[key]));
        }
        assert_int_equal(made, 1);
    }
    dismiss_crowd(4);
}

/* --- Somebody sits on the lock ------------------------------------------------------------------
 */

static struct store_fixture_batch batch;

static void lock_by_hand(struct pg_conn *holder, const struct uuid *sale_id)
{
    store_fixture_run(holder, "BEGIN; SELECT FROM sales WHERE sale_id = '%s' FOR UPDATE",
                      store_fixture_text(sale_id));
}

/* A holder that takes too long costs its waiters a refusal in time, not their connection. */
static void contention_with_a_slow_holder_is_overloaded_in_time(void **state)
{
    const struct store_fixture_bounds bounds = {.lock_ms = 300,
                                                .statement_ms = 60000,
                                                .idle_in_transaction_ms = 60000,
                                                .transaction_ms = 90000,
                                                .decision_ms = 120000};
    struct pg_conn *holder = store_fixture_connect();
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct store_fixture_worker worker;
    (void)state;

    store_fixture_worker_init(&worker, store_fixture_server()->service_url, &bounds);
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 3);
    lock_by_hand(holder, &sale_id);
    int64_t begun_ns = clock_monotonic_ns();
    store_fixture_place(&worker, &sale_id, &batch);
    int64_t took_ms = (clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS;
    store_fixture_expect(&batch, VERDICT_OVERLOADED);
    assert_true(took_ms >= bounds.lock_ms && took_ms < bounds.lock_ms + STORE_FIXTURE_LATENESS_MS);
    assert_string_equal(worker.sqlstate, "55P03");
    store_fixture_compare(&sale_id, &batch);
    PQfinish(holder);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    assert_int_equal(worker.connected_count, 1);
    store_fixture_audit(&sale_id);
    store_fixture_worker_fini(&worker);
}

/* Rule A6: the backend of a worker that has given up does not stay queued for the lock. */
static void contention_of_a_vanished_waiter_leaves_the_queue(void **state)
{
    const struct store_fixture_bounds impatient = {.lock_ms = 60000,
                                                   .statement_ms = 61000,
                                                   .idle_in_transaction_ms = 1000,
                                                   .transaction_ms = 1000,
                                                   .decision_ms = 1500};
    struct pg_conn *holder = store_fixture_connect();
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct store_fixture_worker worker;
    (void)state;

    store_fixture_worker_init(&worker, store_fixture_server()->service_url, &impatient);
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 3);
    lock_by_hand(holder, &sale_id);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_OVERLOADED);
    int64_t begun_ns = clock_monotonic_ns();
    store_fixture_await("SELECT count(*) = 0 FROM pg_stat_activity "
                        "WHERE application_name = 'store_test' AND wait_event_type = 'Lock'");
    assert_true(clock_monotonic_ns() - begun_ns <
                (500 + STORE_FIXTURE_LATENESS_MS) * CLOCK_NS_PER_MS);
    PQfinish(holder);
    store_fixture_worker_fini(&worker);
}

/* The decided transaction of a worker that freezes before it can store. */
struct frozen {
    struct store_fixture_worker worker;
    struct placement_request request;
    struct placement_facts facts;
    struct placement_decision decision;
};

static void freeze_holding_the_lock(struct frozen *frozen, const char *url,
                                    const struct store_fixture_bounds *bounds,
                                    const struct uuid *sale_id)
{
    store_fixture_worker_init(&frozen->worker, url, bounds);
    assert_true(store_fixture_worker_connect(&frozen->worker));
    struct store *store = &frozen->worker.store;
    frozen->request =
        (struct placement_request){.order_id = order_id_of(sale_id, "frozen", 6, "k", 1),
                                   .customer_id = "frozen",
                                   .customer_length = 6,
                                   .quantity = 1};
    assert_int_equal(store->load_placement(store->data, sale_id, &frozen->request, 1,
                                           store_fixture_deadline(&frozen->worker),
                                           &frozen->worker.arena, &frozen->facts),
                     STORE_OK);
    assert_int_equal(placement_decide(&frozen->facts, &frozen->request, 1, &frozen->worker.arena,
                                      &frozen->decision),
                     0);
}

/* Stores what was decided before the freeze. */
static enum store_result thaw(struct frozen *frozen)
{
    struct store *store = &frozen->worker.store;
    return store->store_placed(store->data, &frozen->facts, &frozen->request, 1, &frozen->decision,
                               store_fixture_deadline(&frozen->worker), &frozen->worker.arena);
}

/* Rule D5: a frozen holder blocks its sale for the idle bound, and comes back with nothing. */
static void contention_with_a_frozen_holder_ends_with_the_idle_bound(void **state)
{
    const struct store_fixture_bounds bounds = {.lock_ms = 60000,
                                                .statement_ms = 61000,
                                                .idle_in_transaction_ms = 400,
                                                .transaction_ms = 70000,
                                                .decision_ms = 150000};
    static struct frozen frozen;
    char url[SCRATCH_POSTGRES_URL_BYTES];
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct store_fixture_worker worker;
    struct proxy *proxy;
    (void)state;

    assert_int_equal(proxy_create(scratch_postgres_port(store_fixture_server()), &proxy), 0);
    scratch_postgres_url_with_port(store_fixture_server()->service_url, proxy_port(proxy), url);
    store_fixture_worker_init(&worker, store_fixture_server()->service_url, &bounds);
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 3);
    freeze_holding_the_lock(&frozen, url, &bounds, &sale_id);
    proxy_set_black_hole(proxy, true);
    int64_t begun_ns = clock_monotonic_ns();
    store_fixture_place(&worker, &sale_id, &batch);
    int64_t took_ms = (clock_monotonic_ns() - begun_ns) / CLOCK_NS_PER_MS;
    store_fixture_expect(&batch, VERDICT_PLACED);
    assert_true(took_ms < bounds.idle_in_transaction_ms + STORE_FIXTURE_LATENESS_MS);
    proxy_set_black_hole(proxy, false);
    enum store_result result = thaw(&frozen);
    assert_true(result == STORE_UNKNOWN || result == STORE_UNAVAILABLE);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     3);
    store_fixture_audit(&sale_id);
    store_fixture_worker_fini(&frozen.worker);
    store_fixture_worker_fini(&worker);
    proxy_destroy(proxy);
}

/* The holder of the lock is ended by an operator: what it wanted to store is not stored. */
static void contention_after_the_holder_was_ended_stores_nothing(void **state)
{
    static struct frozen frozen;
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    (void)state;

    freeze_holding_the_lock(&frozen, store_fixture_server()->service_url, &store_fixture_usual,
                            &sale_id);
    store_fixture_admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'store_test'");
    store_fixture_await("SELECT count(*) = 0 FROM pg_stat_activity "
                        "WHERE application_name = 'store_test'");
    enum store_result result = thaw(&frozen);
    assert_true(result == STORE_UNKNOWN || result == STORE_UNAVAILABLE);
    assert_false(frozen.worker.store.is_connected(frozen.worker.store.data));
    assert_int_equal(store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     0);
    store_fixture_audit(&sale_id);
    store_fixture_worker_fini(&frozen.worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contention_of_two_stores_sells_exactly_the_stock),
        cmocka_unit_test(contention_while_sessions_are_ended_sells_exactly_the_stock),
        cmocka_unit_test(contention_over_many_sales_never_deadlocks),
        cmocka_unit_test(contention_for_one_creation_key_makes_one_sale),
        cmocka_unit_test(contention_with_a_slow_holder_is_overloaded_in_time),
        cmocka_unit_test(contention_of_a_vanished_waiter_leaves_the_queue),
        cmocka_unit_test(contention_with_a_frozen_holder_ends_with_the_idle_bound),
        cmocka_unit_test(contention_after_the_holder_was_ended_stores_nothing),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
