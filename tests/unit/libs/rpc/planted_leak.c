/*
 * A leak planted on purpose: a handler loses what it allocated. LeakSanitizer must report it, else
 * the suppressions or the C core that stays until the end of the process hide real ones.
 */
#include "base/clock.h"
#include "loopback.h"

#include <stdio.h>
#include <stdlib.h>

static void *volatile last_allocated;

static void lose_memory(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)data;
    last_allocated = malloc(4711);
    last_allocated = NULL;
    rpc_call_finish(call, request);
}

int main(void)
{
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, lose_memory, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    for (int i = 0; i < 20; i++) {
        rpc_reply_free(loopback_say(channel, "remember me"));
    }
    rpc_channel_destroy(channel);
    loopback_end(server);
    printf("no report so far\n");
    return 0;
}
