/*
 * What names a request from hop to hop: X-Request-Id and the traceparent of W3C Trace Context.
 * Valid ones are taken over, others are made. Each loop has its own source of random bits; they
 * need not be secret. One thread a source.
 */
#ifndef EDGE_HTTP_TRACE_H
#define EDGE_HTTP_TRACE_H

#include "edge/routes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_REQUEST_ID_CHARS_MAX 128
#define TRACE_PARENT_CHARS         55

struct trace_random {
    uint64_t _state[4];
};

/* seed is random and not all zero. */
void trace_random_init(struct trace_random *random, const uint64_t seed[4]);

/* Takes a request id of 1 to 128 printable ASCII characters without spaces, or makes one. Pass an
 * empty slice when there is none. */
void trace_request_id(struct trace_random *random, struct slice taken,
                      char ret_id[TRACE_REQUEST_ID_CHARS_MAX + 1]);

/* Takes a valid traceparent (what a later version adds to it is cut off), or makes one that is
 * sampled by nobody yet (flags 00). */
void trace_parent(struct trace_random *random, struct slice taken,
                  char ret_parent[TRACE_PARENT_CHARS + 1]);

/* The traceparent of a call made on behalf of one: the same trace, a new span. */
void trace_parent_child(struct trace_random *random, const char parent[TRACE_PARENT_CHARS + 1],
                        char ret_child[TRACE_PARENT_CHARS + 1]);

#endif
