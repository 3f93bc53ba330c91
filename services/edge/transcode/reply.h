/*
 * Protobuf to HTTP: what a method's reply becomes. The JSON body is the reply or the one field that
 * the route names; status, Location, ETag and Idempotent-Replayed follow the method's options.
 */
#ifndef EDGE_TRANSCODE_REPLY_H
#define EDGE_TRANSCODE_REPLY_H

#include "base/check.h"
#include "edge/routes/slice.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

struct protojson_schema;
struct route;

struct reply {
    int status;
    struct slice body;
    struct slice location; /* empty: no header */
    struct slice etag;     /* with its quotation marks; empty: no header */
    bool is_replayed;
};

/*
 * Writes message, which is of the route's output type. Texts come from allocator and live as long
 * as its owner; the body has at most body_bytes_max bytes. Errors: -ENOMEM, -EMSGSIZE the body
 * would be longer, -EPROTO the message lacks the field that is to be the body. Any thread.
 */
int reply_write(const struct protojson_schema *schema, const struct route *route,
                const ProtobufCMessage *message, size_t body_bytes_max,
                ProtobufCAllocator *allocator, struct reply *ret) MUST_CHECK;

#endif
