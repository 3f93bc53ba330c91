/*
 * A COMMIT whose answer never comes, or comes with a warning: what callers may hear of it, and for
 * how long (CORRECTNESS A3 to A5).
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "support/proxy.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BATCH 5

/* Tests wait for the last two to pass; the others end nothing. A COMMIT that is slow is over long
 * before them, and takes long enough for a slow machine to see it. */
static const struct store_fixture_bounds bounds = {.lock_ms = 3000,
                                                   .statement_ms = 20000,
                                                   .idle_in_transaction_ms = 20000,
                                                   .transaction_ms = 5000,
                                                   .decision_ms = 12000};

static struct proxy *proxy;
static char proxied_url[SCRATCH_POSTGRES_URL_BYTES];
static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct uuid sale_id;

static int start(void **state)
{
    if (store_fixture_start(state) != 0) {
        return -1;
    }
    /* Customers called slow commit slowly: a window in which COMMIT was sent and not answered. */
    store_fixture_admin(
        "CREATE FUNCTION sleep_at_commit() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_sleep(1); RETURN NULL; END$$;"
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON orders DEFERRABLE INITIALLY "
        "DEFERRED "
        "FOR EACH ROW WHEN (NEW.customer_id = 'slow') EXECUTE FUNCTION sleep_at_commit();"
        "CREATE CONSTRAINT TRIGGER slow_creation AFTER INSERT ON sales DEFERRABLE INITIALLY "
        "DEFERRED "
        "FOR EACH ROW WHEN (NEW.sku = 'slow') EXECUTE FUNCTION sleep_at_commit()");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(proxy_create(scratch_postgres_port(store_fixture_server()), &proxy), 0);
    scratch_postgres_url_with_port(store_fixture_server()->service_url, proxy_port(proxy),
                                   proxied_url);
    store_fixture_worker_init(&worker, proxied_url, &bounds);
    assert_true(store_fixture_worker_connect(&worker));
    sale_id = store_fixture_sale(100, 0, 0);
    store_fixture_clear(&batch);
    return 0;
}

/* Waits for no standby any more; whoever waits already is told so. */
static void release_commits(void)
{
    store_fixture_admin("ALTER SYSTEM RESET synchronous_standby_names");
    store_fixture_admin("SELECT pg_reload_conf()");
    store_fixture_await("SELECT setting = '' FROM pg_settings "
                        "WHERE name = 'synchronous_standby_names'");
}

static int tear_down(void **state)
{
    (void)state;
    release_commits();
    store_fixture_worker_fini(&worker);
    proxy_destroy(proxy);
    return 0;
}

/* --- Work on another thread, so that the test can interfere ------------------------------------
 */

struct job {
    pthread_t thread;
    int64_t begun_ns, ended_ns;
};

static void *place(void *data)
{
    struct job *job = data;
    job->begun_ns = clock_monotonic_ns();
    store_fixture_place(&worker, &sale_id, &batch);
    job->ended_ns = clock_monotonic_ns();
    return NULL;
}

static void start_placing(struct job *job)
{
    assert_int_equal(pthread_create(&job->thread, NULL, place, job), 0);
}

static int64_t finish(struct job *job)
{
    assert_int_equal(pthread_join(job->thread, NULL), 0);
    return (job->ended_ns - job->begun_ns) / CLOCK_NS_PER_MS;
}

static void await_commit_under_way(void)
{
    store_fixture_await("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
}

static void await_standby_waiter(void)
{
    store_fixture_await("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
}

static void fill(const char *last_customer)
{
    store_fixture_add_many(&batch, &sale_id, "c", BATCH - 1);
    store_fixture_add(&batch, &sale_id, last_customer, "key", 1);
}

/* On a healthy connection afterwards: every order is there once, and says so. */
static void retry_healthy(enum verdict expected)
{
    struct store_fixture_worker healthy;

    store_fixture_worker_start(&healthy);
    store_fixture_place(&healthy, &sale_id, &batch);
    store_fixture_expect(&batch, expected);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    store_fixture_worker_fini(&healthy);
}

static int64_t patience_ms(void)
{
    return bounds.decision_ms + bounds.transaction_ms + STORE_FIXTURE_LATENESS_MS;
}

/* --- A silent network ---------------------------------------------------------------------------
 */

/* Nothing more is heard after COMMIT has left: the caller hears "unknown", and in time. */
static void commits_without_an_answer_are_unknown_within_the_deadline(void **state)
{
    struct job job;
    (void)state;

    fill("slow");
    start_placing(&job);
    await_commit_under_way();
    proxy_set_black_hole(proxy, true);
    int64_t took_ms = finish(&job);
    store_fixture_expect(&batch, VERDICT_OUTCOME_UNKNOWN);
    assert_true(took_ms >= bounds.transaction_ms && took_ms < patience_ms());
    proxy_set_black_hole(proxy, false);
    retry_healthy(VERDICT_REPLAYED);
}

/* The network comes back while the batch is still asked about: the orders are found. */
static void commits_without_an_answer_are_found_when_the_network_returns(void **state)
{
    const struct timespec until_given_up = {.tv_sec = bounds.transaction_ms / 1000};
    struct job job;
    (void)state;

    fill("slow");
    start_placing(&job);
    await_commit_under_way();
    proxy_set_black_hole(proxy, true);
    store_fixture_await("SELECT count(*) = %d FROM orders WHERE sale_id = '%s'", BATCH,
                        store_fixture_text(&sale_id));
    nanosleep(&until_given_up, NULL);
    proxy_set_black_hole(proxy, false);
    proxy_drop(proxy);
    finish(&job);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    retry_healthy(VERDICT_REPLAYED);
}

/* Dropped, not silent, with the COMMIT under way: the retry waits for its lock and then knows. */
static void commits_that_end_after_their_connection_are_waited_for(void **state)
{
    struct job job;
    (void)state;

    fill("slow");
    start_placing(&job);
    await_commit_under_way();
    proxy_drop(proxy);
    finish(&job);
    /* The server may end the transaction when it notices the loss, or commit before it does. */
    size_t known =
        store_fixture_count(&batch, VERDICT_PLACED) + store_fixture_count(&batch, VERDICT_REPLAYED);
    assert_int_equal(known, BATCH);
    store_fixture_compare(&sale_id, &batch);
    retry_healthy(VERDICT_REPLAYED);
}

/* The silence begins before COMMIT: nothing was done, and the caller may know. */
static void commits_never_sent_into_a_silent_network_are_refused(void **state)
{
    struct pg_conn *holder = store_fixture_connect();
    struct job job;
    (void)state;

    fill("c");
    store_fixture_run(holder, "BEGIN; SELECT FROM sales WHERE sale_id = '%s' FOR UPDATE",
                      store_fixture_text(&sale_id));
    start_placing(&job);
    store_fixture_await_lock_waiter();
    proxy_set_black_hole(proxy, true);
    store_fixture_run(holder, "ROLLBACK");
    finish(&job);
    assert_int_equal(store_fixture_count(&batch, VERDICT_OVERLOADED) +
                         store_fixture_count(&batch, VERDICT_DATABASE_UNAVAILABLE),
                     BATCH);
    store_fixture_compare(&sale_id, &batch);
    proxy_set_black_hole(proxy, false);
    retry_healthy(VERDICT_PLACED);
    PQfinish(holder);
}

/* --- A commit that is rolled back --------------------------------------------------------------*/

/* COMMIT itself may be refused; the class of the error says that nothing was done. */
static void commits_refused_by_a_deferred_constraint_are_rolled_back(void **state)
{
    (void)state;
    store_fixture_admin("CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$BEGIN RAISE 'refused' USING ERRCODE = '23514'; END$$;"
                        "CREATE CONSTRAINT TRIGGER late_refusal AFTER INSERT ON orders "
                        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                        "WHEN (NEW.customer_id = 'late') EXECUTE FUNCTION refuse_at_commit()");
    fill("late");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, BATCH - 1, VERDICT_INTERNAL);
    assert_int_equal(store_fixture_count(&batch, VERDICT_PLACED), BATCH - 1);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    assert_int_equal(worker.connected_count, 1);
    store_fixture_admin("DROP FUNCTION refuse_at_commit CASCADE");
}

/* Any other class proves nothing (a distributed engine may say it after it has committed). */
static void commits_refused_for_another_reason_are_unknown(void **state)
{
    (void)state;
    store_fixture_admin("CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$BEGIN RAISE 'refused' USING ERRCODE = '58030'; END$$;"
                        "CREATE CONSTRAINT TRIGGER late_refusal AFTER INSERT ON orders "
                        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                        "WHEN (NEW.customer_id = 'late') EXECUTE FUNCTION refuse_at_commit()");
    fill("late");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_OUTCOME_UNKNOWN);
    store_fixture_admin("DROP FUNCTION refuse_at_commit CASCADE");
    retry_healthy(VERDICT_PLACED);
}

/* A deadlock found at COMMIT is the database's to undo and ours to repeat. */
static void commits_undone_by_the_database_are_repeated(void **state)
{
    (void)state;
    store_fixture_admin("CREATE SEQUENCE attempts; GRANT ALL ON SEQUENCE attempts TO stampede;"
                        "CREATE FUNCTION undo_first() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$BEGIN IF nextval('attempts') = 1 THEN "
                        "RAISE 'undone' USING ERRCODE = '40P01'; END IF; RETURN NULL; END$$;"
                        "CREATE CONSTRAINT TRIGGER undone AFTER INSERT ON orders "
                        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
                        "WHEN (NEW.customer_id = 'undone') EXECUTE FUNCTION undo_first()");
    fill("undone");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    assert_int_equal(worker.rollback_count, 1);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    store_fixture_admin("DROP FUNCTION undo_first CASCADE; DROP SEQUENCE attempts");
}

/* --- A synchronous standby that is not there ----------------------------------------------------
 */

/* Whether a transaction that writes waits for the standby; lets it end in either case. */
static bool waits_for_standby(struct pg_conn *writer)
{
    const struct timespec pause = {.tv_nsec = 2 * CLOCK_NS_PER_MS};
    bool waits = false;

    assert_true(PQsendQuery(writer, "UPDATE schema_version SET version = version"));
    while (!waits && PQconsumeInput(writer) && PQisBusy(writer)) {
        waits = store_fixture_number("SELECT count(*) FROM pg_stat_activity "
                                     "WHERE pid = %d AND wait_event = 'SyncRep'",
                                     PQbackendPID(writer)) > 0;
        nanosleep(&pause, NULL);
    }
    if (waits) {
        store_fixture_admin("SELECT pg_cancel_backend(%d)", PQbackendPID(writer));
    }
    for (PGresult *result; (result = PQgetResult(writer)) != NULL;) {
        PQclear(result);
    }
    return waits;
}

/* Sessions see the setting before the checkpointer, which puts it in force, has heard of it. */
static void demand_standby(void)
{
    struct pg_conn *writer = store_fixture_connect();
    store_fixture_admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    store_fixture_admin("SELECT pg_reload_conf()");
    while (!waits_for_standby(writer)) {
    }
    PQfinish(writer);
}

/* The server says COMMIT, with a warning that the standby may not have it: that is no yes. */
static void commits_with_a_warning_are_not_acknowledged(void **state)
{
    struct job job;
    (void)state;

    fill("c");
    demand_standby();
    start_placing(&job);
    await_standby_waiter();
    store_fixture_admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                        "WHERE wait_event = 'SyncRep'");
    int64_t took_ms = finish(&job);
    store_fixture_expect(&batch, VERDICT_OUTCOME_UNKNOWN);
    assert_true(took_ms < patience_ms());
    assert_true(worker.warning_count > 0);
    release_commits();
    retry_healthy(VERDICT_REPLAYED);
}

/* The standby returns while the batch is asked about: found, and acknowledged by then. */
static void commits_with_a_warning_are_replayed_once_the_standby_is_back(void **state)
{
    struct job job;
    (void)state;

    fill("c");
    demand_standby();
    start_placing(&job);
    await_standby_waiter();
    store_fixture_admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                        "WHERE wait_event = 'SyncRep'");
    release_commits();
    finish(&job);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    assert_true(worker.connected_count >= 2);
    retry_healthy(VERDICT_REPLAYED);
}

/* Rule A5: whoever finds an order must wait for the standby like the one who placed it. */
static void commits_of_replays_wait_for_the_standby_too(void **state)
{
    struct job job;
    (void)state;

    fill("c");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    demand_standby();
    start_placing(&job);
    await_standby_waiter();
    finish(&job);
    store_fixture_expect(&batch, VERDICT_OUTCOME_UNKNOWN);
    release_commits();
    retry_healthy(VERDICT_REPLAYED);
}

/* --- Creations ---------------------------------------------------------------------------------*/

struct creation {
    struct job job;
    struct create_sale_request request;
    enum verdict verdict;
    struct store_sale sale;
};

static void *create(void *data)
{
    struct creation *creation = data;
    struct violations violations;

    creation->job.begun_ns = clock_monotonic_ns();
    creation->verdict = create_sale_run(&worker.creating, &creation->request,
                                        clock_deadline_in_ms(bounds.decision_ms), &worker.arena,
                                        &creation->sale, &violations);
    creation->job.ended_ns = clock_monotonic_ns();
    return NULL;
}

static void start_creating(struct creation *creation, const char *key, const char *sku)
{
    *creation = (struct creation){
        .request = {.key = key, .key_length = strlen(key), .draft = store_fixture_draft()}};
    creation->request.draft.sku = sku;
    creation->request.draft.end_us = INT64_C(4000000000000000);
    assert_int_equal(pthread_create(&creation->job.thread, NULL, create, creation), 0);
}

/* Rule B7: a creation whose answer is lost is found by its key, on a new connection. */
static void commits_of_creations_without_an_answer_are_found_again(void **state)
{
    struct creation creation;
    (void)state;

    start_creating(&creation, "lost", "slow");
    await_commit_under_way();
    proxy_drop(proxy);
    finish(&creation.job);
    assert_true(creation.verdict == VERDICT_REPLAYED || creation.verdict == VERDICT_PLACED);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM sales WHERE sku = 'slow'"), 1);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM sale_creations "
                                          "WHERE idempotency_key = 'lost' AND sale_id = '%s'",
                                          store_fixture_text(&creation.sale.sale.sale_id)),
                     1);
}

/* Rules A5 and B7: a sale that a failover could still undo is not acknowledged as made before. */
static void commits_of_replayed_creations_wait_for_the_standby_too(void **state)
{
    struct creation creation;
    (void)state;

    start_creating(&creation, "standby", "sku");
    finish(&creation.job);
    assert_int_equal(creation.verdict, VERDICT_PLACED);
    demand_standby();
    start_creating(&creation, "standby", "sku");
    finish(&creation.job);
    assert_int_equal(creation.verdict, VERDICT_OUTCOME_UNKNOWN);
    release_commits();
    assert_true(store_fixture_worker_connect(&worker));
    start_creating(&creation, "standby", "sku");
    finish(&creation.job);
    assert_int_equal(creation.verdict, VERDICT_REPLAYED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commits_without_an_answer_are_unknown_within_the_deadline),
        TEST(commits_without_an_answer_are_found_when_the_network_returns),
        TEST(commits_that_end_after_their_connection_are_waited_for),
        TEST(commits_never_sent_into_a_silent_network_are_refused),
        TEST(commits_refused_by_a_deferred_constraint_are_rolled_back),
        TEST(commits_refused_for_another_reason_are_unknown),
        TEST(commits_undone_by_the_database_are_repeated),
        TEST(commits_with_a_warning_are_not_acknowledged),
        TEST(commits_with_a_warning_are_replayed_once_the_standby_is_back),
        TEST(commits_of_replays_wait_for_the_standby_too),
        TEST(commits_of_creations_without_an_answer_are_found_again),
        TEST(commits_of_replayed_creations_wait_for_the_standby_too),
    };
    return cmocka_run_group_tests(tests, start, store_fixture_stop);
}
