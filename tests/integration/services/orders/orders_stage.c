#include "orders_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct orders_stage orders_stage;

void orders_stage_start_program(void)
{
    /* Waits that only a slow machine has are not told of: a test counts lines. */
    static const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN,
                                           "ORDERS_SLOW_WAIT_MS=60000", NULL};
    orders_process_start(&orders_stage.process, orders_stage.server.service_url, settings);
    orders_process_wait_ready(&orders_stage.process, true);
    orders_client_open(&orders_stage.admin, orders_stage.process.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_open(&orders_stage.public, orders_stage.process.grpc_port, NULL);
}

void orders_stage_close_clients(void)
{
    orders_client_close(&orders_stage.admin);
    orders_client_close(&orders_stage.public);
}

int orders_stage_start(void **state)
{
    (void)state;
    assert_int_equal(scratch_postgres_start(&orders_stage.server, true, false), 0);
    orders_stage_start_program();
    return 0;
}

int orders_stage_stop(void **state)
{
    (void)state;
    orders_calls_audit(orders_stage.server.admin_url);
    orders_stage_close_clients();
    orders_process_stop(&orders_stage.process);
    scratch_postgres_stop(&orders_stage.server);
    return 0;
}
