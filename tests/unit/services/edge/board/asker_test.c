/* The thread that asks for the board, with a channel that the test plays. */
#include "edge/board/asker.h"

#include "base/clock.h"
#include "base/id_filter.h"
#include "edge/board/board.h"
#include "edge/limits.h"
#include "metrics/metrics.h"
#include "rpc/channel.h"

#include <stampede/sales/v1/sales.pb-c.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#define MS           CLOCK_NS_PER_MS
#define LEASE_MS     500
#define PATIENCE_MS  60000
#define FILTER_BYTES 1280
#define SALE_ID      "0190a5c0-0000-7000-8000-000000000001"

/* --- The channel ------------------------------------------------------------------------------ */

/* The call in flight; on_done is NULL while there is none. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rpc_request call;
static bool is_over; /* calls are cancelled as soon as they come */

static void end_call(struct rpc_reply *reply)
{
    pthread_mutex_lock(&lock);
    struct rpc_request ended = call;
    call.on_done = NULL;
    pthread_mutex_unlock(&lock);
    if (ended.on_done != NULL) {
        ended.on_done(reply, ended.data);
    }
}

static struct rpc_reply cancelled = {.status = {.code = RPC_CANCELLED, .message = "cancelled"}};

void rpc_channel_call(struct rpc_channel *channel, const struct rpc_request *request,
                      struct rpc_client_call **ret_call)
{
    (void)channel;
    *ret_call = NULL;
    pthread_mutex_lock(&lock);
    call = *request;
    bool ends = is_over;
    pthread_mutex_unlock(&lock);
    if (ends) {
        end_call(&cancelled);
    }
}

void rpc_client_call_cancel(struct rpc_client_call *cancelling)
{
    (void)cancelling;
}

void rpc_client_call_unref(struct rpc_client_call *over)
{
    (void)over;
}

void rpc_reply_free(struct rpc_reply *reply)
{
    (void)reply;
}

/* --- What tests do ---------------------------------------------------------------------------- */

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2 * MS}, NULL);
}

static enum board_verdict judge(struct board *board, int64_t now_ns)
{
    struct board_question question = {
        .customer_id = "c-1", .customer_length = 3, .key = "key", .key_length = 3};
    assert_true(uuid_parse(SALE_ID, sizeof(SALE_ID) - 1, &question.sale_id));
    return board_judge(board, &question, now_ns);
}

/* When the call in flight was asked, by the deadline that it was given; waits for one, with orders
 * for the sale going on. */
static int64_t wait_asked_ns(struct board *board)
{
    int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    for (;;) {
        pthread_mutex_lock(&lock);
        bool is_there = call.on_done != NULL;
        int64_t asked_ns = call.deadline_ns - EDGE_BOARD_CALL_MS * MS;
        pthread_mutex_unlock(&lock);
        if (is_there) {
            return asked_ns;
        }
        assert_true(clock_monotonic_ns() < deadline_ns);
        (void)judge(board, clock_monotonic_ns());
        pause_shortly();
    }
}

/* Answers the call in flight: sold out, read this moment, and nobody has an order. */
static void answer_sold_out(struct board *board)
{
    static uint8_t nobody[FILTER_BYTES];
    Stampede__Sales__V1__FilterChunk chunk = STAMPEDE__SALES__V1__FILTER_CHUNK__INIT;
    Stampede__Sales__V1__BoardEntry entry = STAMPEDE__SALES__V1__BOARD_ENTRY__INIT;
    Stampede__Sales__V1__BoardEntry *entries[] = {&entry};
    Stampede__Sales__V1__ReadBoardResponse response =
        STAMPEDE__SALES__V1__READ_BOARD_RESPONSE__INIT;
    static struct rpc_reply reply;

    chunk.version = 5;
    chunk.total = FILTER_BYTES;
    chunk.hashes = ID_FILTER_HASHES;
    chunk.data.data = nobody;
    chunk.data.len = sizeof(nobody);
    entry.sale_id = (char *)(uintptr_t)SALE_ID;
    entry.state = STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT;
    entry.version = entry.sold_out_since = 5;
    entry.filter = &chunk;
    response.n_entries = 1;
    response.entries = entries;
    reply = (struct rpc_reply){.status = {.code = RPC_OK}, .message = &response.base};
    end_call(&reply);
    (void)wait_asked_ns(board); /* the next call: the reply, which is on this stack, was read */
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* CORRECTNESS C1: what the answer says may have been so no later than when it was asked for,
 * however long it was on its way. */
static void asker_slow_answer_counts_from_the_asking(void **state)
{
    const struct board_config config = {
        .sales_max = 4, .filter_bytes_max = 65536, .secret = {1, 2}};
    struct metrics *metrics = metrics_create();
    struct board *board;
    struct asker *asker;
    (void)state;

    assert_non_null(metrics);
    assert_int_equal(board_create(&config, &board), 0);
    assert_int_equal(asker_create(board, NULL, metrics, &asker), 0);
    assert_int_equal(asker_start(asker), 0);
    int64_t asked_ns = wait_asked_ns(board);
    while (clock_monotonic_ns() < asked_ns + 200 * MS) {
        pause_shortly();
    }
    answer_sold_out(board);
    assert_int_equal(judge(board, asked_ns + LEASE_MS * MS - 1), BOARD_SOLD_OUT);
    assert_int_equal(judge(board, asked_ns + LEASE_MS * MS), BOARD_FORWARD);
    pthread_mutex_lock(&lock);
    is_over = true;
    pthread_mutex_unlock(&lock);
    end_call(&cancelled);
    asker_destroy(asker);
    board_destroy(board);
    metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asker_slow_answer_counts_from_the_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
