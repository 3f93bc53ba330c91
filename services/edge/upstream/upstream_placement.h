/*
 * One order of an HTTP request on its way upstream: what the combiner needs of it, and what goes
 * into BatchPlaceOrders.
 */
#ifndef EDGE_UPSTREAM_UPSTREAM_PLACEMENT_H
#define EDGE_UPSTREAM_UPSTREAM_PLACEMENT_H

#include "edge/upstream/combiner.h"

#include <stdint.h>

/* Embedded in the owner; everything pointed to lives until the answer or
 * upstream_forget_placement. The texts are as long as the contract allows, at most: a longer one is
 * the owner's to refuse. */
struct upstream_placement {
    struct combiner_order order; /* sale_id and deadline_ns are set by the owner, not bytes */
    const char *customer_id;
    const char *idempotency_key;
    int32_t quantity;
    const char *request_id;
    const char *traceparent; /* of the call, a child of the request's */
    void *owner;
};

#endif
