#include "edge/http/own_errors.h"

#include "base/list.h"
#include "edge/http/http_metrics.h"
#include "edge/http/loop.h"
#include "edge/http/response.h"
#include "edge/http/trace.h"
#include "edge/routes/routes.h"
#include "edge/transcode/problem.h"
#include "stampede/api/v1/reason.pb-c.h"

#include <string.h>

struct error_ostream {
    h2o_ostream_t super;
    h2o_iovec_t body;
    bool is_head;
};

/* Sends the document in place of what libh2o wanted to send. */
static void send_document(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t bufcnt,
                          h2o_send_state_t state)
{
    const struct error_ostream *ostream = (const void *)super;
    h2o_iovec_t body = ostream->body;
    (void)bufs;
    (void)bufcnt;
    h2o_ostream_send_next(super, req, &body, ostream->is_head ? 0 : 1, state);
}

static struct problem problem_of_own_error(int status)
{
    switch (status) {
    case 404:
        return problem_of_reason(STAMPEDE__API__V1__REASON__ROUTE_NOT_FOUND, NULL);
    case 413:
        return problem_of_reason(STAMPEDE__API__V1__REASON__BODY_TOO_LARGE,
                                 "The body is too long to be read.");
    case 400:
    case 417:
        return problem_of_reason(STAMPEDE__API__V1__REASON__INVALID_FIELD,
                                 "Content-Length, Transfer-Encoding, Expect or the body's chunks "
                                 "cannot be understood.");
    default:
        return problem_of_reason(STAMPEDE__API__V1__REASON__INTERNAL, NULL);
    }
}

static void on_setup_error_ostream(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot)
{
    (void)filter;
    struct loop *loop = LIST_OBJECT(req->conn->ctx, struct loop, context);
    struct slice path;
    struct slice query;
    struct slice target = {req->input.path.base, req->input.path.len};
    routes_split_target(target, &path, &query);
    char *request_id = h2o_mem_alloc_pool(&req->pool, TRACE_REQUEST_ID_CHARS_MAX + 1);
    char *traceparent = h2o_mem_alloc_pool(&req->pool, TRACE_PARENT_CHARS + 1);
    trace_request_id(&loop->random, (struct slice){NULL, 0}, request_id);
    trace_parent(&loop->random, (struct slice){NULL, 0}, traceparent);
    struct problem problem = problem_of_own_error(req->res.status);
    struct response response = response_of_problem(&problem, NULL, path, request_id, &req->pool);
    memset(&req->res.headers, 0, sizeof(req->res.headers));
    response_write_head(&response, request_id, traceparent, req);
    http_metrics_refused(loop->config->metrics, problem.reason);
    http_metrics_observe(loop->config->metrics, NULL, response.status, 0);
    struct error_ostream *ostream =
        (void *)h2o_add_ostream(req, sizeof(struct error_ostream), slot);
    ostream->super.do_send = send_document;
    ostream->body = response_body(&response);
    ostream->is_head = h2o_memis(req->input.method.base, req->input.method.len, "HEAD", 4);
    h2o_setup_next_ostream(req, &ostream->super.next);
}

void own_errors_register(h2o_pathconf_t *pathconf)
{
    h2o_filter_t *filter = h2o_create_filter(pathconf, sizeof(*filter));
    filter->on_setup_ostream = on_setup_error_ostream;
}
