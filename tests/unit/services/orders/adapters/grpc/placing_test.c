/*
 * Calls that place orders, between a caller and lanes that the test plays: how long each order may
 * be worked on, and what is said of one whose outcome is not known.
 */
#include "orders/adapters/grpc/placing.h"

#include "base/arena.h"
#include "base/clock.h"
#include "rpc/server.h"
#include "rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS           CLOCK_NS_PER_MS
#define ARRIVED_NS   (1000000 * MS)
#define CALL_MS      5000
#define UNKNOWN_MS   7000
#define SALE_ID      "0190a5c0-0000-7000-8000-000000000001"
#define ITEMS        3
#define ARENA_BLOCK  4096
#define ARENA_BYTES  65536
#define REASON_BYTES 32

/* --- What is around a call ------------------------------------------------------------------- */

struct rpc_call {
    struct arena arena;
    int64_t deadline_ns;
    bool finished, failed;
    size_t results;            /* of a batch that is finished */
    char reason[REASON_BYTES]; /* of the call's refusal, or of the last item's error */
    int64_t retry_after_ms;    /* likewise */
};

static struct calls calls;
static struct rpc_call call;
static struct lane_batch *batch; /* that was handed to the lanes */

void lanes_submit(struct lanes *lanes, struct lane_batch *submitted)
{
    (void)lanes;
    assert_null(batch);
    batch = submitted;
}

void lanes_submit_job(struct lanes *lanes, struct lane_job *job)
{
    (void)lanes;
    (void)job;
    fail();
}

void lanes_submit_act(struct lanes *lanes, const struct uuid *sale_id, struct lane_job *job)
{
    (void)lanes;
    (void)sale_id;
    (void)job;
    fail();
}

int64_t lanes_retry_after_ms(struct lanes *lanes)
{
    (void)lanes;
    return 1000;
}

struct arena *rpc_call_arena(struct rpc_call *from)
{
    return &from->arena;
}

int64_t rpc_call_deadline_ns(const struct rpc_call *from)
{
    return from->deadline_ns;
}

int64_t rpc_call_arrived_ns(const struct rpc_call *from)
{
    (void)from;
    return ARRIVED_NS;
}

void rpc_call_on_cancel(struct rpc_call *from, rpc_stream_fn on_cancel, void *data)
{
    (void)from;
    (void)on_cancel;
    (void)data;
    fail();
}

void rpc_server_on_stop(struct rpc_server *server, rpc_stop_fn on_stop, void *data)
{
    (void)server;
    (void)on_stop;
    (void)data;
    fail();
}

static void take_status(struct rpc_call *to, const struct rpc_status *status)
{
    snprintf(to->reason, sizeof(to->reason), "%s", status->reason);
    to->retry_after_ms = status->retry_after_ms;
}

void rpc_call_finish(struct rpc_call *from, const ProtobufCMessage *message)
{
    const Stampede__Orders__V1__BatchPlaceOrdersResponse *reply = (const void *)message;
    assert_false(from->finished);
    from->finished = true;
    from->results = reply->n_results;
    for (size_t i = 0; i < reply->n_results; i++) {
        if (reply->results[i]->outcome_case ==
            STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR) {
            struct rpc_status status =
                rpc_status_from_message(reply->results[i]->error, &from->arena);
            take_status(from, &status);
        }
    }
}

void rpc_call_fail(struct rpc_call *from, const struct rpc_status *status)
{
    assert_false(from->finished);
    from->finished = from->failed = true;
    take_status(from, status);
}

static void on_orders(void *data, const size_t counts[VERDICT_COUNT])
{
    (void)data;
    (void)counts;
}

static void on_refused(void *data, const char *reason)
{
    (void)data;
    (void)reason;
}

static int set_up(void **state)
{
    const struct calls_config config = {
        .call_ns_max = CALL_MS * MS,
        .transaction_ns_max = 2000 * MS,
        .unknown_retry_ms = UNKNOWN_MS,
        .observer = {.on_orders = on_orders, .on_refused = on_refused},
    };
    (void)state;
    batch = NULL;
    call = (struct rpc_call){.deadline_ns = CLOCK_DEADLINE_NEVER};
    arena_init(&call.arena, ARENA_BLOCK, ARENA_BYTES);
    return calls_init(&calls, &config);
}

static int tear_down(void **state)
{
    (void)state;
    calls_fini(&calls);
    arena_fini(&call.arena);
    return 0;
}

/* --- What tests do --------------------------------------------------------------------------- */

/* Three orders, with these times of their own; a negative one makes its item invalid. */
static void start_batch(const int32_t timeouts_ms[ITEMS])
{
    static Stampede__Orders__V1__BatchPlaceOrdersItem items[ITEMS];
    static Stampede__Orders__V1__BatchPlaceOrdersItem *pointers[ITEMS];
    static Stampede__Orders__V1__BatchPlaceOrdersRequest request;

    stampede__orders__v1__batch_place_orders_request__init(&request);
    for (size_t i = 0; i < ITEMS; i++) {
        stampede__orders__v1__batch_place_orders_item__init(&items[i]);
        items[i].customer_id = (char *)(uintptr_t) "c-1";
        items[i].idempotency_key = (char *)(uintptr_t) "key";
        items[i].quantity = 1;
        items[i].timeout_ms = timeouts_ms[i];
        pointers[i] = &items[i];
    }
    request.sale_id = (char *)(uintptr_t)SALE_ID;
    request.items = pointers;
    request.n_items = ITEMS;
    placing_start_batch(&calls, &call, &request);
}

static void start_single(void)
{
    static Stampede__Orders__V1__PlaceOrderRequest request;
    stampede__orders__v1__place_order_request__init(&request);
    request.sale_id = (char *)(uintptr_t)SALE_ID;
    request.customer_id = (char *)(uintptr_t) "c-1";
    request.idempotency_key = (char *)(uintptr_t) "key";
    request.quantity = 1;
    placing_start_single(&calls, &call, &request);
}

static void answer_all(enum verdict verdict)
{
    assert_non_null(batch);
    for (size_t i = 0; i < batch->count; i++) {
        batch->orders[i].item.verdict = verdict;
    }
    batch->on_answered(batch, batch->data);
}

static void assert_times(size_t order, int64_t deadline_ms)
{
    assert_int_equal(batch->orders[order].item.deadline_ns, ARRIVED_NS + deadline_ms * MS);
    assert_int_equal(batch->orders[order].item.attempts_end_ns, ARRIVED_NS + CALL_MS * MS);
}

/* --- Tests ----------------------------------------------------------------------------------- */

/* Orders of one call have come to their edge at different times: each is given up at its own. */
static void placing_orders_of_one_call_have_their_own_times(void **state)
{
    (void)state;
    start_batch((const int32_t[ITEMS]){1200, 0, 9000});
    assert_int_equal(batch->count, ITEMS);
    assert_times(0, 1200);
    assert_times(1, CALL_MS);
    assert_times(2, CALL_MS);
    answer_all(VERDICT_SOLD_OUT);
    assert_true(call.finished);
}

/* A call that would wait longer gets no more than the longest life: what a 504 asks to wait counts
 * from it. A COMMIT is asked about until then though the caller gave up earlier. */
static void placing_patience_of_the_caller_is_bounded_and_kept(void **state)
{
    (void)state;
    call.deadline_ns = ARRIVED_NS + 60000 * MS;
    start_single();
    assert_times(0, CALL_MS);
    answer_all(VERDICT_SOLD_OUT);
    tear_down(NULL);
    assert_int_equal(set_up(NULL), 0);
    call.deadline_ns = ARRIVED_NS + 300 * MS;
    start_batch((const int32_t[ITEMS]){0, 100, 1000});
    assert_times(0, 300);
    assert_times(1, 100);
    assert_times(2, 300);
    answer_all(VERDICT_SOLD_OUT);
}

/* Who asks again sooner may meet a refusal that proves nothing. */
static void placing_unknown_outcome_says_when_an_answer_is_final(void **state)
{
    (void)state;
    start_batch((const int32_t[ITEMS]){0, 0, 0});
    answer_all(VERDICT_OUTCOME_UNKNOWN);
    assert_false(call.failed);
    assert_string_equal(call.reason, "OUTCOME_UNKNOWN");
    assert_int_equal(call.retry_after_ms, UNKNOWN_MS);
    tear_down(NULL);
    assert_int_equal(set_up(NULL), 0);
    start_single();
    answer_all(VERDICT_OUTCOME_UNKNOWN);
    assert_true(call.failed);
    assert_string_equal(call.reason, "OUTCOME_UNKNOWN");
    assert_int_equal(call.retry_after_ms, UNKNOWN_MS);
}

/* Whatever becomes of its orders, a call that has handed one to the lanes does not fail. */
static void placing_batch_is_answered_order_by_order(void **state)
{
    (void)state;
    start_batch((const int32_t[ITEMS]){0, -1, 0});
    assert_int_equal(batch->count, ITEMS - 1);
    answer_all(VERDICT_DATABASE_UNAVAILABLE);
    assert_true(call.finished);
    assert_false(call.failed);
    assert_int_equal(call.results, ITEMS);
    assert_string_equal(call.reason, "DATABASE_UNAVAILABLE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(placing_orders_of_one_call_have_their_own_times),
        TEST(placing_patience_of_the_caller_is_bounded_and_kept),
        TEST(placing_unknown_outcome_says_when_an_answer_is_final),
        TEST(placing_batch_is_answered_order_by_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
