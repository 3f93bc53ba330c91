#include "edge/http/exchange.h"

#include "base/clock.h"
#include "base/order_id.h"
#include "base/text.h"
#include "contract/contract.h"
#include "edge/board/board.h"
#include "edge/http/bounded_pool.h"
#include "edge/http/framing.h"
#include "edge/http/held.h"
#include "edge/http/http_metrics.h"
#include "edge/http/loop.h"
#include "edge/http/response.h"
#include "edge/limits.h"
#include "edge/routes/routes.h"
#include "edge/transcode/problem.h"
#include "edge/transcode/reply.h"
#include "edge/transcode/request.h"
#include "edge/upstream/upstream.h"
#include "log/log.h"
#include "rpc/status.h"
#include "stampede/api/v1/reason.pb-c.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <errno.h>
#include <stdio.h>

#define MAGIC_EXCHANGE           UINT32_C(0xedbe0001)
#define AUTHORIZATION_CHARS_MAX  4096
#define INTERNAL_LOG_INTERVAL_MS 1000
#define SENTENCE_BYTES_MAX       96 /* with one number in it */

enum exchange_state {
    EXCHANGE_READING, /* inside on_req */
    EXCHANGE_PLACING, /* upstream, as a placement */
    EXCHANGE_CALLING, /* upstream, as a call */
    EXCHANGE_ANSWERED,
};

struct exchange {
    uint32_t magic;
    enum exchange_state state;
    h2o_req_t *req;
    struct loop *loop;
    struct list_link link; /* on the loop's list until answered */
    int64_t began_ns;      /* read when the request had come, not sooner: the board judges by it */
    const struct route *route; /* NULL until one is found */
    struct slice path;
    bool is_head;
    bool is_held; /* its socket is */
    struct slice if_none_match;
    struct bounded_pool memory;
    ProtobufCAllocator allocator;
    char request_id[TRACE_REQUEST_ID_CHARS_MAX + 1];
    char traceparent[TRACE_PARENT_CHARS + 1];
    char traceparent_upstream[TRACE_PARENT_CHARS + 1];
    union {
        struct upstream_placement placement;
        struct upstream_call call;
    } upstream;
};

/* --- Writing an answer ------------------------------------------------------------------------ */

/* The one place where an exchange ends with an answer. */
static void send_response(struct exchange *exchange, const struct response *response)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_req_t *req = exchange->req;
    struct loop *loop = exchange->loop;
    CHECK(exchange->state != EXCHANGE_ANSWERED);
    if (exchange->is_held) {
        held_end(req);
    }
    exchange->state = EXCHANGE_ANSWERED;
    list_remove(&loop->exchanges, &exchange->link);
    loop->sends++;
    loop->counts.answered++;
    http_metrics_observe(loop->config->metrics, exchange->route, response->status,
                         clock_monotonic_ns() - exchange->began_ns);
    bool has_content = response->status != 304;
    response_write_head(response, exchange->request_id, exchange->traceparent, req);
    h2o_start_response(req, &generator);
    h2o_iovec_t body = response_body(response);
    bool sends_body = has_content && !exchange->is_head && body.len > 0;
    h2o_send(req, &body, sends_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}

static void answer_problem(struct exchange *exchange, const struct problem *problem,
                           const char *allow)
{
    const struct contract_method *method = exchange->route == NULL ? NULL : exchange->route->method;
    struct response response = response_of_problem(problem, method, exchange->path,
                                                   exchange->request_id, &exchange->req->pool);
    response.allow = allow;
    http_metrics_refused(exchange->loop->config->metrics, problem->reason);
    send_response(exchange, &response);
}

static void answer_reason(struct exchange *exchange, int reason, const char *detail)
{
    struct problem problem = problem_of_reason(reason, detail);
    answer_problem(exchange, &problem, NULL);
}

static void answer_field(struct exchange *exchange, const char *field, const char *description)
{
    struct rpc_violation violation = {field, description};
    struct problem problem =
        problem_of_reason(STAMPEDE__API__V1__REASON__INVALID_FIELD, description);
    problem.violations = &violation;
    problem.violation_count = field[0] == '\0' ? 0 : 1;
    answer_problem(exchange, &problem, NULL);
}

static bool is_read(const struct exchange *exchange)
{
    return strcmp(exchange->route->binding->http_method, "GET") == 0;
}

/* A success that cannot be shown. For a write this must not read as "not done". */
static void answer_unshowable(struct exchange *exchange, int error)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(INTERNAL_LOG_INTERVAL_MS);
    log_event_limited(
        &limit, LOG_ERROR, "reply_cannot_be_written", LOG_STR("request_id", exchange->request_id),
        LOG_STR("method", exchange->route->method->full_name), LOG_INT("error", error));
    if (is_read(exchange)) {
        answer_reason(exchange, STAMPEDE__API__V1__REASON__INTERNAL,
                      "The reply of the orders service cannot be written as JSON.");
    } else {
        answer_reason(exchange, STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN, attempt_why_unknown);
    }
}

/* The message as the route shows it; written once for all whom the same reply answers. */
static int write_reply(struct exchange *exchange, const struct upstream_answer *answer,
                       struct reply *ret)
{
    struct shared_reply *shared = &exchange->loop->shared_reply;
    uint64_t number = answer->reply_number;
    if (number != 0 &&
        shared_reply_find(shared, number, exchange->route, &exchange->req->pool, ret)) {
        return 0;
    }
    exchange->memory.bytes_left = EDGE_REPLY_MEMORY_BYTES_MAX;
    int error = reply_write(exchange->loop->config->schema, exchange->route, answer->message,
                            EDGE_REPLY_JSON_BYTES_MAX, &exchange->allocator, ret);
    if (error == 0 && number != 0) {
        shared_reply_keep(shared, number, exchange->route, ret);
    }
    return error;
}

static void answer_message(struct exchange *exchange, const struct upstream_answer *answer)
{
    struct reply reply;
    int error = write_reply(exchange, answer, &reply);
    if (error != 0) {
        answer_unshowable(exchange, error);
        return;
    }
    struct response response = {
        .status = reply.status,
        .content_type = "application/json",
        /* What has an entity tag may be kept and asked about again, all else is private. */
        .cache_control = reply.etag.length > 0 ? "no-cache" : "no-store",
        .body = reply.body,
        .location = reply.location,
        .etag = reply.etag,
        .is_replayed = reply.is_replayed,
    };
    if (reply.etag.length > 0 && is_read(exchange) &&
        header_matches_etag(exchange->if_none_match, reply.etag)) {
        response.status = 304;
        response.content_type = NULL;
    }
    send_response(exchange, &response);
}

/* --- Upstream and back ------------------------------------------------------------------------ */

static void answer_unsent(struct exchange *exchange, const struct upstream_answer *answer,
                          int reason)
{
    struct problem problem = problem_of_reason(reason, answer->why);
    problem.retry_after_ms = answer->retry_after_ms;
    answer_problem(exchange, &problem, NULL);
}

static void tell(struct exchange *exchange, const struct upstream_answer *answer)
{
    struct problem problem;
    switch (answer->verdict) {
    case ATTEMPT_SAY_DONE:
        answer_message(exchange, answer);
        return;
    case ATTEMPT_SAY_REFUSED:
        problem = problem_of_status(answer->status, answer->reason);
        answer_problem(exchange, &problem, NULL);
        return;
    case ATTEMPT_SAY_UNKNOWN:
        answer_unsent(exchange, answer, STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN);
        return;
    case ATTEMPT_SAY_OVERLOADED:
        answer_unsent(exchange, answer, STAMPEDE__API__V1__REASON__OVERLOADED);
        return;
    case ATTEMPT_SAY_DRAINING:
        answer_unsent(exchange, answer, STAMPEDE__API__V1__REASON__DRAINING);
        return;
    }
    UNREACHABLE("every verdict is told");
}

/* Whether orders has said of an order what it says only where its sale exists: that it is placed,
 * or what the board may say itself. */
static bool proves_the_sale(const struct upstream_answer *answer)
{
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        return true;
    }
    return answer->verdict == ATTEMPT_SAY_REFUSED && answer->reason != NULL &&
           (answer->reason->number == STAMPEDE__API__V1__REASON__SOLD_OUT ||
            answer->reason->number == STAMPEDE__API__V1__REASON__SALE_NOT_STARTED);
}

void exchange_on_answer(void *owner, const struct upstream_answer *answer, void *data)
{
    struct exchange *exchange = owner;
    (void)data;
    MAGIC_CHECK(exchange, MAGIC_EXCHANGE);
    if (exchange->state == EXCHANGE_PLACING && proves_the_sale(answer)) {
        board_vouch(exchange->loop->config->board, &exchange->upstream.placement.order.sale_id,
                    exchange->began_ns);
    }
    tell(exchange, answer);
}

static int64_t deadline_of(const struct exchange *exchange)
{
    return exchange->began_ns + exchange->loop->config->request_timeout_ms * CLOCK_NS_PER_MS;
}

/* A text that a batch may carry. What the orders service says about characters, and about a text
 * that is missing, it says for each order; too long a text would cost all others their call. */
static bool check_length(struct exchange *exchange, const char *field, const char *text,
                         size_t chars_max)
{
    if (strlen(text) <= chars_max) {
        return true;
    }
    char description[SENTENCE_BYTES_MAX];
    (void)snprintf(description, sizeof(description), "must be 1 to %zu printable ASCII characters",
                   chars_max);
    answer_field(exchange, field, description);
    return false;
}

/* What orders would say of it; an order that it would call malformed is not the board's to judge.
 */
static bool is_well_formed(const Stampede__Orders__V1__PlaceOrderRequest *request,
                           const struct board_question *question)
{
    return request->quantity >= 1 && request->quantity <= EDGE_ORDER_UNITS_MAX &&
           question->customer_length >= 1 && question->key_length >= 1 &&
           text_is_printable_ascii(question->customer_id, question->customer_length) &&
           text_is_printable_ascii(question->key, question->key_length);
}

/* Refuses what the board knows to be refused, in the words of orders; false: it must decide. The
 * request had arrived when the exchange began. */
static bool refuse_by_board(struct exchange *exchange, const struct uuid *sale_id,
                            const Stampede__Orders__V1__PlaceOrderRequest *request)
{
    const struct board_question question = {
        .sale_id = *sale_id,
        .customer_id = request->customer_id,
        .customer_length = strlen(request->customer_id),
        .key = request->idempotency_key,
        .key_length = strlen(request->idempotency_key),
    };
    if (!is_well_formed(request, &question)) {
        return false;
    }
    switch (board_judge(exchange->loop->config->board, &question, exchange->began_ns)) {
    case BOARD_SOLD_OUT:
        answer_reason(exchange, STAMPEDE__API__V1__REASON__SOLD_OUT,
                      "fewer units remain than the order asks for");
        return true;
    case BOARD_NOT_STARTED:
        answer_reason(exchange, STAMPEDE__API__V1__REASON__SALE_NOT_STARTED,
                      "the sale has not started");
        return true;
    default:
        return false;
    }
}

static void place(struct exchange *exchange, const ProtobufCMessage *message)
{
    const Stampede__Orders__V1__PlaceOrderRequest *request = (const void *)message;
    struct upstream_placement *placement = &exchange->upstream.placement;
    *placement = (struct upstream_placement){
        .order.deadline_ns = deadline_of(exchange),
        .customer_id = request->customer_id,
        .idempotency_key = request->idempotency_key,
        .quantity = request->quantity,
        .request_id = exchange->request_id,
        .traceparent = exchange->traceparent_upstream,
        .owner = exchange,
    };
    if (!uuid_parse(request->sale_id, strlen(request->sale_id), &placement->order.sale_id)) {
        answer_field(exchange, "sale_id", "must be a UUID in its text form of 36 characters");
        return;
    }
    if (!check_length(exchange, "customer_id", request->customer_id, ORDER_ID_CUSTOMER_CHARS_MAX) ||
        !check_length(exchange, "idempotency_key", request->idempotency_key,
                      ORDER_ID_KEY_CHARS_MAX)) {
        return;
    }
    if (refuse_by_board(exchange, &placement->order.sale_id, request)) {
        return;
    }
    struct upstream_answer refusal;
    exchange->state = EXCHANGE_PLACING;
    if (!upstream_place(exchange->loop->upstream, placement, &refusal)) {
        tell(exchange, &refusal);
    }
}

static void start_call(struct exchange *exchange, const ProtobufCMessage *message,
                       const char *authorization)
{
    struct upstream_call *call = &exchange->upstream.call;
    *call = (struct upstream_call){
        .request = {.is_read = is_read(exchange), .deadline_ns = deadline_of(exchange)},
        .method = exchange->route->method,
        .message = message,
        .authorization = authorization,
        .request_id = exchange->request_id,
        .traceparent = exchange->traceparent_upstream,
        .owner = exchange,
    };
    /* A short body may be a long message: a number of two characters takes up to eleven bytes. */
    if (protobuf_c_message_get_packed_size(message) > CONTRACT_MESSAGE_BYTES_MAX) {
        answer_reason(exchange, STAMPEDE__API__V1__REASON__BODY_TOO_LARGE,
                      "The request is longer than the orders service takes.");
        return;
    }
    struct upstream_answer refusal;
    exchange->state = EXCHANGE_CALLING;
    if (!upstream_start(exchange->loop->upstream, call, &refusal)) {
        tell(exchange, &refusal);
    }
}

void exchange_cut_all(struct loop *loop)
{
    LIST_FOREACH_SAFE (&loop->exchanges, link, following) {
        struct exchange *exchange = LIST_OBJECT(link, struct exchange, link);
        MAGIC_CHECK(exchange, MAGIC_EXCHANGE);
        struct upstream_answer answer;
        if (exchange->state == EXCHANGE_PLACING) {
            upstream_stop_placement(loop->upstream, &exchange->upstream.placement, &answer);
        } else {
            upstream_stop_call(loop->upstream, &exchange->upstream.call, &answer);
        }
        if (answer.verdict == ATTEMPT_SAY_DRAINING) {
            loop->counts.refused_draining++;
        } else {
            loop->counts.cancelled++;
        }
        tell(exchange, &answer);
    }
}

/* --- Reading a request ------------------------------------------------------------------------ */

/* The pool is being cleared: the request is over, answered or not. */
static void on_dispose(void *data)
{
    struct exchange *exchange = data;
    MAGIC_CHECK(exchange, MAGIC_EXCHANGE);
    struct upstream *upstream = exchange->loop->upstream;
    if (exchange->state == EXCHANGE_PLACING) {
        upstream_forget_placement(upstream, &exchange->upstream.placement);
    } else if (exchange->state == EXCHANGE_CALLING) {
        upstream_forget_call(upstream, &exchange->upstream.call);
    }
    if (exchange->state != EXCHANGE_ANSWERED) {
        list_remove(&exchange->loop->exchanges, &exchange->link);
    }
    MAGIC_CLEAR(exchange);
}

static struct slice slice_of_iovec(h2o_iovec_t iovec)
{
    return (struct slice){iovec.base, iovec.len};
}

static struct loop *loop_of(h2o_req_t *req)
{
    return LIST_OBJECT(req->conn->ctx, struct loop, context);
}

static struct exchange *create_exchange(h2o_req_t *req)
{
    struct exchange *exchange = h2o_mem_alloc_shared(&req->pool, sizeof(*exchange), on_dispose);
    MAGIC_INIT(exchange, MAGIC_EXCHANGE);
    exchange->state = EXCHANGE_READING;
    exchange->req = req;
    exchange->loop = loop_of(req);
    exchange->link = (struct list_link){NULL, NULL};
    exchange->began_ns = clock_monotonic_ns();
    exchange->route = NULL;
    exchange->is_head = h2o_memis(req->input.method.base, req->input.method.len, "HEAD", 4);
    exchange->is_held = false;
    exchange->if_none_match = (struct slice){NULL, 0};
    exchange->memory = (struct bounded_pool){
        .pool = &req->pool,
        .bytes_left = EDGE_MESSAGE_BYTES_BASE +
                      EDGE_MESSAGE_BYTES_PER_BODY_BYTE * exchange->loop->config->body_bytes_max,
    };
    exchange->allocator = bounded_pool_allocator(&exchange->memory);
    list_push_back(&exchange->loop->exchanges, &exchange->link);
    return exchange;
}

static void read_headers(h2o_req_t *req, struct header entries[H2O_MAX_HEADERS],
                         struct headers *ret)
{
    ret->entries = entries;
    ret->count = 0;
    for (size_t i = 0; i < req->headers.size && ret->count < H2O_MAX_HEADERS; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        entries[ret->count++] =
            (struct header){slice_of_iovec(*header->name), slice_of_iovec(header->value)};
    }
}

/* Names the request: what the client sent, or something new. */
static void name_exchange(struct exchange *exchange, const struct headers *headers)
{
    struct trace_random *random = &exchange->loop->random;
    struct slice request_id = {NULL, 0};
    struct slice traceparent = {NULL, 0};
    (void)header_find(headers, "x-request-id", &request_id);
    (void)header_find(headers, "traceparent", &traceparent);
    trace_request_id(random, request_id, exchange->request_id);
    trace_parent(random, traceparent, exchange->traceparent);
    trace_parent_child(random, exchange->traceparent, exchange->traceparent_upstream);
    (void)header_find(headers, "if-none-match", &exchange->if_none_match);
}

/* Refuses a head that could be read in two ways, and closes its connection. */
static bool check_framing(struct exchange *exchange)
{
    h2o_req_t *req = exchange->req;
    if (req->version >= 0x200) {
        return true;
    }
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    struct framing_fault fault = framing_check(input->bytes, input->size);
    if (fault.description == NULL) {
        return true;
    }
    req->http1_is_persistent = 0;
    answer_field(exchange, fault.field, fault.description);
    return false;
}

/* Finds the route, or answers why there is none. */
static bool find_route(struct exchange *exchange, struct routes_match *match)
{
    struct slice method = slice_of_iovec(exchange->req->input.method);
    switch (routes_find(exchange->loop->config->routes, method, exchange->path, match)) {
    case ROUTES_FOUND:
        exchange->route = match->route;
        return true;
    case ROUTES_UNKNOWN_PATH:
        answer_reason(exchange, STAMPEDE__API__V1__REASON__ROUTE_NOT_FOUND,
                      "There is nothing at this path.");
        return false;
    case ROUTES_OTHER_METHOD:
        break;
    }
    char *allow = h2o_mem_alloc_pool(&exchange->req->pool, sizeof(match->allow));
    memcpy(allow, match->allow, sizeof(match->allow));
    struct problem problem = problem_of_reason(STAMPEDE__API__V1__REASON__METHOD_NOT_ALLOWED,
                                               "This path exists with other methods.");
    answer_problem(exchange, &problem, allow);
    return false;
}

/* A bound on the body as a sentence; not on a hot path. */
static void answer_too_large(struct exchange *exchange)
{
    char detail[SENTENCE_BYTES_MAX];
    (void)snprintf(detail, sizeof(detail), "The body is longer than %zu bytes.",
                   exchange->loop->config->body_bytes_max);
    answer_reason(exchange, STAMPEDE__API__V1__REASON__BODY_TOO_LARGE, detail);
}

/* The credentials as gRPC metadata takes them; NULL without any. False when they are refused. */
static bool read_authorization(struct exchange *exchange, const struct headers *headers,
                               const char **ret)
{
    struct slice value;
    size_t found = header_find(headers, "authorization", &value);
    *ret = NULL;
    if (found == 0) {
        return true;
    }
    if (found > 1 || value.length > AUTHORIZATION_CHARS_MAX ||
        !text_is_printable_ascii(value.bytes, value.length)) {
        answer_field(exchange, "Authorization", "must be given once, in printable ASCII");
        return false;
    }
    *ret = h2o_strdup(&exchange->req->pool, value.bytes, value.length).base;
    return true;
}

static void dispatch(struct exchange *exchange, const struct headers *headers,
                     const ProtobufCMessage *message)
{
    const struct contract_method *method = exchange->route->method;
    if (method == exchange->loop->config->place_order) {
        place(exchange, message);
        return;
    }
    if (method->server_streaming || method->client_streaming) {
        answer_reason(exchange, STAMPEDE__API__V1__REASON__METHOD_UNIMPLEMENTED,
                      "This edge does not offer streams over HTTP.");
        return;
    }
    const char *authorization;
    if (read_authorization(exchange, headers, &authorization)) {
        start_call(exchange, message, authorization);
    }
}

static void read_request(struct exchange *exchange, const struct headers *headers,
                         struct slice query)
{
    const struct loop_config *config = exchange->loop->config;
    struct routes_match match;
    if (!check_framing(exchange) || !find_route(exchange, &match)) {
        return;
    }
    if (exchange->req->entity.len > config->body_bytes_max) {
        answer_too_large(exchange);
        return;
    }
    const struct request_source source = {
        .match = &match,
        .headers = *headers,
        .query = query,
        .body = slice_of_iovec(exchange->req->entity),
    };
    ProtobufCMessage *message;
    struct refusal refusal;
    int error = request_read(config->schema, &source, &exchange->allocator, &message, &refusal);
    if (error == 0) {
        dispatch(exchange, headers, message);
    } else if (error == -EINVAL) {
        struct rpc_violation scratch;
        struct problem problem = problem_of_refusal(&refusal, &scratch);
        answer_problem(exchange, &problem, NULL);
    } else {
        answer_too_large(exchange);
    }
}

int exchange_on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    (void)handler;
    struct exchange *exchange = create_exchange(req);
    struct header entries[H2O_MAX_HEADERS];
    struct headers headers;
    struct slice query;
    read_headers(req, entries, &headers);
    routes_split_target(slice_of_iovec(req->input.path), &exchange->path, &query);
    name_exchange(exchange, &headers);
    read_request(exchange, &headers, query);
    if (exchange->state != EXCHANGE_ANSWERED) {
        exchange->is_held = true;
        held_begin(req);
    }
    return 0;
}
