#include "rpc/core.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* How GPR_ASSERT begins its last words, just before abort. */
#define ASSERTION_PREFIX "assertion failed"

static struct {
    rpc_log_fn on_log;
    void *data;
} hook;

static pthread_once_t log_once = PTHREAD_ONCE_INIT;

static void forward_log(gpr_log_func_args *args)
{
    if (strncmp(args->message, ASSERTION_PREFIX, strlen(ASSERTION_PREFIX)) == 0) {
        fprintf(stderr, "%s:%d: %s\n", args->file, args->line, args->message);
    } else if (args->severity == GPR_LOG_SEVERITY_ERROR && hook.on_log != NULL) {
        hook.on_log(args->message, hook.data);
    }
}

static void take_log(void)
{
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    gpr_set_log_function(forward_log);
}

void rpc_core_on_log(rpc_log_fn on_log, void *data)
{
    hook.on_log = on_log;
    hook.data = data;
}

void rpc_core_acquire(void)
{
    /* The core's threads inherit the mask: signals stay with the program's own threads. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_once(&log_once, take_log);
    grpc_init();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void rpc_core_release(void)
{
    grpc_shutdown_blocking();
}
