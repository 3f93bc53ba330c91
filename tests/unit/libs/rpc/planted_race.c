/*
 * A race planted on purpose: two handlers on two completion-queue threads add to one plain counter.
 * ThreadSanitizer must report it, else the annotations of libs/rpc or the options that the tests
 * run with hide real ones. The handlers meet first, by means that order nothing.
 */
#include "base/clock.h"
#include "loopback.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_uint handlers_inside;
static unsigned counter; /* what the race is about */

static void add_without_a_lock(struct rpc_call *call, const ProtobufCMessage *request, void *data)
{
    (void)data;
    atomic_fetch_add_explicit(&handlers_inside, 1, memory_order_relaxed);
    while (atomic_load_explicit(&handlers_inside, memory_order_relaxed) < 2) {
        sched_yield();
    }
    counter++;
    rpc_call_finish(call, request);
}

int main(void)
{
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, add_without_a_lock, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct awaited awaited[2];
    for (size_t i = 0; i < COUNT_OF(awaited); i++) {
        awaited_init(&awaited[i]);
        struct rpc_request request = loopback_request(&note.base, &awaited[i]);
        rpc_channel_call(channel, &request, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(awaited); i++) {
        awaited_end(&awaited[i]);
        awaited_fini(&awaited[i]);
    }
    rpc_channel_destroy(channel);
    loopback_end(server);
    printf("no report; counter is %u\n", counter);
    return 0;
}
