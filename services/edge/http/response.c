#include "edge/http/response.h"

#include "base/check.h"
#include "edge/http/bounded_pool.h"
#include "edge/transcode/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Any int64_t in digits, with its end. */
#define NUMBER_BYTES_MAX 24

/* Response headers of ours; libh2o's vector is made this long at once. */
#define RESPONSE_HEADERS_MAX 10

/* --- Problems --------------------------------------------------------------------------------- */

/* Writes a problem as a document; one whose details do not fit goes without them. */
static struct slice document_of(const struct problem *problem, const struct contract_method *method,
                                struct slice path, const char *request_id, h2o_mem_pool_t *pool)
{
    struct bounded_pool memory = {.pool = pool, .bytes_left = SIZE_MAX};
    ProtobufCAllocator allocator = bounded_pool_allocator(&memory);
    struct slice body = {NULL, 0};
    if (problem_write(problem, method, path, request_id, &allocator, &body) != 0) {
        struct problem bare = *problem;
        bare.detail = NULL;
        bare.violation_count = 0;
        CHECK(problem_write(&bare, method, path, request_id, &allocator, &body) == 0);
    }
    return body;
}

struct response response_of_problem(const struct problem *problem,
                                    const struct contract_method *method, struct slice path,
                                    const char *request_id, h2o_mem_pool_t *pool)
{
    return (struct response){
        .status = problem->status,
        .content_type = "application/problem+json",
        .cache_control = "no-store",
        .body = document_of(problem, method, path, request_id, pool),
        .retry_after_s = problem_retry_after_s(problem),
    };
}

/* --- The head --------------------------------------------------------------------------------- */

static const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return status < 400 ? "OK" : "Error";
    }
}

static void add_token(h2o_req_t *req, const h2o_token_t *token, struct slice value)
{
    h2o_add_header(&req->pool, &req->res.headers, token, NULL, value.bytes, value.length);
}

static void add_named(h2o_req_t *req, struct slice name, const char *spelled, struct slice value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name.bytes, name.length, 0, spelled,
                          value.bytes, value.length);
}

/* Header values must outlive the function: they are constant or in the request's pool. */
static void add_headers(h2o_req_t *req, const struct response *response, const char *request_id,
                        const char *traceparent)
{
    h2o_vector_reserve(&req->pool, &req->res.headers, RESPONSE_HEADERS_MAX);
    if (response->content_type != NULL) {
        add_token(req, H2O_TOKEN_CONTENT_TYPE, slice_of(response->content_type));
    }
    add_token(req, H2O_TOKEN_CACHE_CONTROL, slice_of(response->cache_control));
    add_named(req, slice_of("x-request-id"), "X-Request-Id", slice_of(request_id));
    add_named(req, slice_of("traceparent"), "traceparent", slice_of(traceparent));
    if (response->location.length > 0) {
        add_token(req, H2O_TOKEN_LOCATION, response->location);
    }
    if (response->etag.length > 0) {
        add_token(req, H2O_TOKEN_ETAG, response->etag);
    }
    if (response->is_replayed) {
        add_named(req, slice_of("idempotent-replayed"), "Idempotent-Replayed", slice_of("true"));
    }
    if (response->allow != NULL) {
        add_named(req, slice_of("allow"), "Allow", slice_of(response->allow));
    }
    if (response->retry_after_s > 0) {
        char *text = h2o_mem_alloc_pool(&req->pool, NUMBER_BYTES_MAX);
        (void)snprintf(text, NUMBER_BYTES_MAX, "%" PRId64, response->retry_after_s);
        add_named(req, slice_of("retry-after"), "Retry-After", slice_of(text));
    }
}

void response_write_head(const struct response *response, const char *request_id,
                         const char *traceparent, h2o_req_t *req)
{
    req->res.status = response->status;
    req->res.reason = status_text(response->status);
    req->res.content_length = response->status != 304 ? response->body.length : SIZE_MAX;
    add_headers(req, response, request_id, traceparent);
}

h2o_iovec_t response_body(const struct response *response)
{
    h2o_iovec_t iovec;
    memcpy(&iovec.base, &response->body.bytes, sizeof(iovec.base));
    iovec.len = response->body.length;
    return iovec;
}
