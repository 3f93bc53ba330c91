#include "edge/upstream/courier.h"

#include "base/clock.h"
#include "edge/limits.h"
#include "rpc/channel.h"

#include <string.h>

#define MAGIC_TRIP   UINT32_C(0x0ed6e51a)
#define METADATA_MAX 3

int courier_init(struct courier *courier, struct rpc_channel *channel, void (*wake)(void *data),
                 void *data)
{
    courier->_channel = channel;
    return mailbox_init(&courier->_mailbox, wake, data);
}

void courier_fini(struct courier *courier)
{
    mailbox_fini(&courier->_mailbox);
}

void courier_init_trip(struct courier *courier, struct courier_trip *trip, courier_back_fn on_back)
{
    *trip = (struct courier_trip){._courier = courier, ._on_back = on_back};
    MAGIC_INIT(trip, MAGIC_TRIP);
}

/* Channel thread: the call is over. */
static void on_done(struct rpc_reply *reply, void *data)
{
    struct courier_trip *trip = data;
    MAGIC_CHECK(trip, MAGIC_TRIP);
    trip->_reply = reply;
    mailbox_post(&trip->_courier->_mailbox, &trip->_letter);
}

static void add_metadata(struct rpc_metadata metadata[METADATA_MAX], size_t *count, const char *key,
                         const char *value)
{
    if (value != NULL) {
        metadata[(*count)++] = (struct rpc_metadata){key, value, strlen(value)};
    }
}

void courier_send(struct courier_trip *trip, const struct courier_call *call)
{
    struct rpc_metadata metadata[METADATA_MAX];
    size_t count = 0;
    MAGIC_CHECK(trip, MAGIC_TRIP);
    CHECK(trip->_reply == NULL);
    add_metadata(metadata, &count, "x-request-id", call->request_id);
    add_metadata(metadata, &count, "traceparent", call->traceparent);
    add_metadata(metadata, &count, "authorization", call->authorization);
    const struct rpc_request request = {
        .full_method = call->full_method,
        .reply_type = call->reply_type,
        .message = call->message,
        .deadline_ns = clock_earlier(call->deadline_ns, clock_deadline_in_ms(EDGE_CALL_LIFE_MS)),
        .metadata = metadata,
        .metadata_count = count,
        .on_done = on_done,
        .data = trip,
    };
    rpc_channel_call(trip->_courier->_channel, &request, NULL);
}

void courier_collect(struct courier *courier)
{
    struct list letters;
    list_init(&letters);
    mailbox_take(&courier->_mailbox, &letters);
    struct list_link *link;
    while ((link = list_pop_front(&letters)) != NULL) {
        struct courier_trip *trip = LIST_OBJECT(link, struct courier_trip, _letter.link);
        MAGIC_CHECK(trip, MAGIC_TRIP);
        /* The trip may be sent again from its callback, so the reply is taken out first. */
        struct rpc_reply *reply = trip->_reply;
        trip->_reply = NULL;
        trip->_on_back(trip, reply);
        rpc_reply_free(reply);
    }
}

bool courier_is_ready(const struct courier *courier)
{
    return rpc_channel_is_ready(courier->_channel);
}

bool courier_is_gone(const struct courier *courier)
{
    return rpc_channel_is_gone(courier->_channel, EDGE_RECONNECT_GRACE_MS);
}
