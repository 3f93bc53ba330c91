/*
 * What most tests of the program stand on: a PostgreSQL of its own, stampede-orders on it, an
 * administrator and somebody of the public who call it. One of each a test program.
 */
#ifndef SERVICES_ORDERS_ORDERS_STAGE_H
#define SERVICES_ORDERS_ORDERS_STAGE_H

#include "orders_calls.h"
#include "orders_process.h"
#include "support/scratch_postgres.h"

/* An id that nothing has. */
#define ORDERS_STAGE_NOBODYS_ID "01920000-0000-7000-8000-00000000dead"

struct orders_stage {
    struct scratch_postgres server;
    struct orders_process process;
    struct orders_client admin, public;
};

extern struct orders_stage orders_stage;

/* Set-up of a group: the database with its schema, and the program on it. */
int orders_stage_start(void **state);

/* Tear-down of a group: what was sold is audited, and both must end as they should. */
int orders_stage_stop(void **state);

/* Starts the program with an administrator's token and opens both clients. */
void orders_stage_start_program(void);

void orders_stage_close_clients(void);

#endif
