/* What a session demands of its server, who may and who may not change it, and who gets in. */
#include "session_fixture.h"

#include "base/arena.h"
#include "postgres/params.h"
#include "postgres/row.h"
#include "support/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct scratch_postgres server;
static struct session_config config;
static struct session session;

static int start(void **state)
{
    (void)state;
    session_fixture_start_server(&server, true);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    scratch_postgres_stop(&server);
    return 0;
}

static int init(void **state)
{
    (void)state;
    config = session_fixture_config(server.service_url);
    session_init(&session, &config);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    session_fini(&session);
    session_fixture_admin(&server, "ALTER ROLE stampede RESET ALL");
    session_fixture_admin(&server, "ALTER ROLE stampede CONNECTION LIMIT -1");
    return 0;
}

static void assert_setting(const char *name, const char *expected)
{
    static const struct statement show = {.name = "show",
                                          .sql = "SELECT pg_catalog.current_setting($1)",
                                          .parameter_count = 1,
                                          .parameter_types = {SQL_TYPE_TEXT}};
    struct session_result result;
    struct arena arena;
    struct params params;
    struct row row;

    arena_init(&arena, 256, 256);
    params_init(&params, &arena);
    params_add_text(&params, name, strlen(name));
    assert_int_equal(session_exec(&session, &show, &params, session_fixture_deadline(), &result),
                     DB_OK);
    row_init(&row, &result, 0);
    struct sql_text value = row_text(&row, 0);
    char found[64];
    snprintf(found, sizeof(found), "%.*s", (int)value.length, value.bytes);
    session_result_fini(&result);
    arena_fini(&arena);
    assert_string_equal(found, expected);
}

/* Rule A6, asked of the server itself rather than of our own check. */
static void settings_of_an_open_session_are_in_force(void **state)
{
    static const char *const expected[][2] = {
        {"synchronous_commit", "on"},
        {"lock_timeout", "2s"},
        {"statement_timeout", "10s"},
        {"idle_in_transaction_session_timeout", "10s"},
        {"client_connection_check_interval", "500ms"},
        {"plan_cache_mode", "force_generic_plan"},
        {"enable_seqscan", "off"},
        {"jit", "off"},
        {"TimeZone", "UTC"},
        {"client_encoding", "UTF8"},
        {"application_name", "session_test"},
        {"tcp_keepalives_idle", "5"},
        {"tcp_user_timeout", "10000"},
    };
    (void)state;

    session_fixture_open(&session);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_setting(expected[i][0], expected[i][1]);
    }
    assert_false(session_is_read_only(&session));
}

/* A well-meant ALTER ROLE or an option in DATABASE_URL does not weaken durability. */
static void settings_of_role_and_url_do_not_override_ours(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES + 128];
    (void)state;

    session_fixture_admin(&server, "ALTER ROLE stampede SET synchronous_commit = off");
    session_fixture_admin(&server, "ALTER ROLE stampede SET enable_seqscan = on");
    session_fixture_admin(&server, "ALTER ROLE stampede SET work_mem = '3MB'");
    snprintf(url, sizeof(url), "%s?options=-c%%20synchronous_commit%%3Doff%%20-c%%20geqo%%3Doff",
             server.service_url);
    config.conninfo = url;
    config.extra_options = "-c lock_timeout=0";
    session_fixture_open(&session);
    assert_setting("synchronous_commit", "on");
    assert_setting("enable_seqscan", "off");
    assert_setting("lock_timeout", "2s");
    assert_setting("geqo", "off");
    assert_setting("work_mem", "3MB");
}

/* Something in between that changes what we demand must stop the program, with its name in the
 * words. */
static void settings_changed_on_the_way_are_refused_by_name(void **state)
{
    static const struct {
        const char *from, *to, *message;
    } changes[] = {
        {"synchronous_commit=on", "synchronous_commit=no",
         "setting synchronous_commit must be on for this session but is off"},
        {"lock_timeout=2000", "lock_timeout=2001",
         "setting lock_timeout must be 2000 for this session but is 2001"},
        {"enable_seqscan=off", "enable_seqscan=yes",
         "setting enable_seqscan must be off for this session but is on"},
        {"-c jit=off", "-c jit=yes", "setting jit must be off for this session but is on"},
    };
    struct proxy *proxy;
    char url[SCRATCH_POSTGRES_URL_BYTES];
    (void)state;

    assert_int_equal(proxy_create(scratch_postgres_port(&server), &proxy), 0);
    scratch_postgres_url_with_port(server.service_url, proxy_port(proxy), url);
    config.conninfo = url;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        proxy_replace(proxy, PROXY_TO_SERVER, changes[i].from, changes[i].to);
        assert_int_equal(session_open(&session, session_fixture_deadline()), DB_CONFIG);
        assert_non_null(strstr(session_error(&session)->message, changes[i].message));
        assert_int_equal(session_state(&session), SESSION_CLOSED);
    }
    proxy_replace(proxy, PROXY_TO_SERVER, NULL, NULL);
    session_fixture_open(&session);
    session_close(&session);
    proxy_destroy(proxy);
}

/* A promoted standby's old primary, or a maintenance switch: workers that write must not settle
 * there. */
static void settings_of_a_read_only_server_are_told_or_refused(void **state)
{
    (void)state;
    session_fixture_admin(&server, "ALTER ROLE stampede SET default_transaction_read_only = on");
    session_fixture_open(&session);
    assert_true(session_is_read_only(&session));
    session_close(&session);
    config.must_be_writable = true;
    assert_int_equal(session_open(&session, session_fixture_deadline()), DB_READ_ONLY);
    session_fixture_admin(&server, "ALTER ROLE stampede RESET default_transaction_read_only");
    session_fixture_open(&session);
    assert_false(session_is_read_only(&session));
}

static void assert_refused(const char *url, enum db_status status, const char *sqlstate)
{
    config.conninfo = url;
    enum db_status found = session_open(&session, session_fixture_deadline());
    if (found != status) {
        fail_msg("%s instead of %s: %s", sqlstate_status_label(found),
                 sqlstate_status_label(status), session_error(&session)->message);
    }
    assert_string_equal(session_error(&session)->sqlstate, sqlstate);
    assert_true(strlen(session_error(&session)->message) > 0);
    assert_null(strstr(session_error(&session)->message, "LOCATION"));
    assert_null(strstr(session_error(&session)->message, "geheim"));
}

/* What an operator must tell apart when the program does not start; libpq hides these codes. */
static void settings_open_that_the_server_refuses_has_its_sqlstate(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES];
    int port = scratch_postgres_port(&server);
    (void)state;

    snprintf(url, sizeof(url), "postgresql://stampede:geheim@127.0.0.1:%d/stampede", port);
    assert_refused(url, DB_ACCESS, "28P01");
    snprintf(url, sizeof(url), "postgresql://stampede@127.0.0.1:%d/stampede?passfile=/nonexistent",
             port);
    assert_refused(url, DB_ACCESS, "");
    session_fixture_admin(&server, "ALTER ROLE stampede CONNECTION LIMIT 0");
    assert_refused(server.service_url, DB_TOO_MANY, "53300");
    session_fixture_admin(&server, "ALTER ROLE stampede CONNECTION LIMIT -1");
    config.extra_options = "-c no_such_setting=1";
    assert_refused(server.service_url, DB_STATEMENT, "42704");
    config.extra_options = NULL;
    assert_refused("postgresql://u:geheim@[::1/x", DB_CONFIG, "");
    assert_refused("geheim", DB_CONFIG, "");
}

/* A database that is not there is another matter than a server that is not there. */
static void settings_open_of_a_missing_database_is_an_access_error(void **state)
{
    char url[SCRATCH_POSTGRES_URL_BYTES];
    (void)state;

    size_t length = strlen(server.service_url) - strlen("stampede");
    snprintf(url, sizeof(url), "%.*smissing", (int)length, server.service_url);
    assert_refused(url, DB_ACCESS, "3D000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_of_an_open_session_are_in_force),
        TEST(settings_of_role_and_url_do_not_override_ours),
        TEST(settings_changed_on_the_way_are_refused_by_name),
        TEST(settings_of_a_read_only_server_are_told_or_refused),
        TEST(settings_open_that_the_server_refuses_has_its_sqlstate),
        TEST(settings_open_of_a_missing_database_is_an_access_error),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
