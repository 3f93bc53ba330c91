/* What the C core has to say reaches the hook, and only that. */
#include "rpc/core.h"

#include "loopback.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

static void count_log(const char *text, void *data)
{
    assert_non_null(text);
    atomic_fetch_add((atomic_uint *)data, 1);
}

/* The core would write to standard error; a program's log is its own. */
static void core_errors_reach_the_hook(void **state)
{
    (void)state;
    atomic_uint errors = 0;
    rpc_core_on_log(count_log, &errors);
    struct rpc_server_config config = loopback_server_config();
    int port = 0, unused = 0;
    struct rpc_server *first = loopback_serve(&config, loopback_echo, NULL, &port);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    config.address = address;
    struct rpc_server *second = NULL;
    assert_int_equal(rpc_server_create(&config, &second), 0);
    assert_int_equal(rpc_server_start(second, &unused), -EADDRINUSE);
    rpc_server_destroy(second);
    loopback_end(first);
    assert_true(atomic_load(&errors) > 0);
    rpc_core_on_log(NULL, NULL);
}

/* Whoever comes first starts it, and there is no other way to say so twice. */
static void core_started_twice_is_started_once(void **state)
{
    (void)state;
    rpc_core_start();
    rpc_core_start();
    struct rpc_channel *channel = loopback_connect(1);
    assert_false(rpc_channel_is_ready(channel));
    rpc_channel_destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_errors_reach_the_hook),
        cmocka_unit_test(core_started_twice_is_started_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
