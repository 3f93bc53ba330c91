#include "rpc/core.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* How GPR_ASSERT begins its last words, just before abort. */
#define ASSERTION_PREFIX "assertion failed"

static struct {
    rpc_log_fn on_log;
    void *data;
} hook;

static pthread_once_t start_once = PTHREAD_ONCE_INIT;

static void forward_log(gpr_log_func_args *args)
{
    if (strncmp(args->message, ASSERTION_PREFIX, strlen(ASSERTION_PREFIX)) == 0) {
        fprintf(stderr, "%s:%d: %s\n", args->file, args->line, args->message);
    } else if (args->severity == GPR_LOG_SEVERITY_ERROR && hook.on_log != NULL) {
        hook.on_log(args->message, hook.data);
    }
}

void rpc_core_on_log(rpc_log_fn on_log, void *data)
{
    hook.on_log = on_log;
    hook.data = data;
}

static void start(void)
{
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    gpr_set_log_function(forward_log);
    grpc_init();
}

void rpc_core_start(void)
{
    pthread_once(&start_once, start);
}
