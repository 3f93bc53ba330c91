/*
 * BatchPlaceOrders on the wire: a combiner's call as a request, its reply as one result per order.
 *
 * A reply comes from outside. One with another number of results than its call has orders proves
 * nothing for any of them, and an item with neither order nor error nothing for its own.
 *
 * One thread at a time.
 */
#ifndef EDGE_UPSTREAM_BATCH_MESSAGE_H
#define EDGE_UPSTREAM_BATCH_MESSAGE_H

#include "base/check.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct combiner_call;
struct combiner_result;
struct rpc_reply;
struct upstream_placement;

/* The scratch of one request or one reply at a time, made once: EDGE_ORDERS_PER_CALL_MAX items. */
struct batch_message;

extern const char batch_message_method[];
extern const ProtobufCMessageDescriptor *const batch_message_reply_type;

/* Errors: -ENOMEM. */
int batch_message_create(struct batch_message **ret) MUST_CHECK;
void batch_message_destroy(struct batch_message *batch); /* NULL is fine */

/* What an order takes in a request, in bytes, at most, whatever its time will be. */
size_t batch_message_bytes_max(const struct upstream_placement *placement);

/* The request for a call whose orders are all there, at now_ns of the monotonic clock. It borrows
 * their texts and is valid until the next one; what was read is left as it is. */
const ProtobufCMessage *batch_message_ask(struct batch_message *batch,
                                          const struct combiner_call *call, int64_t now_ns);

/*
 * What the call's reply proves, for combiner_complete: one result per order; NULL when nothing is
 * proven for any. The detail of ATTEMPT_DONE is the item, a BatchPlaceOrdersResult with its order,
 * that of a refusal a struct upstream_refusal. Valid until the next reply is read and
 * as long as this one lives. Logs what was lost.
 */
const struct combiner_result *batch_message_read(struct batch_message *batch,
                                                 const struct combiner_call *call,
                                                 const struct rpc_reply *reply) MUST_CHECK;

#endif
