#include "../../../../services/orders/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define URL "DATABASE_URL=postgresql:///shop"

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
    assert_int_equal(LOAD(URL), CONFIG_RUN);
    assert_int_equal(settings.pool_size, 5);
    assert_int_equal(settings.queue_max, 20000);
    assert_int_equal(settings.slow_wait_ms, 250);
    assert_null(settings.admin_token);
}

/* A queue that cannot keep the connections at work is a mistake, found before it costs sales. */
static void settings_queue_below_the_pool_is_refused(void **state)
{
    (void)state;
    assert_int_equal(LOAD(URL, "ORDERS_POOL_SIZE=10", "ORDERS_QUEUE_MAX=19"), CONFIG_REFUSED);
    assert_says("ORDERS_QUEUE_MAX=19 (environment)");
    assert_says("must be at least twice ORDERS_POOL_SIZE (10)");
    tear_down(state);
    assert_int_equal(LOAD(URL, "ORDERS_POOL_SIZE=10", "ORDERS_QUEUE_MAX=20"), CONFIG_RUN);
}

/* Two listeners cannot share an address; free ports are not the same one. */
static void settings_one_address_for_both_listeners_is_refused(void **state)
{
    (void)state;
    assert_int_equal(LOAD(URL, "ORDERS_OPS_ADDR=127.0.0.1:50051"), CONFIG_REFUSED);
    assert_says("ORDERS_OPS_ADDR=127.0.0.1:50051 (environment)");
    tear_down(state);
    assert_int_equal(LOAD(URL, "ORDERS_OPS_ADDR=127.0.0.1:0", "ORDERS_GRPC_ADDR=127.0.0.1:0"),
                     CONFIG_RUN);
}

/* Whoever sets up a machine wants the whole list, not one mistake a restart. */
static void settings_all_problems_are_told_at_once(void **state)
{
    (void)state;
    assert_int_equal(LOAD("ORDERS_SLOW_WAIT=9", "ORDERS_SLOW_WAIT_MS=0", "ORDERS_POOL_SIZE=five"),
                     CONFIG_REFUSED);
    assert_says("DATABASE_URL (not set)");
    assert_says("did you mean ORDERS_SLOW_WAIT_MS?");
    assert_says("ORDERS_SLOW_WAIT_MS=0 (environment)");
    assert_says("ORDERS_POOL_SIZE=five (environment)");
    tear_down(state);
    assert_int_equal(LOAD(URL, "ORDERS_QUEUE_MAX=9", "ORDERS_OPS_ADDR=127.0.0.1:50051"),
                     CONFIG_REFUSED);
    assert_says("ORDERS_QUEUE_MAX=9");
    assert_says("ORDERS_OPS_ADDR=127.0.0.1:50051");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(settings_defaults_go_together, tear_down),
        cmocka_unit_test_teardown(settings_queue_below_the_pool_is_refused, tear_down),
        cmocka_unit_test_teardown(settings_one_address_for_both_listeners_is_refused, tear_down),
        cmocka_unit_test_teardown(settings_all_problems_are_told_at_once, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
