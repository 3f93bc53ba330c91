/*
 * stampede-orders as a process on free ports, its log in a file. It dies with the test. Every
 * function is for one thread at a time and asserts on what a test cannot do without.
 */
#ifndef SERVICES_ORDERS_ORDERS_PROCESS_H
#define SERVICES_ORDERS_ORDERS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ORDERS_PROCESS_TOKEN "an-admin-token-of-tests"

/* How long anything that must happen may take on a slow machine under sanitizers. */
#define ORDERS_PROCESS_PATIENCE_MS 60000

#define ORDERS_PROCESS_SETTINGS_MAX 16

struct orders_process {
    pid_t pid; /* 0 when it has ended */
    int grpc_port, ops_port;
    char log_path[64];
};

/* Starts the program with NAME=value settings (NULL-ended, beside ports and log) and waits until it
 * listens. database_url may point to a server that is not up. */
void orders_process_start(struct orders_process *process, const char *database_url,
                          const char *const *settings);

/* The same without waiting for it to listen: for programs that refuse to start. */
void orders_process_launch(struct orders_process *process, const char *database_url,
                           const char *const *settings);

/* Waits until /readyz says 200 (ready) or 503 (not). */
void orders_process_wait_ready(const struct orders_process *process, bool ready);

/* GET of the ops listener; the status and the body cut to fit. -1 when there is no answer. */
int orders_process_get(const struct orders_process *process, const char *path, char *ret_body,
                       size_t body_bytes);

/* Waits until the log holds text; for what must have been said. */
void orders_process_wait_log(const struct orders_process *process, const char *text);

/* How often the log holds text now. */
size_t orders_process_count_log(const struct orders_process *process, const char *text);

void orders_process_signal(const struct orders_process *process, int number);

/* Waits for its end and returns the exit status; 128 + n when signal n ended it. The log stays. */
int orders_process_wait(struct orders_process *process);

/* SIGTERM; asserts that it ends with 0 and forgets the log. */
void orders_process_stop(struct orders_process *process);

/* Deletes the log of a process that has ended. */
void orders_process_forget(struct orders_process *process);

#endif
