/*
 * When a store may not connect, what its observer hears of it, and that it comes back by itself
 * once the reason is gone.
 */
#include "store_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* How long a store is watched not connecting, and how often, for the last of its attempts may be
 * ended by the deadline before it hears the reason. */
#define REFUSED_MS     250
#define REFUSED_ROUNDS 400

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct uuid sale_id;

/* A worker that is not connected, a sale and a batch for it. */
static int set_up(void **state)
{
    (void)state;
    store_fixture_worker_init(&worker, store_fixture_server()->service_url, &store_fixture_long);
    sale_id = store_fixture_sale(100, 0, 0);
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    return 0;
}

/* Fails unless the store does not connect for this reason. */
static void expect_reason(const char *kind)
{
    for (int i = 0; i < REFUSED_ROUNDS && strcmp(worker.kind, kind) != 0; i++) {
        assert_false(
            worker.store.wait_connected(worker.store.data, clock_deadline_in_ms(REFUSED_MS)));
    }
    assert_false(worker.store.is_connected(worker.store.data));
    assert_string_equal(worker.kind, kind);
}

/* The same of a store that never was connected. */
static void expect_refused(const char *kind)
{
    expect_reason(kind);
    assert_int_equal(worker.connected_count, 0);
}

static void expect_recovery(void)
{
    assert_true(store_fixture_worker_connect(&worker));
    assert_true(worker.store.is_connected(worker.store.data));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

static void set_schema(int version, int compatible_from)
{
    store_fixture_admin("UPDATE schema_version SET version = %d, compatible_from = %d", version,
                        compatible_from);
}

static void restore_schema(void)
{
    set_schema(STORE_POSTGRES_SCHEMA_VERSION, 1);
}

/* --- The schema ---------------------------------------------------------------------------------
 */

/* Migrations that were not run yet: the program waits, and says what it waits for. */
static void connecting_to_an_older_schema_is_refused_until_migrated(void **state)
{
    char expected[64];
    (void)state;

    set_schema(STORE_POSTGRES_SCHEMA_VERSION - 1, 1);
    expect_refused("schema_version");
    snprintf(expected, sizeof(expected), "version %d", STORE_POSTGRES_SCHEMA_VERSION - 1);
    assert_non_null(strstr(worker.message, expected));
    snprintf(expected, sizeof(expected), "needs %d", STORE_POSTGRES_SCHEMA_VERSION);
    assert_non_null(strstr(worker.message, expected));
    assert_non_null(strstr(worker.message, "migrations"));
    restore_schema();
    expect_recovery();
}

/* A schema that this program is too old for. */
static void connecting_to_a_schema_that_left_this_program_behind_is_refused(void **state)
{
    (void)state;
    set_schema(STORE_POSTGRES_SCHEMA_VERSION + 2, STORE_POSTGRES_SCHEMA_VERSION + 1);
    expect_refused("schema_version");
    restore_schema();
    expect_recovery();
}

/* A rolling upgrade migrates first: the old programs go on. */
static void connecting_to_a_newer_compatible_schema_works(void **state)
{
    (void)state;
    set_schema(STORE_POSTGRES_SCHEMA_VERSION + 5, STORE_POSTGRES_SCHEMA_VERSION);
    expect_recovery();
    restore_schema();
}

/* A database whose migrations broke off between their first statements. */
static void connecting_to_a_schema_without_a_version_is_refused(void **state)
{
    (void)state;
    store_fixture_admin("DELETE FROM schema_version");
    expect_refused("schema_version");
    store_fixture_admin("INSERT INTO schema_version (version, compatible_from) VALUES (%d, 1)",
                        STORE_POSTGRES_SCHEMA_VERSION);
    expect_recovery();
}

/* A fresh database: a clear refusal, not a crash. */
static void connecting_to_an_empty_database_is_refused(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES + 16];
    (void)state;

    store_fixture_admin("CREATE DATABASE blank");
    const char *service_url = store_fixture_server()->service_url;
    const char *name = strrchr(service_url, '/');
    snprintf(url, sizeof(url), "%.*s/blank", (int)(name - service_url), service_url);
    store_fixture_worker_fini(&worker);
    store_fixture_worker_init(&worker, url, &store_fixture_long);
    expect_refused("statement");
    assert_non_null(strstr(worker.history, "statement/42P01"));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_DATABASE_UNAVAILABLE);
    store_fixture_worker_fini(&worker);
    store_fixture_worker_init(&worker, service_url, &store_fixture_long);
    store_fixture_admin("DROP DATABASE blank WITH (FORCE)");
}

/* --- The server ---------------------------------------------------------------------------------
 */

/* A standby, or an operator's brake: not a server to sell on. */
static void connecting_to_a_read_only_server_is_refused(void **state)
{
    (void)state;
    store_fixture_admin("ALTER ROLE stampede SET default_transaction_read_only = on");
    expect_refused("read_only");
    store_fixture_admin("ALTER ROLE stampede RESET default_transaction_read_only");
    expect_recovery();
}

/* The server turns read-only under a connected store, as an old primary does. */
static void connecting_again_after_the_server_was_read_only_works(void **state)
{
    (void)state;
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_admin("ALTER SYSTEM SET default_transaction_read_only = on");
    store_fixture_admin("SELECT pg_reload_conf()");
    store_fixture_await("SELECT setting = 'on' FROM pg_settings "
                        "WHERE name = 'default_transaction_read_only'");
    enum verdict verdict;
    do { /* the other session takes note of it a moment later */
        store_fixture_clear(&batch);
        store_fixture_add_many(&batch, &sale_id, "d", 1);
        store_fixture_place(&worker, &sale_id, &batch);
        verdict = batch.items[0].verdict;
    } while (verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED);
    assert_int_equal(verdict, VERDICT_DATABASE_UNAVAILABLE);
    expect_reason("read_only");
    store_fixture_admin("SET default_transaction_read_only = off");
    store_fixture_admin("ALTER SYSTEM RESET default_transaction_read_only");
    store_fixture_admin("SELECT pg_reload_conf()");
    store_fixture_await("SELECT pg_sleep(0.1) IS NOT NULL");
    store_fixture_admin("RESET default_transaction_read_only");
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "e", 3);
    expect_recovery();
}

/* No slot is left: the store waits for one. */
static void connecting_when_there_are_too_many_waits_for_a_slot(void **state)
{
    (void)state;
    store_fixture_admin("ALTER ROLE stampede CONNECTION LIMIT 0");
    expect_refused("too_many");
    assert_non_null(strstr(worker.history, "too_many/53300"));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_DATABASE_UNAVAILABLE);
    store_fixture_admin("ALTER ROLE stampede CONNECTION LIMIT -1");
    expect_recovery();
}

/* A password that is not ours: told as what it is. */
static void connecting_with_a_wrong_password_is_refused(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES];
    (void)state;

    snprintf(url, sizeof(url), "postgresql://stampede:wrong@127.0.0.1:%d/stampede",
             scratch_postgres_port(store_fixture_server()));
    store_fixture_worker_fini(&worker);
    store_fixture_worker_init(&worker, url, &store_fixture_long);
    expect_refused("access");
    assert_null(strstr(worker.message, "wrong"));
    store_fixture_worker_fini(&worker);
    store_fixture_worker_init(&worker, store_fixture_server()->service_url, &store_fixture_long);
}

/* A right that was taken away is no answer about the order; nothing is placed, and it comes back.
 */
static void connecting_again_after_rights_were_missing_works(void **state)
{
    (void)state;
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_admin("REVOKE INSERT ON orders FROM stampede");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_DATABASE_UNAVAILABLE);
    assert_non_null(strstr(worker.history, "access/42501"));
    store_fixture_compare(&sale_id, &batch);
    store_fixture_admin("GRANT INSERT ON orders TO stampede");
    expect_recovery();
}

/* --- A server that is away ----------------------------------------------------------------------
 */

/* Every function answers soon and truly while there is nobody to ask. */
static void expect_unavailable(void)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation creation = {
        .key = "k", .key_length = 1, .sale_id = sale_id, .draft = &draft};
    enum store_creation_outcome outcome;
    struct placement_facts facts;
    struct store_sale_page page;
    struct store_order order;
    struct store_sale sale;
    bool known[1];
    const struct store *store = &worker.store;
    int64_t deadline_ns = clock_deadline_in_ms(120000);

    int64_t begun_ns = clock_monotonic_ns();
    assert_int_equal(store->load_placement(store->data, &sale_id, &batch.items[0].in, 1,
                                           deadline_ns, &worker.arena, &facts),
                     STORE_UNAVAILABLE);
    assert_int_equal(
        store->create_sale(store->data, &creation, deadline_ns, &worker.arena, &outcome, &sale),
        STORE_UNAVAILABLE);
    assert_int_equal(store->get_sale(store->data, &sale_id, deadline_ns, &worker.arena, &sale),
                     STORE_UNAVAILABLE);
    assert_int_equal(store->list_sales(store->data, NULL, 10, deadline_ns, &worker.arena, &page),
                     STORE_UNAVAILABLE);
    assert_int_equal(
        store->get_order(store->data, &sale_id, &sale_id, "c", deadline_ns, &worker.arena, &order),
        STORE_UNAVAILABLE);
    assert_int_equal(
        store->known_sales(store->data, &sale_id, 1, deadline_ns, &worker.arena, known),
        STORE_UNAVAILABLE);
    store->abandon(store->data, deadline_ns);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_DATABASE_UNAVAILABLE);
    /* Nine beginnings of work, each with its one quick attempt of a quarter of a second. */
    assert_true(clock_monotonic_ns() - begun_ns <
                (9 * 250 + STORE_FIXTURE_LATENESS_MS) * CLOCK_NS_PER_MS);
}

/* Stopped in order or killed: the store says so at once and is back when the server is. */
static void connecting_again_after_the_server_was_away_works(void **state)
{
    (void)state;
    assert_true(store_fixture_worker_connect(&worker));
    assert_int_equal(scratch_postgres_kill(store_fixture_server()), 0);
    expect_unavailable();
    assert_false(worker.store.is_connected(worker.store.data));
    assert_int_equal(scratch_postgres_restart(store_fixture_server()), 0);
    store_fixture_reconnect_admin();
    expect_recovery();
    assert_int_equal(scratch_postgres_halt(store_fixture_server()), 0);
    expect_unavailable();
    assert_int_equal(scratch_postgres_restart(store_fixture_server()), 0);
    store_fixture_reconnect_admin();
    assert_true(store_fixture_worker_connect(&worker));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_REPLAYED); /* what was acknowledged outlives both */
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* Attempts to connect get rarer; a server that starts is not stormed. */
static void connecting_in_vain_backs_off(void **state)
{
    (void)state;
    store_fixture_admin("ALTER ROLE stampede CONNECTION LIMIT 0");
    int64_t begun_ns = clock_monotonic_ns();
    while (worker.error_count < 5) { /* 50, 100, 200, 400, 800 ms at most, and */
        assert_false(worker.store.wait_connected(worker.store.data, clock_deadline_in_ms(1500)));
    }
    /* half of each at least lies between two of them. */
    assert_true(worker.error_count <= 8);
    assert_true(clock_monotonic_ns() - begun_ns >= (25 + 50 + 100 + 200) * CLOCK_NS_PER_MS);
    store_fixture_admin("ALTER ROLE stampede CONNECTION LIMIT -1");
    expect_recovery();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connecting_to_an_older_schema_is_refused_until_migrated),
        TEST(connecting_to_a_schema_that_left_this_program_behind_is_refused),
        TEST(connecting_to_a_newer_compatible_schema_works),
        TEST(connecting_to_a_schema_without_a_version_is_refused),
        TEST(connecting_to_an_empty_database_is_refused),
        TEST(connecting_to_a_read_only_server_is_refused),
        TEST(connecting_again_after_the_server_was_read_only_works),
        TEST(connecting_when_there_are_too_many_waits_for_a_slot),
        TEST(connecting_with_a_wrong_password_is_refused),
        TEST(connecting_again_after_rights_were_missing_works),
        TEST(connecting_again_after_the_server_was_away_works),
        TEST(connecting_in_vain_backs_off),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
