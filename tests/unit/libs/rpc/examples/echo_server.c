/* Serves echo.v1.Echo/Say on 127.0.0.1:PORT until it is asked to end. */
#include "base/clock.h"
#include "rpc/server.h"

#include <echo.pb-c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define DRAIN_MS 5000

static void say(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)data;
    const Echo__V1__Note *note = (const void *)request;
    if (note->text[0] != '\0') {
        rpc_call_finish(call, request);
        return;
    }
    struct rpc_violation violation = {.field = "text", .description = "is not empty"};
    rpc_call_fail(call, &(struct rpc_status){.code = RPC_INVALID_ARGUMENT,
                                             .message = "there is nothing to say",
                                             .reason = "INVALID_FIELD",
                                             .violations = &violation,
                                             .violation_count = 1});
}

int main(int argc, char **argv)
{
    /* Before anything starts a thread: the signals are for sigwait below. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    struct rpc_server_config config = {.address = argc > 1 ? argv[1] : "127.0.0.1:0",
                                       .threads = 2,
                                       .calls_max = 1000,
                                       .message_bytes_max = 1 << 20,
                                       .call_arena_bytes_max = 4 << 20,
                                       .error_domain = "echo.example"};
    struct rpc_method method = {
        .service = &echo__v1__echo__descriptor, .name = "Say", .kind = RPC_UNARY, .handle = say};
    struct rpc_server *server = NULL;
    int port = 0, number = 0;
    if (rpc_server_create(&config, &server) != 0 || rpc_server_add(server, &method) != 0 ||
        rpc_server_start(server, &port) != 0) {
        fprintf(stderr, "cannot serve on %s\n", config.address);
        return EXIT_FAILURE;
    }
    printf("%d\n", port);
    fflush(stdout);
    sigwait(&signals, &number);
    unsigned cancelled = rpc_server_stop(server, clock_deadline_in_ms(DRAIN_MS));
    rpc_server_destroy(server);
    printf("stopped, %u calls cancelled\n", cancelled);
    return EXIT_SUCCESS;
}
