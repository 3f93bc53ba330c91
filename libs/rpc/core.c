#include "rpc/core.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

/* --- Connections ----------------------------------------------------------------------------- */

/* What the core tells is JSON of its own making, in which these stand for one object each. */
#define SERVER_ID   "\"serverId\":\""
#define SOCKET_ID   "\"socketId\":\""
#define SOCKETS_MAX 1000000

static size_t count_sockets(intptr_t server_id)
{
    size_t count = 0;
    char *json = grpc_channelz_get_server_sockets(server_id, 0, SOCKETS_MAX);
    for (const char *at = json; at != NULL && (at = strstr(at, SOCKET_ID)) != NULL; count++) {
        at += strlen(SOCKET_ID);
    }
    gpr_free(json);
    return count;
}

size_t rpc_core_server_connections(void)
{
    size_t count = 0;
    char *json = grpc_channelz_get_servers(0);
    for (const char *at = json; at != NULL && (at = strstr(at, SERVER_ID)) != NULL;) {
        at += strlen(SERVER_ID);
        count += count_sockets((intptr_t)strtoll(at, NULL, 10));
    }
    gpr_free(json);
    return count;
}
