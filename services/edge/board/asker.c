#include "edge/board/asker.h"

#include "base/clock.h"
#include "edge/board/board.h"
#include "edge/board/board_reply.h"
#include "edge/limits.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "rpc/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define MAGIC_ASKER            UINT32_C(0xa5ce0001)
#define FAILED_LOG_INTERVAL_MS 10000

struct asker {
    uint32_t magic;
    struct board *board;
    struct rpc_channel *channel;
    struct metrics_counter *answered, *failed;
    struct board_question_list *questions;
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    pthread_t thread;
    bool has_thread;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t changed; /* on the monotonic clock */
        bool is_stopping;
        bool is_awake;                /* somebody placed an order where nothing was to be asked */
        struct rpc_client_call *call; /* in flight */
        struct rpc_reply *reply;      /* of that call, once it is over */
    } _shared;
};

static void lock(struct asker *asker)
{
    (void)pthread_mutex_lock(&asker->_shared.lock);
}

static void unlock(struct asker *asker)
{
    (void)pthread_mutex_unlock(&asker->_shared.lock);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* A loop's thread, once after a silence. */
static void on_awake(void *data)
{
    struct asker *asker = data;
    MAGIC_CHECK(asker, MAGIC_ASKER);
    lock(asker);
    asker->_shared.is_awake = true;
    (void)pthread_cond_signal(&asker->_shared.changed);
    unlock(asker);
}

/* Waits for a change, or until the time has come. */
static void wait_locked(struct asker *asker, int64_t due_ns)
{
    if (due_ns == CLOCK_DEADLINE_NEVER) {
        (void)pthread_cond_wait(&asker->_shared.changed, &asker->_shared.lock);
        return;
    }
    const struct timespec due = {
        .tv_sec = due_ns / CLOCK_NS_PER_SECOND,
        .tv_nsec = due_ns % CLOCK_NS_PER_SECOND,
    };
    (void)pthread_cond_timedwait(&asker->_shared.changed, &asker->_shared.lock, &due);
}

/* Waits for the next round; false when it is time to end. */
static bool wait_for_round(struct asker *asker)
{
    lock(asker);
    for (;;) {
        /* Whoever awakes the board after this look sets is_awake after it, too. */
        asker->_shared.is_awake = false;
        unlock(asker);
        int64_t due_ns = board_next_due_ns(asker->board);
        lock(asker);
        if (asker->_shared.is_stopping || due_ns <= clock_monotonic_ns()) {
            break;
        }
        if (!asker->_shared.is_awake) {
            wait_locked(asker, due_ns);
        }
    }
    bool goes_on = !asker->_shared.is_stopping;
    unlock(asker);
    return goes_on;
}

/* --- Calling ---------------------------------------------------------------------------------- */

/* Channel thread. */
static void on_done(struct rpc_reply *reply, void *data)
{
    struct asker *asker = data;
    MAGIC_CHECK(asker, MAGIC_ASKER);
    lock(asker);
    CHECK(asker->_shared.reply == NULL);
    asker->_shared.reply = reply;
    (void)pthread_cond_signal(&asker->_shared.changed);
    unlock(asker);
}

/* Asks, and waits for the reply, which comes by the deadline. The caller's to free. */
static struct rpc_reply *call(struct asker *asker, const ProtobufCMessage *request,
                              int64_t asked_ns)
{
    const struct rpc_request rpc_request = {
        .full_method = BOARD_REPLY_METHOD,
        .reply_type = board_reply_type,
        .message = request,
        .deadline_ns = asked_ns + EDGE_BOARD_CALL_MS * CLOCK_NS_PER_MS,
        .on_done = on_done,
        .data = asker,
    };
    struct rpc_client_call *started;
    rpc_channel_call(asker->channel, &rpc_request, &started);
    lock(asker);
    asker->_shared.call = started;
    if (asker->_shared.is_stopping) {
        rpc_client_call_cancel(started);
    }
    while (asker->_shared.reply == NULL) {
        wait_locked(asker, CLOCK_DEADLINE_NEVER);
    }
    struct rpc_reply *reply = asker->_shared.reply;
    asker->_shared.reply = NULL;
    asker->_shared.call = NULL;
    unlock(asker);
    rpc_client_call_unref(started);
    return reply;
}

static void note_failure(struct asker *asker, const struct rpc_status *status)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(FAILED_LOG_INTERVAL_MS);
    metrics_counter_add(asker->failed, 1);
    log_event_limited(&limit, LOG_WARN, "board_not_read", LOG_INT("code", status->code),
                      LOG_STR("message", status->message));
}

/* One round. The time is taken before anything is asked: the lease counts from there. */
static void ask(struct asker *asker)
{
    bool has_more = false;
    bool goes_on = false;
    int64_t asked_ns = clock_monotonic_ns();
    size_t count = board_positions(asker->board, asked_ns, asker->positions, &has_more);
    if (count == 0) {
        return;
    }
    const ProtobufCMessage *request = board_reply_ask(asker->questions, asker->positions, count);
    struct rpc_reply *reply = call(asker, request, asked_ns);
    if (reply->status.code == RPC_OK) {
        metrics_counter_add(asker->answered, 1);
        goes_on = board_reply_take(asker->board, reply->message, asked_ns) || has_more;
    } else {
        note_failure(asker, &reply->status);
    }
    rpc_reply_free(reply);
    board_end_round(asker->board, asked_ns, goes_on);
}

static void *run(void *data)
{
    struct asker *asker = data;
    MAGIC_CHECK(asker, MAGIC_ASKER);
    while (wait_for_round(asker)) {
        ask(asker);
    }
    return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void init_shared(struct asker *asker)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&asker->_shared.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&asker->_shared.lock, NULL);
}

static struct metrics_counter *count_calls(struct metrics *metrics, const char *result)
{
    return metrics_counter(metrics, "stampede_board_calls_total", "ReadBoard calls, by their end.",
                           METRICS_LABELS({"result", result}));
}

int asker_create(struct board *board, struct rpc_channel *channel, struct metrics *metrics,
                 struct asker **ret)
{
    struct asker *asker = calloc(1, sizeof(*asker));
    if (asker == NULL) {
        return -ENOMEM;
    }
    asker->questions = board_reply_create_questions();
    if (asker->questions == NULL) {
        free(asker);
        return -ENOMEM;
    }
    MAGIC_INIT(asker, MAGIC_ASKER);
    asker->board = board;
    asker->channel = channel;
    asker->answered = count_calls(metrics, "answered");
    asker->failed = count_calls(metrics, "failed");
    init_shared(asker);
    board_on_awake(board, on_awake, asker);
    *ret = asker;
    return 0;
}

int asker_start(struct asker *asker)
{
    int error = pthread_create(&asker->thread, NULL, run, asker);
    if (error != 0) {
        return -error;
    }
    asker->has_thread = true;
    (void)pthread_setname_np(asker->thread, "edge-asker");
    return 0;
}

static void stop(struct asker *asker)
{
    lock(asker);
    asker->_shared.is_stopping = true;
    if (asker->_shared.call != NULL) {
        rpc_client_call_cancel(asker->_shared.call);
    }
    (void)pthread_cond_signal(&asker->_shared.changed);
    unlock(asker);
    (void)pthread_join(asker->thread, NULL);
}

void asker_destroy(struct asker *asker)
{
    if (asker == NULL) {
        return;
    }
    if (asker->has_thread) {
        stop(asker);
    }
    board_reply_destroy_questions(asker->questions);
    (void)pthread_cond_destroy(&asker->_shared.changed);
    (void)pthread_mutex_destroy(&asker->_shared.lock);
    MAGIC_CLEAR(asker);
    free(asker);
}
