/*
 * The edge as a process of its own, on free ports, and requests to it.
 */
#ifndef EDGE_PROCESS_H
#define EDGE_PROCESS_H

#include "support/http_client.h"
#include "support/process.h"

#include <pthread.h>
#include <stdbool.h>

#define EDGE_SALE   "0190a5b0-0000-7000-8000-000000000001"
#define EDGE_ORDERS "/v1/sales/" EDGE_SALE "/orders"

struct edge_process {
    struct process process;
    char log_path[64];
    int http_port, ops_port;
};

/* Starts it; settings are "NAME=value", NULL-ended, or NULL. Waits until it listens. */
void edge_process_start(struct edge_process *edge, int orders_port, const char *const *settings);

/* Waits until /readyz says 200, or says 503. */
void edge_process_wait_ready(const struct edge_process *edge, bool ready);

/* How often the log has this text. */
size_t edge_process_count_log(const struct edge_process *edge, const char *text);

/* The value of a series of /metrics; fails the test where there is none. */
long edge_process_metric(const struct edge_process *edge, const char *series);

/* Waits until it has this value. */
void edge_process_await_metric(const struct edge_process *edge, const char *series, long value);

/* SIGTERM; asserts that it exits with 0. */
void edge_process_stop(struct edge_process *edge);

/* One request; headers as in http_call. */
void edge_process_call(const struct edge_process *edge, const char *method, const char *path,
                       const char *const *headers, const char *body, struct http_answer *ret);

/* Places one order with this key. */
void edge_process_place(const struct edge_process *edge, const char *key, struct http_answer *ret);

/* The same on a thread of its own. */
struct edge_placing {
    const struct edge_process *edge;
    const char *key;
    struct http_answer *answer;
    pthread_t thread;
};
void edge_process_begin_place(struct edge_placing *placing, const struct edge_process *edge,
                              const char *key);
/* Waits; the answer is to be freed. */
struct http_answer *edge_process_end_place(struct edge_placing *placing);

/* Asserts status and, unless NULL, the problem's reason. */
void edge_process_assert(const struct http_answer *answer, long status, const char *reason);

#endif
