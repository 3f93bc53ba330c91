/*
 * A stream's life:
 *
 *   opening ──sales read, held on the board──▶ idle ◀──▶ sending ──caller gone, drain──▶ closed
 *      └── no such sale, no database, no room ─────────────────────────────────────────────▲
 *
 * Streams are held as rpc/streams.h says, and share its lock; under it the board is asked (whose
 * lock comes second) and messages are handed to the core, which does not block. Whoever closes a
 * stream takes it off everything under the lock, and finishes the call after it.
 */
#include "orders/adapters/grpc/sale_watch.h"

#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/messages.h"
#include "orders/board/board.h"
#include "rpc/server.h"
#include "rpc/streams.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS 16

_Static_assert(SALE_WATCH_SALES_MAX == 100, "a refusal says so");

struct stream;

/* One sale of a stream. */
struct watched {
    struct board_watch watch;
    struct stream *stream;
    struct list_link dirty; /* on the stream's list: to be sent as it is then */
    bool was_sent;
    enum sale_state state; /* as it was sent last, with the two below */
    int32_t stock_total, stock_remaining;
};

struct stream {
    struct rpc_stream held;
    struct sale_watch *service;
    struct lane_job job; /* reads the sales for the first time */
    bool is_opening, is_sending;
    struct list dirty;
    size_t count;
    struct watched *sales;
    struct uuid *sale_ids;
};

struct sale_watch {
    const struct calls *calls;
    struct board *board;
    struct board_listener listener;
    struct rpc_streams streams; /* all but the closed */
};

/* --- Closing --------------------------------------------------------------------------------- */

/* Takes the stream off everything. The caller has found it not closed, and finishes its call. */
static void detach_locked(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        board_unwatch(stream->service->board, &stream->sales[i].watch);
    }
    rpc_streams_close_locked(&stream->held);
}

/* Closes a stream that opens, which nobody else does, and tells its caller why. */
static void close_for(struct stream *stream, enum verdict verdict)
{
    struct sale_watch *service = stream->service;
    rpc_streams_lock(&service->streams);
    detach_locked(stream);
    rpc_streams_unlock(&service->streams);
    calls_refuse(service->calls, stream->held.call, verdict);
}

/* The caller has gone, or the server stops. */
static bool end_locked(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    struct stream *stream = LIST_OBJECT(held, struct stream, held);
    (void)ending;
    if (stream->is_opening) { /* it looks itself at both */
        return false;
    }
    detach_locked(stream);
    return true;
}

static void finish(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    const struct stream *stream = LIST_OBJECT(held, struct stream, held);
    if (ending == RPC_STREAMS_GONE) {
        rpc_call_finish(held->call, NULL);
    } else {
        calls_refuse(stream->service->calls, held->call, VERDICT_DRAINING);
    }
}

/* --- Sending --------------------------------------------------------------------------------- */

static bool is_as_sent(const struct watched *watched, const struct store_sale *seen)
{
    return watched->was_sent && watched->state == sale_state_at(&seen->sale, seen->now_us) &&
           watched->stock_total == seen->sale.stock_total &&
           watched->stock_remaining == seen->sale.stock_remaining;
}

static void note_sent(struct watched *watched, const struct store_sale *seen)
{
    watched->was_sent = true;
    watched->state = sale_state_at(&seen->sale, seen->now_us);
    watched->stock_total = seen->sale.stock_total;
    watched->stock_remaining = seen->sale.stock_remaining;
}

static void on_sent(struct rpc_call *call, bool cancelled, void *data);

/* Sends the next sale that shows something new, if there is one and nothing is under way. */
static void send_next_locked(struct stream *stream)
{
    struct board_sale sale;
    struct messages_sale message;
    struct list_link *link;

    while (!stream->is_sending && (link = list_pop_front(&stream->dirty)) != NULL) {
        struct watched *watched = LIST_OBJECT(link, struct watched, dirty);
        board_look(stream->service->board, &watched->watch, &sale);
        if (!is_as_sent(watched, &sale.seen)) {
            note_sent(watched, &sale.seen);
            messages_sale(&sale.seen.sale, sale.seen.now_us, &message);
            stream->is_sending = true;
            rpc_call_send(stream->held.call, &message.message.base, on_sent, stream);
        }
    }
}

static void on_sent(struct rpc_call *call, bool cancelled, void *data)
{
    struct stream *stream = data;
    struct rpc_streams *streams = &stream->service->streams;
    (void)call;
    if (cancelled) {
        rpc_streams_lose_caller(&stream->held);
        return;
    }
    rpc_streams_lock(streams);
    stream->is_sending = false;
    if (rpc_streams_is_open_locked(&stream->held)) {
        send_next_locked(stream);
    }
    rpc_streams_unlock(streams);
}

static void make_dirty_locked(struct watched *watched)
{
    if (!list_link_is_linked(&watched->dirty)) {
        list_push_back(&watched->stream->dirty, &watched->dirty);
    }
}

/* The board has read. */
static void on_read(void *data)
{
    struct sale_watch *service = data;
    struct board_sale sale;
    struct board_watch *watch;
    rpc_streams_lock(&service->streams);
    while ((watch = board_take_news(service->board, &service->listener, &sale)) != NULL) {
        struct watched *watched = watch->data;
        make_dirty_locked(watched);
        if (!watched->stream->is_opening) {
            send_next_locked(watched->stream);
        }
    }
    rpc_streams_unlock(&service->streams);
}

/* --- Opening --------------------------------------------------------------------------------- */

static const struct store_sale *find_sale(const struct store_sale_page *page,
                                          const struct uuid *sale_id)
{
    for (size_t i = 0; i < page->count; i++) {
        if (uuid_equal(&page->sales[i].sale.sale_id, sale_id)) {
            return &page->sales[i];
        }
    }
    return NULL;
}

/* Holds every sale on the board; VERDICT_DONE, or why not. */
static enum verdict hold_sales(struct stream *stream, const struct store_sale_page *page,
                               int64_t begun_ns)
{
    struct sale_watch *service = stream->service;
    for (size_t i = 0; i < stream->count; i++) {
        const struct store_sale *found = find_sale(page, &stream->sale_ids[i]);
        if (found == NULL) {
            return VERDICT_SALE_NOT_FOUND;
        }
        stream->sales[i].watch.data = &stream->sales[i];
        if (board_watch(service->board, &stream->sales[i].watch, &service->listener, found,
                        begun_ns) < 0) {
            return VERDICT_OVERLOADED;
        }
    }
    return VERDICT_DONE;
}

/* From here on the stream may be closed by anybody: nothing of it is touched after the lock. */
static void open_stream(struct stream *stream)
{
    struct sale_watch *service = stream->service;
    struct rpc_call *call = stream->held.call;
    rpc_streams_lock(&service->streams);
    bool is_stopping = rpc_streams_is_stopping_locked(&service->streams);
    stream->is_opening = false;
    if (is_stopping) {
        detach_locked(stream);
    } else {
        for (size_t i = 0; i < stream->count; i++) {
            make_dirty_locked(&stream->sales[i]);
        }
        send_next_locked(stream);
        rpc_streams_watch_caller(&stream->held);
    }
    rpc_streams_unlock(&service->streams);
    if (is_stopping) {
        calls_refuse(service->calls, call, VERDICT_DRAINING);
    }
}

static void run(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct stream *stream = LIST_OBJECT(job, struct stream, job);
    const struct calls_config *config = &stream->service->calls->config;
    int64_t begun_ns = config->system->monotonic_ns(config->system->data);
    struct store_sale_page page;

    enum store_result result =
        store->read_sales(store->data, stream->sale_ids, stream->count,
                          begun_ns + config->transaction_ns_max, arena, &page);
    enum verdict verdict = result == STORE_OK ? hold_sales(stream, &page, begun_ns)
                           : result == STORE_BROKEN || result == STORE_REJECTED
                               ? VERDICT_INTERNAL
                               : VERDICT_DATABASE_UNAVAILABLE;
    if (verdict != VERDICT_DONE) {
        close_for(stream, verdict);
    } else {
        open_stream(stream);
    }
}

static void refuse(struct lane_job *job, enum verdict verdict)
{
    close_for(LIST_OBJECT(job, struct stream, job), verdict);
}

static void add_sale(struct stream *stream, const char *text, const char *field,
                     struct violations *violations)
{
    struct uuid sale_id;
    if (!messages_uuid(text, field, &sale_id, violations)) {
        return;
    }
    for (size_t i = 0; i < stream->count; i++) {
        if (uuid_equal(&stream->sale_ids[i], &sale_id)) {
            return; /* named twice, told once */
        }
    }
    stream->sales[stream->count].stream = stream;
    stream->sale_ids[stream->count++] = sale_id;
}

static void read_request(struct stream *stream,
                         const Stampede__Sales__V1__WatchSalesRequest *request,
                         struct violations *violations)
{
    const bool has_one = request->sale_id[0] != '\0';
    if (has_one && request->n_sale_ids > 0) {
        violations_add(violations, "sale_ids", "must be empty where sale_id is given");
    } else if (request->n_sale_ids > SALE_WATCH_SALES_MAX) {
        violations_add(violations, "sale_ids", "holds at most 100 sales");
    } else if (request->n_sale_ids == 0) {
        add_sale(stream, request->sale_id, "sale_id", violations);
    } else {
        for (size_t i = 0; i < request->n_sale_ids && violations->count < VIOLATIONS_MAX; i++) {
            add_sale(stream, request->sale_ids[i], "sale_ids", violations);
        }
    }
}

static struct stream *make_stream(struct sale_watch *service, struct arena *arena, size_t sales)
{
    struct stream *stream = arena_calloc(arena, 1, sizeof(*stream));
    struct watched *watched = arena_calloc(arena, sales, sizeof(*watched));
    struct uuid *sale_ids = arena_calloc(arena, sales, sizeof(*sale_ids));
    if (stream == NULL || watched == NULL || sale_ids == NULL) {
        return NULL;
    }
    *stream = (struct stream){
        .service = service,
        .is_opening = true,
        .sales = watched,
        .sale_ids = sale_ids,
    };
    list_init(&stream->dirty);
    return stream;
}

static void handle(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__WatchSalesRequest *request = (const void *)message;
    struct sale_watch *service = data;
    const struct calls *calls = service->calls;
    struct violations violations = {0};
    size_t sales = request->n_sale_ids;

    sales = sales < 1 ? 1 : sales > SALE_WATCH_SALES_MAX ? SALE_WATCH_SALES_MAX : sales;
    struct stream *stream = make_stream(service, rpc_call_arena(call), sales);
    if (stream == NULL) {
        calls_refuse(calls, call, VERDICT_OVERLOADED);
        return;
    }
    read_request(stream, request, &violations);
    if (violations.count > 0) {
        calls_refuse_fields(calls, call, &violations);
        return;
    }
    if (!calls_hold(calls, call, &service->streams, &stream->held)) {
        return;
    }
    stream->job = (struct lane_job){
        .deadline_ns = calls_deadline_ns(calls, call),
        .run = run,
        .refuse = refuse,
    };
    lanes_submit_job(calls->config.lanes, &stream->job);
}

/* --- The service ----------------------------------------------------------------------------- */

int sale_watch_create(const struct calls *calls, struct board *board, size_t streams_max,
                      struct sale_watch **ret)
{
    struct sale_watch *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return -ENOMEM;
    }
    service->calls = calls;
    service->board = board;
    service->listener = (struct board_listener){.on_read = on_read, .data = service};
    rpc_streams_init(&service->streams, streams_max, end_locked, finish);
    board_add_listener(board, &service->listener);
    *ret = service;
    return 0;
}

void sale_watch_destroy(struct sale_watch *service)
{
    if (service == NULL) {
        return;
    }
    rpc_streams_fini(&service->streams);
    free(service);
}

int sale_watch_add(struct rpc_server *server, struct sale_watch *service)
{
    const struct rpc_method method = {
        .service = &stampede__sales__v1__sale_service__descriptor,
        .name = "WatchSales",
        .kind = RPC_SERVER_STREAM,
        .handle = handle,
        .data = service,
        .slots = SLOTS,
    };
    rpc_streams_end_with(&service->streams, server);
    return rpc_server_add(server, &method);
}

size_t sale_watch_streams(struct sale_watch *service)
{
    return rpc_streams_count(&service->streams);
}
