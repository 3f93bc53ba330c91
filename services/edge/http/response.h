/*
 * An answer before it is libh2o's: status, body and what its head says. Loop thread.
 */
#ifndef EDGE_HTTP_RESPONSE_H
#define EDGE_HTTP_RESPONSE_H

#include "edge/routes/slice.h"

#include <h2o.h>
#include <stdbool.h>
#include <stdint.h>

struct contract_method;
struct problem;

/* Texts are constant or in the request's pool. */
struct response {
    int status;
    const char *content_type; /* NULL for none */
    const char *cache_control;
    struct slice body;
    struct slice location;
    struct slice etag;
    bool is_replayed;
    const char *allow;     /* NULL for none */
    int64_t retry_after_s; /* 0 for none */
};

/* The problem as a document, made in the pool; one whose details do not fit goes without them.
 * method may be NULL. */
struct response response_of_problem(const struct problem *problem,
                                    const struct contract_method *method, struct slice path,
                                    const char *request_id, h2o_mem_pool_t *pool);

/* Writes status, length and headers into the request, whose pool keeps what must be kept; the texts
 * must live as long as the request. Headers that are there already stay. */
void response_write_head(const struct response *response, const char *request_id,
                         const char *traceparent, h2o_req_t *req);

/* The body as libh2o takes it. */
h2o_iovec_t response_body(const struct response *response);

#endif
