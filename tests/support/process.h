/* Child processes of a test: started with an environment and a log, ended by pid, never by name. */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid; /* 0: none */
};

/*
 * Runs argv (NULL-ended) with the test's environment and extra "NAME=value" strings (NULL-ended,
 * may be NULL); standard output and error are appended to log_path. The child dies with the test.
 * Returns 0, or -1 with the reason on stderr.
 */
int process_start(struct process *ret, const char *const *argv, const char *const *environment,
                  const char *log_path) MUST_CHECK;

void process_signal(const struct process *process, int signal_number);

/* SIGSTOP, and waits until no thread of it runs any more. SIGCONT makes it go on. */
void process_freeze(const struct process *process);

/*
 * Waits for the end: the exit status, 128 + the signal, or -1 when timeout_ms passed (it is then
 * killed).
 */
int process_wait(struct process *process, int64_t timeout_ms);

/* Whether it has not ended yet. */
bool process_is_running(struct process *process);

#endif
