/*
 * A stream's life:
 *
 *   opening ──▶ reading ◀──page sent, more to read── sending
 *                 │  │ └─────────a page──────────────▶ │
 *                 │  │ no database                     │ caught up
 *                 │  └──▶ retrying ──the board reads──▶│
 *                 │                                    ▼
 *                 └◀────────news of the version──── waiting
 *
 * In opening and reading the stream is its job's: whoever wants to end it then leaves a note, and
 * the job ends it when it comes back. In the other states whoever ends it does so at once. A stream
 * is held as rpc/streams.h says, and shares its lock; the board's comes second. Jobs are submitted
 * and calls finished after the lock is given back.
 */
#include "orders/adapters/grpc/event_stream.h"

#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/messages.h"
#include "orders/board/board.h"
#include "rpc/server.h"
#include "rpc/streams.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS            4
#define PAGE_BLOCK_BYTES ((size_t)64 * 1024)

#define PRUNED_TEXT_BYTES 96

enum state { OPENING, READING, SENDING, WAITING, RETRYING };

/* How a stream ends. */
enum ending {
    ENDING_NOT,
    ENDING_GONE,    /* the caller has left */
    ENDING_REFUSED, /* with the verdict */
    ENDING_PRUNED,  /* what is wanted next is no longer there */
    ENDING_BEYOND,  /* from_sequence has not been given yet */
};

struct stream {
    struct rpc_stream held;
    struct event_stream *service;
    struct list_link among_readers;
    struct lane_job job;
    struct board_watch watch;
    struct uuid sale_id;
    char sale_text[UUID_TEXT_CHARS + 1];

    enum state state;
    enum ending ending;   /* whoever ends it sets this, once */
    enum verdict verdict; /* of ENDING_REFUSED */
    int64_t next;         /* the sequence that is sent next */
    int64_t version;      /* the highest that the board has told */
    bool from_oldest;     /* nothing was sent yet, and any beginning will do */

    struct arena arena; /* holds the page and the message under way */
    struct store_event_page page;
    size_t at; /* the page's event that is sent next */
};

struct event_stream {
    struct event_stream_config config;
    struct board_listener listener;
    struct rpc_streams streams;
};

/* What is to be done once the lock is given back. */
enum act { ACT_NONE, ACT_READ, ACT_FINISH };

/* --- Ending ---------------------------------------------------------------------------------- */

static bool is_with_job(const struct stream *stream)
{
    return stream->state == OPENING || stream->state == READING;
}

static void detach_locked(struct stream *stream)
{
    board_unwatch(stream->service->config.board, &stream->watch);
    rpc_streams_close_locked(&stream->held);
}

/* Ends the stream, unless somebody has: now, or when its job comes back. */
static enum act end_locked(struct stream *stream, enum ending ending, enum verdict verdict)
{
    if (stream->ending != ENDING_NOT) {
        return ACT_NONE;
    }
    stream->ending = ending;
    stream->verdict = verdict;
    if (is_with_job(stream)) {
        return ACT_NONE;
    }
    detach_locked(stream);
    return ACT_FINISH;
}

static void refuse_pruned(const struct stream *stream)
{
    char text[PRUNED_TEXT_BYTES];
    snprintf(text, sizeof(text), "the oldest sequence that can still be read is %" PRId64,
             stream->page.oldest_sequence);
    struct rpc_status status = messages_reason("EVENTS_PRUNED", text);
    calls_refuse_status(stream->service->config.calls, stream->held.call, &status);
}

static void refuse_beyond(const struct stream *stream)
{
    struct violations violations = {0};
    violations_add(&violations, "from_sequence",
                   "must be at most one above the sale's version, or 0 for the oldest");
    calls_refuse_fields(stream->service->config.calls, stream->held.call, &violations);
}

/* Finishes the call of a stream that has ended; the stream is gone afterwards. */
static void finish(struct stream *stream)
{
    arena_fini(&stream->arena); /* what is being sent was packed */
    switch (stream->ending) {
    case ENDING_GONE:
        rpc_call_finish(stream->held.call, NULL);
        return;
    case ENDING_REFUSED:
        calls_refuse(stream->service->config.calls, stream->held.call, stream->verdict);
        return;
    case ENDING_PRUNED:
        refuse_pruned(stream);
        return;
    case ENDING_BEYOND:
        refuse_beyond(stream);
        return;
    case ENDING_NOT:
        break;
    }
    UNREACHABLE("only what has ended is finished");
}

static void submit(struct stream *stream);

static void do_act(struct stream *stream, enum act act)
{
    if (act == ACT_READ) {
        submit(stream);
    } else if (act == ACT_FINISH) {
        finish(stream);
    }
}

/* The caller has gone, or the server stops. */
static bool end_held_locked(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    struct stream *stream = LIST_OBJECT(held, struct stream, held);
    enum act act = ending == RPC_STREAMS_GONE
                       ? end_locked(stream, ENDING_GONE, VERDICT_DONE)
                       : end_locked(stream, ENDING_REFUSED, VERDICT_DRAINING);
    return act == ACT_FINISH;
}

static void finish_held(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    (void)ending; /* the stream has it, in more detail */
    finish(LIST_OBJECT(held, struct stream, held));
}

/* --- Sending --------------------------------------------------------------------------------- */

static enum act advance_locked(struct stream *stream);

static void on_sent(struct rpc_call *call, bool cancelled, void *data)
{
    struct stream *stream = data;
    struct event_stream *service = stream->service;
    enum act act = ACT_NONE;
    (void)call;
    if (cancelled) {
        rpc_streams_lose_caller(&stream->held);
        return;
    }
    rpc_streams_lock(&service->streams);
    if (stream->ending == ENDING_NOT) {
        CHECK(stream->state == SENDING);
        stream->at++;
        act = advance_locked(stream);
    }
    rpc_streams_unlock(&service->streams);
    do_act(stream, act);
}

static enum act send_locked(struct stream *stream)
{
    const struct store_event *event = &stream->page.events[stream->at];
    stream->state = SENDING;
    Stampede__Orders__V1__OrderEvents *message =
        messages_event(event, stream->sale_text, &stream->arena);
    if (message == NULL) {
        return end_locked(stream, ENDING_REFUSED, VERDICT_INTERNAL);
    }
    stream->next = event->sequence + 1;
    stream->from_oldest = false;
    rpc_call_send(stream->held.call, &message->base, on_sent, stream);
    return ACT_NONE;
}

/* Sends the page's next event, or goes on to read or to wait. */
static enum act advance_locked(struct stream *stream)
{
    if (stream->at < stream->page.count) {
        return send_locked(stream);
    }
    if (stream->page.more || stream->version >= stream->next) {
        stream->state = READING;
        return ACT_READ;
    }
    stream->state = WAITING;
    return ACT_NONE;
}

/* --- Reading --------------------------------------------------------------------------------- */

/* What a page without events means: they are pruned, or there are none yet. A version that the
 * board has seen and whose event is not there is looked for again at the board's pace. */
static enum act take_empty_page_locked(struct stream *stream)
{
    if (stream->next < stream->page.oldest_sequence) {
        if (!stream->from_oldest) {
            stream->state = WAITING; /* not its job's any more, so that it ends at once */
            return end_locked(stream, ENDING_PRUNED, VERDICT_DONE);
        }
        stream->next = stream->page.oldest_sequence;
        return ACT_READ;
    }
    stream->state = stream->version >= stream->next ? RETRYING : WAITING;
    return ACT_NONE;
}

/* A read has come back with a result. */
static enum act take_result_locked(struct stream *stream, enum store_result result)
{
    if (result == STORE_OK && stream->page.count > 0) {
        stream->at = 0;
        return advance_locked(stream);
    }
    if (result == STORE_OK) {
        return take_empty_page_locked(stream);
    }
    stream->state = RETRYING;
    if (result == STORE_NOT_FOUND) {
        return end_locked(stream, ENDING_REFUSED, VERDICT_SALE_NOT_FOUND);
    }
    if (result == STORE_BROKEN || result == STORE_REJECTED) {
        return end_locked(stream, ENDING_REFUSED, VERDICT_INTERNAL);
    }
    return ACT_NONE;
}

/* The job has come back: does what was left for it, or else goes on by the result. */
static void come_back(struct stream *stream, enum store_result result)
{
    struct event_stream *service = stream->service;
    enum act act = ACT_FINISH;
    rpc_streams_lock(&service->streams);
    if (stream->ending == ENDING_NOT && rpc_streams_is_stopping_locked(&service->streams)) {
        stream->ending = ENDING_REFUSED;
        stream->verdict = VERDICT_DRAINING;
    }
    if (stream->ending != ENDING_NOT) {
        detach_locked(stream);
    } else {
        act = take_result_locked(stream, result);
    }
    rpc_streams_unlock(&service->streams);
    do_act(stream, act);
}

static int64_t job_deadline_ns(const struct stream *stream)
{
    const struct calls_config *config = &stream->service->config.calls->config;
    return config->system->monotonic_ns(config->system->data) + config->transaction_ns_max;
}

static void run(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct stream *stream = LIST_OBJECT(job, struct stream, job);
    (void)arena; /* the page outlives the job */
    arena_reset(&stream->arena);
    stream->page = (struct store_event_page){0};
    enum store_result result = store->read_events(
        store->data, &stream->sale_id, stream->next, EVENT_STREAM_EVENTS_MAX,
        EVENT_STREAM_ORDERS_MAX, job_deadline_ns(stream), &stream->arena, &stream->page);
    come_back(stream, result);
}

static void refuse(struct lane_job *job, enum verdict verdict)
{
    struct stream *stream = LIST_OBJECT(job, struct stream, job);
    struct event_stream *service = stream->service;
    if (verdict == VERDICT_DRAINING || stream->state == OPENING) {
        rpc_streams_lock(&service->streams);
        (void)end_locked(stream, ENDING_REFUSED, verdict);
        rpc_streams_unlock(&service->streams);
    }
    come_back(stream, STORE_UNAVAILABLE);
}

/* --- Opening --------------------------------------------------------------------------------- */

static void end_opening(struct stream *stream, enum ending ending, enum verdict verdict)
{
    struct event_stream *service = stream->service;
    rpc_streams_lock(&service->streams);
    (void)end_locked(stream, ending, verdict);
    rpc_streams_unlock(&service->streams);
    come_back(stream, STORE_OK);
}

/* Why a sale that was looked for cannot be streamed; VERDICT_DONE if it was found. */
static enum verdict verdict_of(enum store_result result)
{
    switch (result) {
    case STORE_OK:
        return VERDICT_DONE;
    case STORE_NOT_FOUND:
        return VERDICT_SALE_NOT_FOUND;
    case STORE_UNAVAILABLE:
    case STORE_BUSY:
    case STORE_CONFLICT:
    case STORE_UNKNOWN:
        return VERDICT_DATABASE_UNAVAILABLE;
    case STORE_REJECTED:
    case STORE_BROKEN:
        return VERDICT_INTERNAL;
    }
    UNREACHABLE("every result is listed");
}

/* Holds the sale on the board and reads the first page. */
static void run_opening(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct stream *stream = LIST_OBJECT(job, struct stream, job);
    struct event_stream *service = stream->service;
    const struct calls_config *config = &service->config.calls->config;
    int64_t begun_ns = config->system->monotonic_ns(config->system->data);
    struct store_sale seen;

    enum store_result result =
        store->get_sale(store->data, &stream->sale_id, job_deadline_ns(stream), arena, &seen);
    if (result != STORE_OK) {
        end_opening(stream, ENDING_REFUSED, verdict_of(result));
        return;
    }
    if (stream->next > seen.sale.version + 1) {
        end_opening(stream, ENDING_BEYOND, VERDICT_DONE);
        return;
    }
    stream->watch.data = stream;
    if (board_watch(service->config.board, &stream->watch, &service->listener, &seen, begun_ns) <
        0) {
        end_opening(stream, ENDING_REFUSED, VERDICT_OVERLOADED);
        return;
    }
    rpc_streams_lock(&service->streams);
    stream->state = READING;
    stream->version = stream->version > seen.sale.version ? stream->version : seen.sale.version;
    rpc_streams_unlock(&service->streams);
    run(job, store, arena);
}

static void submit(struct stream *stream)
{
    stream->job = (struct lane_job){
        .deadline_ns = job_deadline_ns(stream),
        .run = stream->state == OPENING ? run_opening : run,
        .refuse = refuse,
    };
    lanes_submit_job(stream->service->config.calls->config.lanes, &stream->job);
}

static void open_stream(struct event_stream *service, struct stream *stream, struct rpc_call *call)
{
    if (!calls_hold(service->config.calls, call, &service->streams, &stream->held)) {
        return;
    }
    arena_init(&stream->arena, PAGE_BLOCK_BYTES, service->config.page_bytes_max);
    rpc_streams_watch_caller(&stream->held); /* a note only: the job comes first */
    submit(stream);
}

static void handle(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Orders__V1__StreamOrderEventsRequest *request = (const void *)message;
    struct event_stream *service = data;
    struct violations violations = {0};
    struct stream *stream = arena_calloc(rpc_call_arena(call), 1, sizeof(*stream));

    if (stream == NULL) {
        calls_refuse(service->config.calls, call, VERDICT_OVERLOADED);
        return;
    }
    bool is_named = messages_uuid(request->sale_id, "sale_id", &stream->sale_id, &violations);
    if (request->from_sequence < 0) {
        violations_add(&violations, "from_sequence", "is negative");
    }
    if (!is_named || violations.count > 0) {
        calls_refuse_fields(service->config.calls, call, &violations);
        return;
    }
    uuid_format(&stream->sale_id, stream->sale_text);
    stream->service = service;
    stream->state = OPENING;
    stream->next = request->from_sequence;
    stream->from_oldest = request->from_sequence == 0;
    open_stream(service, stream, call);
}

/* --- News ------------------------------------------------------------------------------------ */

/* Takes the stream for its job, where it is one that reads now. */
static void take_reader(struct rpc_stream *held, void *data)
{
    struct stream *stream = LIST_OBJECT(held, struct stream, held);
    struct list *readers = data;
    if (stream->state == RETRYING ||
        (stream->state == WAITING && stream->version >= stream->next)) {
        stream->state = READING; /* nobody else ends it from now on */
        list_push_back(readers, &stream->among_readers);
    }
}

static void take_news_locked(struct event_stream *service)
{
    struct board_sale sale;
    struct board_watch *watch;
    while ((watch = board_take_news(service->config.board, &service->listener, &sale)) != NULL) {
        struct stream *stream = watch->data;
        if (sale.seen.sale.version > stream->version) {
            stream->version = sale.seen.sale.version;
        }
    }
}

/* The board has read, so the database can be asked. */
static void on_read(void *data)
{
    struct event_stream *service = data;
    struct list readers;
    list_init(&readers);
    rpc_streams_lock(&service->streams);
    take_news_locked(service);
    rpc_streams_visit_locked(&service->streams, take_reader, &readers);
    rpc_streams_unlock(&service->streams);
    for (struct list_link *link; (link = list_pop_front(&readers)) != NULL;) {
        submit(LIST_OBJECT(link, struct stream, among_readers));
    }
}

/* --- The service ----------------------------------------------------------------------------- */

int event_stream_create(const struct event_stream_config *config, struct event_stream **ret)
{
    struct event_stream *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return -ENOMEM;
    }
    service->config = *config;
    service->listener = (struct board_listener){.on_read = on_read, .data = service};
    rpc_streams_init(&service->streams, config->streams_max, end_held_locked, finish_held);
    board_add_listener(config->board, &service->listener);
    *ret = service;
    return 0;
}

void event_stream_destroy(struct event_stream *service)
{
    if (service == NULL) {
        return;
    }
    rpc_streams_fini(&service->streams);
    free(service);
}

int event_stream_add(struct rpc_server *server, struct event_stream *service)
{
    const struct rpc_method method = {
        .service = &stampede__orders__v1__order_service__descriptor,
        .name = "StreamOrderEvents",
        .kind = RPC_SERVER_STREAM,
        .handle = handle,
        .data = service,
        .slots = SLOTS,
    };
    rpc_streams_end_with(&service->streams, server);
    return rpc_server_add(server, &method);
}

size_t event_stream_streams(struct event_stream *service)
{
    return rpc_streams_count(&service->streams);
}
