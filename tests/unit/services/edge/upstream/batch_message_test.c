#include "edge/upstream/batch_message.h"

#include "base/arena.h"
#include "base/clock.h"
#include "contract/contract.h"
#include "edge/limits.h"
#include "edge/upstream/upstream_placement.h"
#include "edge/upstream/upstream_refusal.h"
#include "rpc/channel.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <google/rpc/status.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SALE        "0190a5b0-0000-7000-8000-000000000001"
#define NOW_NS      (INT64_C(1000000) * CLOCK_NS_PER_MS)
#define ORDERS      4
#define ARENA_BYTES (1 << 20)

typedef Stampede__Orders__V1__BatchPlaceOrdersRequest request_message;
typedef Stampede__Orders__V1__BatchPlaceOrdersResponse response_message;
typedef Stampede__Orders__V1__BatchPlaceOrdersResult result_message;

struct stage {
    struct batch_message *batch;
    struct upstream_placement placements[ORDERS];
    struct combiner_call call;
    struct arena arena; /* of the errors in the reply */
    result_message results[ORDERS];
    result_message *result_list[ORDERS];
    Stampede__Orders__V1__Order orders[ORDERS];
    response_message response;
    struct rpc_reply reply;
};

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    assert_non_null(stage);
    assert_int_equal(batch_message_create(&stage->batch), 0);
    arena_init(&stage->arena, 1024, ARENA_BYTES);
    stampede__orders__v1__batch_place_orders_response__init(&stage->response);
    stage->call.count = ORDERS;
    assert_true(uuid_parse(SALE, strlen(SALE), &stage->call.sale_id));
    for (size_t i = 0; i < ORDERS; i++) {
        stage->placements[i] = (struct upstream_placement){
            .order = {.sale_id = stage->call.sale_id, .deadline_ns = INT64_MAX},
            .customer_id = "customer",
            .idempotency_key = "key",
            .quantity = (int32_t)i + 1,
            .request_id = "request",
            .traceparent = "trace",
        };
        stage->call.orders[i] = &stage->placements[i].order;
        stampede__orders__v1__batch_place_orders_result__init(&stage->results[i]);
        stampede__orders__v1__order__init(&stage->orders[i]);
        stage->result_list[i] = &stage->results[i];
    }
    stage->response.n_results = ORDERS;
    stage->response.results = stage->result_list;
    stage->reply.message = &stage->response.base;
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    batch_message_destroy(stage->batch);
    arena_fini(&stage->arena);
    free(stage);
    return 0;
}

static const request_message *ask(struct stage *stage)
{
    return (const void *)batch_message_ask(stage->batch, &stage->call, NOW_NS);
}

static void answer_order(struct stage *stage, size_t i)
{
    stage->results[i].outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ORDER;
    stage->results[i].order = &stage->orders[i];
}

static void answer_error(struct stage *stage, size_t i, enum rpc_code code, const char *reason,
                         const char *text)
{
    const struct rpc_status status = {
        .code = code, .message = text, .reason = reason, .domain = CONTRACT_ERROR_DOMAIN};
    stage->results[i].outcome_case = STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_RESULT__OUTCOME_ERROR;
    stage->results[i].error = rpc_status_to_message(&status, &stage->arena);
    assert_non_null(stage->results[i].error);
}

static const struct combiner_result *read_reply(struct stage *stage)
{
    return batch_message_read(stage->batch, &stage->call, &stage->reply);
}

static void assert_refusal(const struct combiner_result *result, const char *reason,
                           const char *text)
{
    const struct upstream_refusal *refusal = result->detail;
    assert_int_equal(result->result, ATTEMPT_REFUSED);
    assert_string_equal(refusal->status.reason, reason);
    assert_string_equal(refusal->status.message, text);
    assert_non_null(refusal->reason);
}

/* --- Asking --------------------------------------------------------------------------------- */

/* An order that arrives under another name is another order. */
static void batch_message_request_names_every_order(void **state)
{
    struct stage *stage = *state;
    const request_message *request = ask(stage);
    assert_string_equal(request->sale_id, SALE);
    assert_int_equal(request->n_items, ORDERS);
    for (size_t i = 0; i < ORDERS; i++) {
        assert_string_equal(request->items[i]->customer_id, "customer");
        assert_string_equal(request->items[i]->idempotency_key, "key");
        assert_int_equal(request->items[i]->quantity, i + 1);
        assert_string_equal(request->items[i]->request_id, "request");
        assert_string_equal(request->items[i]->traceparent, "trace");
    }
}

/* An order that is decided after its 504 said that no attempt can still do it would be a lie. */
static void batch_message_request_bounds_each_orders_time(void **state)
{
    static const struct {
        int64_t left_ms, timeout_ms;
    } rows[ORDERS] = {
        {EDGE_ORDER_MARGIN_MS + 1000, 1000},
        {EDGE_ORDER_MARGIN_MS, 1},
        {-5000, 1},
        {INT64_C(3600) * 1000, CONTRACT_DECISION_MS},
    };
    struct stage *stage = *state;
    for (size_t i = 0; i < ORDERS; i++) {
        stage->placements[i].order.deadline_ns = NOW_NS + rows[i].left_ms * CLOCK_NS_PER_MS;
    }
    const request_message *request = ask(stage);
    for (size_t i = 0; i < ORDERS; i++) {
        assert_int_equal(request->items[i]->timeout_ms, rows[i].timeout_ms);
    }
}

/* The combiner fills calls by this figure: one that is too small makes calls that cannot arrive. */
static void batch_message_bytes_max_is_never_passed(void **state)
{
    struct stage *stage = *state;
    struct upstream_placement *placement = &stage->placements[0];
    static char customer[CONTRACT_MESSAGE_BYTES_MAX / 64];
    memset(customer, 'c', sizeof(customer) - 1);
    placement->customer_id = customer;
    placement->quantity = INT32_MAX;
    stage->call.count = 0;
    size_t empty = protobuf_c_message_get_packed_size(&ask(stage)->base);
    stage->call.count = 1;
    size_t full = protobuf_c_message_get_packed_size(&ask(stage)->base);
    assert_true(full - empty <= batch_message_bytes_max(placement));
}

/* --- Reading -------------------------------------------------------------------------------- */

/* The common case: each order has its own result, whatever those beside it say. */
static void batch_message_reply_gives_each_order_its_result(void **state)
{
    struct stage *stage = *state;
    answer_order(stage, 0);
    answer_error(stage, 1, RPC_FAILED_PRECONDITION, "SOLD_OUT", "none left");
    answer_error(stage, 2, RPC_FAILED_PRECONDITION, "SALE_ENDED", "over");
    answer_order(stage, 3);
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    assert_int_equal(results[0].result, ATTEMPT_DONE);
    assert_ptr_equal(results[0].detail, &stage->results[0]);
    assert_refusal(&results[1], "SOLD_OUT", "none left");
    assert_refusal(&results[2], "SALE_ENDED", "over");
    assert_int_equal(results[3].result, ATTEMPT_DONE);
    assert_ptr_equal(results[3].detail, &stage->results[3]);
}

/* Errors that repeat are read once; what is said to people is each one's own all the same. */
static void batch_message_repeated_errors_keep_their_own_sentence(void **state)
{
    struct stage *stage = *state;
    answer_error(stage, 0, RPC_FAILED_PRECONDITION, "SOLD_OUT", "first");
    answer_error(stage, 1, RPC_FAILED_PRECONDITION, "SOLD_OUT", "second");
    answer_error(stage, 2, RPC_FAILED_PRECONDITION, "SOLD_OUT", "third");
    answer_error(stage, 3, RPC_FAILED_PRECONDITION, "SALE_ENDED", "fourth");
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    assert_refusal(&results[0], "SOLD_OUT", "first");
    assert_refusal(&results[1], "SOLD_OUT", "second");
    assert_refusal(&results[2], "SOLD_OUT", "third");
    assert_refusal(&results[3], "SALE_ENDED", "fourth");
}

/* The combiner sends the next call while it still hands out the results of the last. */
static void batch_message_results_outlive_the_next_request(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < ORDERS; i++) {
        answer_error(stage, i, RPC_FAILED_PRECONDITION, "SOLD_OUT", "none left");
    }
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    (void)ask(stage);
    for (size_t i = 0; i < ORDERS; i++) {
        assert_refusal(&results[i], "SOLD_OUT", "none left");
    }
}

/* Nobody knows which result is whose, so nothing is proven. */
static void batch_message_reply_of_another_length_proves_nothing(void **state)
{
    struct stage *stage = *state;
    for (size_t i = 0; i < ORDERS; i++) {
        answer_order(stage, i);
    }
    stage->response.n_results = ORDERS - 1;
    assert_null(read_reply(stage));
}

/* A peer that says neither yes nor no has said nothing; what others were told stands. */
static void batch_message_item_without_an_outcome_proves_nothing(void **state)
{
    struct stage *stage = *state;
    answer_order(stage, 1);
    stage->results[1].order = NULL;
    answer_error(stage, 2, RPC_OK, NULL, "fine");
    answer_order(stage, 3);
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    assert_int_equal(results[0].result, ATTEMPT_LOST);
    assert_int_equal(results[1].result, ATTEMPT_LOST);
    assert_int_equal(results[2].result, ATTEMPT_LOST);
    assert_int_equal(results[3].result, ATTEMPT_DONE);
}

/* A call that was lost may have placed its orders; one that was refused as a whole has not. */
static void batch_message_failed_call_is_lost_or_refused_for_all(void **state)
{
    struct stage *stage = *state;
    stage->reply.message = NULL;
    stage->reply.status = (struct rpc_status){.code = RPC_UNAVAILABLE, .message = "gone"};
    assert_null(read_reply(stage));
    stage->reply.status = (struct rpc_status){.code = RPC_NOT_FOUND,
                                              .message = "no such sale",
                                              .reason = "SALE_NOT_FOUND",
                                              .domain = CONTRACT_ERROR_DOMAIN};
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    for (size_t i = 0; i < ORDERS; i++) {
        assert_refusal(&results[i], "SALE_NOT_FOUND", "no such sale");
    }
}

/* Too long for one of the two sides: the combiner halves such a call rather than repeat it. */
static void batch_message_call_that_is_too_long_is_lost_for_good(void **state)
{
    struct stage *stage = *state;
    stage->reply.message = NULL;
    stage->reply.status = (struct rpc_status){.code = RPC_RESOURCE_EXHAUSTED, .message = "long"};
    const struct combiner_result *results = read_reply(stage);
    assert_non_null(results);
    for (size_t i = 0; i < ORDERS; i++) {
        assert_int_equal(results[i].result, ATTEMPT_LOST_FOR_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batch_message_request_names_every_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_request_bounds_each_orders_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(batch_message_bytes_max_is_never_passed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_reply_gives_each_order_its_result, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(batch_message_repeated_errors_keep_their_own_sentence,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_results_outlive_the_next_request, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(batch_message_reply_of_another_length_proves_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_item_without_an_outcome_proves_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_failed_call_is_lost_or_refused_for_all,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch_message_call_that_is_too_long_is_lost_for_good,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
