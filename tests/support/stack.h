/*
 * The whole system for one test program: a private PostgreSQL with the schema, both programs as
 * real processes on free ports, and what a test does to them: crash, stop, freeze, start again.
 */
#ifndef SUPPORT_STACK_H
#define SUPPORT_STACK_H

#include "base/check.h"
#include "support/http_client.h"
#include "support/patience.h"
#include "support/process.h"
#include "support/scratch_postgres.h"

#include <stdint.h>

#define STACK_ADMIN_TOKEN     "test-admin-token-0123456789"
#define STACK_ENVIRONMENT_MAX 8
#define STACK_URL_BYTES       512
/* For what must come at all, however slow the machine: no test waits for it to pass. */
#define STACK_PATIENCE_MS 60000
/* For one answer, whatever it is. */
#define STACK_ANSWER_MS 300000

struct stack {
    bool postgres_by_tcp; /* set before stack_prepare: for proxies, and URLs of several hosts */
    struct scratch_postgres postgres;
    struct process orders, edge;
    char folder[SCRATCH_POSTGRES_PATH_BYTES]; /* logs and whatever a test writes; deleted at the end
                                               */
    int edge_port, edge_ops_port, orders_port, orders_ops_port;
    const char
        *orders_environment[STACK_ENVIRONMENT_MAX]; /* more "NAME=value", set before a start */
    const char *edge_environment[STACK_ENVIRONMENT_MAX];
};

/* Ports, a folder for logs and a database; neither program runs yet. */
void stack_prepare(struct stack *stack);

/* The same on the database of another, which stays the other's: for a second replica and edge. */
void stack_join(struct stack *stack, const struct stack *first);

/* Stops in order what runs of a stack that joined, and removes its logs. */
void stack_leave(struct stack *stack);

/* Starts everything and waits until both are ready; fails the test otherwise. */
void stack_start(struct stack *stack);

/* Stops in order (both must exit with 0) and removes everything. */
void stack_stop(struct stack *stack);

void stack_start_orders(struct stack *stack);
void stack_start_edge(struct stack *stack);

/* SIGKILL, and the end of it. */
void stack_kill_orders(struct stack *stack);
void stack_kill_edge(struct stack *stack);

/* SIGTERM; asserts that it exits with 0 in time. */
void stack_terminate_orders(struct stack *stack);
void stack_terminate_edge(struct stack *stack);

/* Waits for /readyz of both to say 200 and for a read through the edge to be answered; fails when
 * they have not come within timeout_ms. */
void stack_wait_ready(struct stack *stack, int64_t timeout_ms);

/* The status of GET path on an ops port. */
long stack_ops_status(int port, const char *path);

/* The whole answer of GET path on an ops port. */
void stack_ops_get(int port, const char *path, struct http_answer *ret);

/* How often a text stands in the log of a program ("stampede-orders") of this stack so far. */
int stack_count_log(const struct stack *stack, const char *program, const char *text);

/* How often the orders service gave up waiting for its database so far. Its bounds are the
 * product's own: a machine with far too much other work keeps them from being met, and a round in
 * which that happened says nothing of what else it was to show. */
int stack_count_slow(const struct stack *stack);

/* Waits until it stands there more than so many times: what is written down comes a moment after
 * what it tells of. */
void stack_await_log(const struct stack *stack, const char *program, const char *text,
                     int more_than);

/* The value of a series of /metrics ("stampede_pool_waiting") of an ops port, or -1. */
long stack_metric(const struct stack *stack, int port, const char *series);

/* One call to the edge; path begins with /v1. Headers as in http_call. */
void stack_call(const struct stack *stack, const char *method, const char *path,
                const char *const *headers, const char *body, struct http_answer *ret);

/* Makes a sale that is open for an hour; ret_sale_id takes 37 bytes. key names the creation. */
void stack_make_sale(const struct stack *stack, const char *key, int stock, int limit,
                     char *ret_sale_id);

/* Places one order of one unit. */
void stack_place(const struct stack *stack, const char *sale_id, const char *customer,
                 const char *key, struct http_answer *ret);

/* Asserts that ./dev audit finds nothing wrong in the database. */
void stack_audit(const struct stack *stack);

/* The first value of a query as the superuser, as a number. */
long stack_query_number(const struct stack *stack, const char *sql);

/* --- When something is not as it must be -------------------------------------------------------
 */

/* Fails the test with these words; the last events of both programs are printed before, once. */
_Noreturn void stack_fail(const struct stack *stack, const char *format, ...) PRINTF_LIKE(2, 3);

/* Asserts what was answered; else the answer is printed whole. */
void stack_expect_status(const struct stack *stack, const struct http_answer *answer, long status);
void stack_expect_json(const struct stack *stack, const struct http_answer *answer,
                       const char *path, const char *value);
void stack_expect_header(const struct stack *stack, const struct http_answer *answer,
                         const char *name, const char *value);

/*
 * A wait for what must come, polled for:
 *
 *     struct stack_wait wait = stack_wait_for(&stack, "the first order");
 *     while (orders_in_database() == 0) {
 *         stack_wait_on(&wait, 5);
 *     }
 */
struct stack_wait {
    const struct stack *stack;
    const char *what;
    struct patience patience;
};

struct stack_wait stack_wait_for(const struct stack *stack, const char *what);

/* Sleeps so long; fails the test when patience is at its end. */
void stack_wait_on(struct stack_wait *wait, int64_t pause_ms);

#endif
