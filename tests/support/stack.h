/*
 * The whole system for one test program: a private PostgreSQL with the schema, both programs as
 * real processes on free ports, and what a test does to them: crash, stop, freeze, start again.
 */
#ifndef SUPPORT_STACK_H
#define SUPPORT_STACK_H

#include "support/http_client.h"
#include "support/process.h"
#include "support/scratch_postgres.h"

#define STACK_ADMIN_TOKEN     "test-admin-token-0123456789"
#define STACK_ENVIRONMENT_MAX 8
#define STACK_URL_BYTES       512

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

/* Waits for /readyz of both to say 200 and for a read through the edge to be answered; asserts that
 * both come within timeout_ms. */
void stack_wait_ready(struct stack *stack, int64_t timeout_ms);

/* The status of GET path on an ops port. */
long stack_ops_status(int port, const char *path);

/* The whole answer of GET path on an ops port. */
void stack_ops_get(int port, const char *path, struct http_answer *ret);

/* A port of 127.0.0.1 that was free a moment ago. */
int stack_free_port(void);

/* How often a text stands in the log of a program ("stampede-orders") of this stack so far. */
int stack_count_log(const struct stack *stack, const char *program, const char *text);

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

/* Prints the end of both programs' logs: for a test that has failed. */
void stack_print_logs(const struct stack *stack);

#endif
