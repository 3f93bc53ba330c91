/*
 * HTTP to protobuf: builds a method's request message from path, headers, query and JSON body as
 * its route says.
 *
 * A field that the path or a header carries cannot be set by the query or the body. Where the body
 * is the whole message there are no query parameters. An absent body counts as {}. A route without
 * a body ignores content: RFC 9110, 9.3.1 gives it no meaning, and libh2o has read it off the
 * connection, so nothing can hide in it. Bounds of values are the orders service's to check.
 */
#ifndef EDGE_TRANSCODE_REQUEST_H
#define EDGE_TRANSCODE_REQUEST_H

#include "base/check.h"
#include "edge/routes/slice.h"
#include "edge/transcode/header.h"
#include "edge/transcode/refusal.h"

#include <protobuf-c/protobuf-c.h>

struct protojson_schema;
struct routes_match;

/* Characters of a field that a header carries (an idempotency key). */
#define REQUEST_HEADER_CHARS_MAX     255
#define REQUEST_QUERY_PARAMETERS_MAX 32
/* Characters of one query parameter or path segment, as they are sent. */
#define REQUEST_PARAMETER_BYTES_MAX 2048

struct request_source {
    const struct routes_match *match;
    struct headers headers;
    struct slice query;
    struct slice body;
};

/*
 * Everything that the message consists of comes from allocator and lives as long as its owner.
 * Errors: -EINVAL with *ret_refusal filled, -ENOMEM. Any thread.
 */
int request_read(const struct protojson_schema *schema, const struct request_source *source,
                 ProtobufCAllocator *allocator, ProtobufCMessage **ret_message,
                 struct refusal *ret_refusal) MUST_CHECK;

#endif
