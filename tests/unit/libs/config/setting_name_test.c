#include "config/setting_name.h"

#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static const struct config_setting settings[] = {
    {.name = "ORDERS_POOL_SIZE"}, {.name = "ORDERS_QUEUE_MAX"}, {.name = "ORDERS_GRPC_ADDR"},
    {.name = "ORDERS_OPS_ADDR"},  {.name = "LOG_LEVEL"},
};

static const char *nearest(const char *name)
{
    return setting_name_nearest(name, settings, COUNT_OF(settings));
}

/* A service named "orders" in the same namespace must not keep the program from starting. */
static void setting_name_is_injected_kubernetes_names_are(void **state)
{
    static const char *const names[] = {"ORDERS_SERVICE_HOST",
                                        "ORDERS_SERVICE_PORT",
                                        "ORDERS_SERVICE_PORT_GRPC",
                                        "ORDERS_PORT",
                                        "ORDERS_PORT_50051_TCP",
                                        "ORDERS_PORT_50051_TCP_ADDR",
                                        "ORDERS_PORT_50051_TCP_PORT",
                                        "ORDERS_OPS_PORT",
                                        "ORDERS_OPS_PORT_9102_TCP_PROTO",
                                        "EDGE_SERVICE_PORT_HTTP",
                                        "ORDERS_PORT_X_PORT_1_TCP"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_true(setting_name_is_injected(names[i]));
    }
}

/* A mistyped setting must not slip through as one of them. */
static void setting_name_is_injected_other_names_are_not(void **state)
{
    static const char *const names[] = {
        "ORDERS_POOL_SIZE",   "ORDERS_PORTS",       "ORDERS_PORT_TCP",      "ORDERS_PORT_50051",
        "ORDERS_PORT_50051_", "ORDERS_PORT_5x_TCP", "ORDERS_SERVICE_HOSTS", "_PORT",
        "ORDERS_SUPPORT",     "ORDERS_EXPORT_1_A",  "ORDERS_SERVICE"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_false(setting_name_is_injected(names[i]));
    }
}

/* One look at the message should be enough to mend the typing error. */
static void setting_name_nearest_typing_error_finds_it(void **state)
{
    (void)state;
    assert_string_equal(nearest("ORDERS_POLL_SIZE"), "ORDERS_POOL_SIZE");
    assert_string_equal(nearest("ORDERS_POOLSIZE"), "ORDERS_POOL_SIZE");
    assert_string_equal(nearest("ORDERS_QUEUE_MXA"), "ORDERS_QUEUE_MAX");
    assert_string_equal(nearest("ORDERS_OPS_ADDRESS"), "ORDERS_OPS_ADDR");
    assert_string_equal(nearest("ORDERS_LOG_LEVEL"), "LOG_LEVEL");
}

/* A wild guess would mislead. */
static void setting_name_nearest_nothing_near_gives_null(void **state)
{
    static char longest[2000];
    (void)state;
    assert_null(nearest("ORDERS_X"));
    memset(longest, 'A', sizeof(longest) - 1);
    assert_null(nearest(longest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_name_is_injected_kubernetes_names_are),
        cmocka_unit_test(setting_name_is_injected_other_names_are_not),
        cmocka_unit_test(setting_name_nearest_typing_error_finds_it),
        cmocka_unit_test(setting_name_nearest_nothing_near_gives_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
