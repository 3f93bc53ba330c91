#include "postgres/conninfo.h"

#include "postgres/session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct session_config config_of(const char *text)
{
    return (struct session_config){.conninfo = text,
                                   .application_name = "conninfo_test",
                                   .lock_timeout_ms = 100,
                                   .statement_timeout_ms = 200,
                                   .idle_in_transaction_timeout_ms = 300,
                                   .tcp_user_timeout_ms = 400};
}

/* The value that libpq will get; fails when a keyword is there twice. */
static const char *value_of(const struct conninfo *conninfo, const char *keyword)
{
    const char *value = NULL;
    for (size_t i = 0; conninfo->keywords[i] != NULL; i++) {
        if (strcmp(conninfo->keywords[i], keyword) == 0) {
            assert_null(value);
            value = conninfo->values[i];
        }
    }
    return value;
}

/* Operators write either form; both must reach libpq whole. */
static void conninfo_init_of_both_forms_passes_everything_on(void **state)
{
    static const char *const forms[] = {
        "postgresql://shop:s%20cret@db.example:6543/sales?sslmode=require",
        "host=db.example port=6543 user=shop password='s cret' dbname=sales sslmode=require"};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct conninfo conninfo;
        struct session_config config = config_of(forms[i]);
        assert_int_equal(conninfo_init(&conninfo, &config, 0), 0);
        assert_string_equal(value_of(&conninfo, "host"), "db.example");
        assert_string_equal(value_of(&conninfo, "port"), "6543");
        assert_string_equal(value_of(&conninfo, "user"), "shop");
        assert_string_equal(value_of(&conninfo, "password"), "s cret");
        assert_string_equal(value_of(&conninfo, "dbname"), "sales");
        assert_string_equal(value_of(&conninfo, "sslmode"), "require");
        assert_string_equal(value_of(&conninfo, "client_encoding"), "UTF8");
        assert_string_equal(value_of(&conninfo, "tcp_user_timeout"), "400");
        assert_string_equal(value_of(&conninfo, "fallback_application_name"), "conninfo_test");
        conninfo_fini(&conninfo);
    }
}

/* Of equal options the server takes the last: theirs are kept, ours decide. */
static void conninfo_init_with_options_puts_ours_last(void **state)
{
    struct conninfo conninfo;
    struct session_config config =
        config_of("postgresql:///x?options=-c%20geqo%3Doff%20-c%20jit%3Don&client_encoding=LATIN1");
    (void)state;

    config.extra_options = "-c work_mem=1MB";
    assert_int_equal(conninfo_init(&conninfo, &config, 0), 0);
    const char *options = value_of(&conninfo, "options");
    const char *theirs = strstr(options, "-c jit=on"), *extra = strstr(options, "-c work_mem=1MB"),
               *ours = strstr(options, "-c jit=off");
    assert_true(strncmp(options, "-c geqo=off", 11) == 0);
    assert_true(theirs != NULL && extra > theirs && ours > extra);
    assert_non_null(strstr(options, "-c lock_timeout=100 "));
    assert_non_null(strstr(options, "-c statement_timeout=200 "));
    assert_non_null(strstr(options, "-c idle_in_transaction_session_timeout=300 "));
    assert_string_equal(value_of(&conninfo, "client_encoding"), "UTF8");
    conninfo_fini(&conninfo);
}

/* A server that has vanished behind a silent network is noticed by nothing but these. */
static void conninfo_init_without_keepalives_asks_for_ours(void **state)
{
    struct conninfo conninfo;
    struct session_config config = config_of("postgresql://db.example/sales");
    (void)state;

    assert_int_equal(conninfo_init(&conninfo, &config, 0), 0);
    assert_string_equal(value_of(&conninfo, "keepalives"), "1");
    assert_string_equal(value_of(&conninfo, "keepalives_idle"), "5");
    assert_string_equal(value_of(&conninfo, "keepalives_interval"), "2");
    assert_string_equal(value_of(&conninfo, "keepalives_count"), "3");
    assert_string_equal(value_of(&conninfo, "tcp_user_timeout"), "400");
    conninfo_fini(&conninfo);
}

/* Keepalives are ours only where the operator says nothing. */
static void conninfo_init_keeps_given_keepalives(void **state)
{
    struct conninfo conninfo;
    struct session_config config = config_of("keepalives_idle=77 tcp_user_timeout=8");
    (void)state;

    assert_int_equal(conninfo_init(&conninfo, &config, 0), 0);
    assert_string_equal(value_of(&conninfo, "keepalives_idle"), "77");
    assert_string_equal(value_of(&conninfo, "tcp_user_timeout"), "8");
    assert_string_equal(value_of(&conninfo, "keepalives_interval"), "2");
    conninfo_fini(&conninfo);
}

/* One silent host of several must not be tried first for ever. */
static void conninfo_init_with_offset_turns_the_hosts(void **state)
{
    static const struct {
        size_t offset;
        const char *hosts, *ports;
    } turns[] = {{0, "a,b,c", "1,2,3"},
                 {1, "b,c,a", "2,3,1"},
                 {2, "c,a,b", "3,1,2"},
                 {3, "a,b,c", "1,2,3"},
                 {7, "b,c,a", "2,3,1"}};
    struct session_config config =
        config_of("postgresql://a:1,b:2,c:3/x?target_session_attrs=read-write");
    (void)state;

    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        struct conninfo conninfo;
        assert_int_equal(conninfo_init(&conninfo, &config, turns[i].offset), 0);
        assert_string_equal(value_of(&conninfo, "host"), turns[i].hosts);
        assert_string_equal(value_of(&conninfo, "port"), turns[i].ports);
        assert_string_equal(value_of(&conninfo, "target_session_attrs"), "read-write");
        conninfo_fini(&conninfo);
    }
}

/* A single port stands for all hosts; empty elements keep their places. */
static void conninfo_init_with_offset_keeps_lone_ports_and_empty_hosts(void **state)
{
    struct conninfo conninfo;
    struct session_config config = config_of("host=a,,c port=5432 hostaddr=1.1.1.1,2.2.2.2,");
    (void)state;

    assert_int_equal(conninfo_init(&conninfo, &config, 1), 0);
    assert_string_equal(value_of(&conninfo, "host"), ",c,a");
    assert_string_equal(value_of(&conninfo, "hostaddr"), "2.2.2.2,,1.1.1.1");
    assert_string_equal(value_of(&conninfo, "port"), "5432");
    conninfo_fini(&conninfo);
}

/* A typing mistake in DATABASE_URL is an error of the operator, not of the program. */
static void conninfo_init_of_nonsense_is_refused(void **state)
{
    static const char *const nonsense[] = {"postgresql://a:b@[::1", "host", "no_such_keyword=1",
                                           "password='open"};
    struct conninfo conninfo;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        struct session_config config = config_of(nonsense[i]);
        assert_int_equal(conninfo_init(&conninfo, &config, 0), -EINVAL);
    }
}

/* Rooms are bounded, so long lists and options are refused rather than cut. */
static void conninfo_init_of_long_values_is_refused(void **state)
{
    char text[CONNINFO_OPTIONS_BYTES + 64] = "host=";
    struct conninfo conninfo;
    (void)state;

    memset(text + strlen("host="), 'h', CONNINFO_LIST_BYTES);
    struct session_config config = config_of(text);
    assert_int_equal(conninfo_init(&conninfo, &config, 0), -E2BIG);
    memset(text, 0, sizeof(text));
    strcpy(text, "options=");
    memset(text + strlen("options="), 'o', CONNINFO_OPTIONS_BYTES);
    assert_int_equal(conninfo_init(&conninfo, &config, 0), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conninfo_init_of_both_forms_passes_everything_on),
        cmocka_unit_test(conninfo_init_with_options_puts_ours_last),
        cmocka_unit_test(conninfo_init_without_keepalives_asks_for_ours),
        cmocka_unit_test(conninfo_init_keeps_given_keepalives),
        cmocka_unit_test(conninfo_init_with_offset_turns_the_hosts),
        cmocka_unit_test(conninfo_init_with_offset_keeps_lone_ports_and_empty_hosts),
        cmocka_unit_test(conninfo_init_of_nonsense_is_refused),
        cmocka_unit_test(conninfo_init_of_long_values_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
