#include "../../../../services/edge/settings.h"

#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static char *errors;
static struct settings settings;
static struct config *config;

static int tear_down(void **state)
{
    (void)state;
    config_destroy(config);
    config = NULL;
    free(errors);
    errors = NULL;
    return 0;
}

/* Loads NULL-ended variables; what was printed as problems is in errors. */
static enum config_verdict load(const char *const *variables)
{
    char *arguments[] = {(char *)(uintptr_t)SETTINGS_PROGRAM, NULL};
    size_t length;
    FILE *problems = open_memstream(&errors, &length);
    assert_non_null(problems);
    const struct config_source source = {
        .argc = 1,
        .argv = arguments,
        .environment = (char *const *)(uintptr_t)variables,
        .out = stdout,
        .err = problems,
    };
    enum config_verdict verdict = config_load(&settings_program, &source, &settings, &config);
    fclose(problems);
    return verdict;
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

static void assert_says(const char *text)
{
    if (strstr(errors, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", text, errors);
    }
}

/* What is documented is what is in force where nothing is set. */
static void settings_defaults_go_together(void **state)
{
    (void)state;
    assert_int_equal(LOAD("HOME=/"), CONFIG_RUN);
    assert_int_equal(settings.connections_max, 16384);
    assert_int_equal(settings.request_timeout_ms, 10000);
    assert_false(settings.speaks_http2);
}

/* A request must not be given up while the call that does its work may still succeed. */
static void settings_timeout_below_a_calls_life_is_refused(void **state)
{
    char timeout[64];
    (void)state;
    snprintf(timeout, sizeof(timeout), "EDGE_REQUEST_TIMEOUT_MS=%d", (int)EDGE_CALL_LIFE_MS - 1);
    assert_int_equal(LOAD(timeout), CONFIG_REFUSED);
    assert_says("EDGE_REQUEST_TIMEOUT_MS=");
    tear_down(state);
    snprintf(timeout, sizeof(timeout), "EDGE_REQUEST_TIMEOUT_MS=%d", (int)EDGE_CALL_LIFE_MS);
    assert_int_equal(LOAD(timeout), CONFIG_RUN);
}

/* Each mistake by itself would start a program that cannot work; all of them are told at once. */
static void settings_that_cannot_go_together_are_refused(void **state)
{
    (void)state;
    assert_int_equal(LOAD("EDGE_LOOPS=4", "EDGE_CONNECTIONS_MAX=3", "EDGE_OPS_ADDR=127.0.0.1:8080",
                          "EDGE_ORDERS_TARGET=127.0.0.1:8080"),
                     CONFIG_REFUSED);
    assert_says("EDGE_CONNECTIONS_MAX=3 (environment)");
    assert_says("must be at least EDGE_LOOPS (4)");
    assert_says("EDGE_OPS_ADDR=127.0.0.1:8080 (environment)");
    assert_says("EDGE_ORDERS_TARGET=127.0.0.1:8080 (environment)");
    tear_down(state);
    assert_int_equal(LOAD("EDGE_LOOPS=4", "EDGE_CONNECTIONS_MAX=4", "EDGE_OPS_ADDR=127.0.0.1:0",
                          "EDGE_HTTP_ADDR=127.0.0.1:0"),
                     CONFIG_RUN);
}

/* A typing error must not leave the default in force. */
static void settings_unknown_name_is_refused_with_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(LOAD("EDGE_LOOP=4", "ORDERS_POOL_SIZ=5"), CONFIG_REFUSED);
    assert_says("did you mean EDGE_LOOPS?");
    assert_null(strstr(errors, "ORDERS_POOL_SIZ")); /* another program's business */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(settings_defaults_go_together, tear_down),
        cmocka_unit_test_teardown(settings_timeout_below_a_calls_life_is_refused, tear_down),
        cmocka_unit_test_teardown(settings_that_cannot_go_together_are_refused, tear_down),
        cmocka_unit_test_teardown(settings_unknown_name_is_refused_with_the_nearest, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
