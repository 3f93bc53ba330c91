/*
 * WatchSales with a caller whose reading the test decides: the calls of libs/rpc and the lanes that
 * the service uses are here, the board is the real one on a clock that stands still.
 */
#include "orders/adapters/grpc/sale_watch.h"

#include "base/arena.h"
#include "base/clock.h"
#include "orders/adapters/grpc/calls.h"
#include "orders/board/board.h"
#include "rpc/server.h"

#include <stampede/sales/v1/sales.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS CLOCK_NS_PER_MS

/* --- What is around the service -------------------------------------------------------------- */

struct rpc_call {
    struct arena arena;
    rpc_stream_fn on_sent, on_cancel;
    void *on_sent_data, *on_cancel_data;
    size_t sent;
    int32_t stock_remaining; /* of the message that was sent last */
    bool finished;
    char reason[32]; /* of a refusal, else empty */
};

static int64_t now_ns;
static struct lane_job *job, *urgent_job;
static struct rpc_method method;
static rpc_stop_fn stop_server;
static void *stop_data;
static struct store_sale sale;
static bool sale_exists;
static struct arena scratch;
static struct board *board;
static struct calls calls;
static struct sale_watch *service;

void lanes_submit_job(struct lanes *lanes, struct lane_job *submitted)
{
    (void)lanes;
    job = submitted;
}

void lanes_submit_urgent_job(struct lanes *lanes, struct lane_job *submitted)
{
    (void)lanes;
    urgent_job = submitted;
}

void lanes_submit_act(struct lanes *lanes, const struct uuid *sale_id, struct lane_job *submitted)
{
    (void)lanes;
    (void)sale_id;
    (void)submitted;
    fail();
}

int64_t lanes_retry_after_ms(struct lanes *lanes)
{
    (void)lanes;
    return 1000;
}

int rpc_server_add(struct rpc_server *server, const struct rpc_method *added)
{
    (void)server;
    method = *added;
    return 0;
}

void rpc_server_on_stop(struct rpc_server *server, rpc_stop_fn on_stop, void *data)
{
    (void)server;
    stop_server = on_stop;
    stop_data = data;
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

int64_t rpc_call_deadline_ns(const struct rpc_call *call)
{
    (void)call;
    return CLOCK_DEADLINE_NEVER;
}

int64_t rpc_call_arrived_ns(const struct rpc_call *call)
{
    (void)call;
    return now_ns;
}

void rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message, rpc_stream_fn on_sent,
                   void *data)
{
    assert_null(call->on_sent); /* one at a time */
    assert_false(call->finished);
    call->on_sent = on_sent;
    call->on_sent_data = data;
    call->sent++;
    call->stock_remaining =
        ((const Stampede__Sales__V1__Sale *)(const void *)message)->stock_remaining;
}

void rpc_call_on_cancel(struct rpc_call *call, rpc_stream_fn on_cancel, void *data)
{
    call->on_cancel = on_cancel;
    call->on_cancel_data = data;
}

void rpc_call_finish(struct rpc_call *call, const ProtobufCMessage *reply)
{
    assert_null(reply);
    assert_false(call->finished);
    call->finished = true;
}

void rpc_call_fail(struct rpc_call *call, const struct rpc_status *status)
{
    assert_false(call->finished);
    call->finished = true;
    snprintf(call->reason, sizeof(call->reason), "%s", status->reason);
}

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return now_ns;
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    memset(bytes, 7, count);
}

static const struct system_port system_still = {.monotonic_ns = monotonic_ns,
                                                .random_bytes = random_bytes};

static enum store_result read_sales(void *data, const struct uuid *sale_ids, size_t count,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct store_sale_page *ret)
{
    struct store_sale *found = arena_calloc(arena, 1, sizeof(*found));
    (void)data;
    (void)deadline_ns;
    assert_int_equal(count, 1);
    assert_true(uuid_equal(&sale_ids[0], &sale.sale.sale_id));
    *found = sale;
    *ret = (struct store_sale_page){.sales = found, .count = sale_exists ? 1 : 0};
    return STORE_OK;
}

static const struct store store = {.read_sales = read_sales};

static void on_refused(void *data, const char *reason)
{
    (void)data;
    (void)reason;
}

static int set_up(void **state)
{
    const struct board_config of_board = {
        .system = &system_still,
        .sales_max = 4,
        .strangers_max = 4,
        .filter_bytes_max = 65536,
        .transaction_ns_max = 2000 * MS,
    };
    const struct calls_config of_calls = {
        .system = &system_still,
        .call_ns_max = 5000 * MS,
        .transaction_ns_max = 2000 * MS,
        .unknown_retry_ms = 7000,
        .observer = {.on_refused = on_refused},
    };
    (void)state;
    now_ns = 1000000 * MS;
    job = urgent_job = NULL;
    sale_exists = true;
    sale = (struct store_sale){
        .now_us = 1000000,
        .sale = {.sale_id = {{1, 2, 3}},
                 .sku = "sku",
                 .title = "Title",
                 .unit_price = {"EUR", 100},
                 .end_us = 2000000,
                 .stock_total = 9,
                 .stock_remaining = 9,
                 .version = 1},
    };
    arena_init(&scratch, 65536, 1048576);
    assert_int_equal(board_create(&of_board, &board), 0);
    assert_int_equal(calls_init(&calls, &of_calls), 0);
    assert_int_equal(sale_watch_create(&calls, board, 2, &service), 0);
    assert_int_equal(sale_watch_add(NULL, service), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sale_watch_destroy(service);
    calls_fini(&calls);
    board_destroy(board);
    arena_fini(&scratch);
    return 0;
}

/* --- What tests do --------------------------------------------------------------------------- */

static void run(struct lane_job **at)
{
    struct lane_job *running = *at;
    assert_non_null(running);
    *at = NULL;
    arena_reset(&scratch);
    running->run(running, &store, &scratch);
}

static void call_init(struct rpc_call *call)
{
    *call = (struct rpc_call){.stock_remaining = -1};
    arena_init(&call->arena, 4096, 65536);
}

/* The call arrives; its sale is read when the job is run. */
static void arrive(struct rpc_call *call)
{
    Stampede__Sales__V1__WatchSalesRequest request = STAMPEDE__SALES__V1__WATCH_SALES_REQUEST__INIT;
    char text[UUID_TEXT_CHARS + 1];
    call_init(call);
    uuid_format(&sale.sale.sale_id, text);
    request.sale_id = text;
    method.handle(call, &request.base, method.data);
}

static void open_stream(struct rpc_call *call)
{
    arrive(call);
    run(&job);
}

/* The caller has read what was sent. */
static void acknowledge(struct rpc_call *call, bool cancelled)
{
    rpc_stream_fn on_sent = call->on_sent;
    assert_non_null(on_sent);
    call->on_sent = NULL;
    on_sent(call, cancelled, call->on_sent_data);
}

static void board_reads(int32_t stock_remaining)
{
    sale.sale.version++;
    sale.sale.stock_remaining = stock_remaining;
    now_ns += BOARD_PERIOD_MS * MS;
    (void)board_tick(board, now_ns);
    run(&urgent_job);
}

static void leave(struct rpc_call *call)
{
    call->on_cancel(call, true, call->on_cancel_data);
    assert_true(call->finished);
    arena_fini(&call->arena);
}

/* --- Tests ----------------------------------------------------------------------------------- */

/* Who reads slowly is not queued for: of all that changed meanwhile it gets the newest, once. */
static void sale_watch_slow_reader_gets_the_newest_once(void **state)
{
    struct rpc_call call;
    (void)state;
    open_stream(&call);
    assert_int_equal(call.sent, 1);
    assert_int_equal(call.stock_remaining, 9);
    for (int32_t stock = 8; stock >= 3; stock--) {
        board_reads(stock);
    }
    assert_int_equal(call.sent, 1);
    acknowledge(&call, false);
    assert_int_equal(call.sent, 2);
    assert_int_equal(call.stock_remaining, 3);
    acknowledge(&call, false);
    assert_int_equal(call.sent, 2);
    board_reads(2);
    assert_int_equal(call.sent, 3);
    leave(&call);
    assert_int_equal(sale_watch_streams(service), 0);
}

/* A version that shows neither in state nor in stock (an order is confirmed) is no news. */
static void sale_watch_version_alone_is_not_sent(void **state)
{
    struct rpc_call call;
    (void)state;
    open_stream(&call);
    acknowledge(&call, false);
    board_reads(9);
    assert_int_equal(call.sent, 1);
    sale.now_us = sale.sale.end_us; /* it ends: another state of the same version */
    board_reads(9);
    assert_int_equal(call.sent, 2);
    acknowledge(&call, true); /* the caller has gone meanwhile */
    assert_true(call.finished);
    arena_fini(&call.arena);
}

/* A stop ends what is open, being sent to or not, and refuses what opens meanwhile. */
static void sale_watch_stop_ends_all_with_draining(void **state)
{
    struct rpc_call idle, sending, opening = {0}, late;
    (void)state;
    open_stream(&idle);
    acknowledge(&idle, false);
    open_stream(&sending);
    leave(&idle);
    arrive(&opening);
    struct lane_job *opening_job = job;
    stop_server(stop_data);
    assert_string_equal(sending.reason, "DRAINING");
    assert_false(opening.finished);
    run(&opening_job);
    assert_string_equal(opening.reason, "DRAINING");
    arrive(&late);
    assert_string_equal(late.reason, "DRAINING");
    arena_fini(&sending.arena);
    arena_fini(&opening.arena);
    arena_fini(&late.arena);
    assert_int_equal(sale_watch_streams(service), 0);
}

/* Streams have a bound; a sale that does not exist is no stream, and neither is what the lanes
 * refuse. */
static void sale_watch_what_cannot_be_had_is_refused(void **state)
{
    struct rpc_call calls_of[3];
    (void)state;
    open_stream(&calls_of[0]);
    open_stream(&calls_of[1]);
    arrive(&calls_of[2]);
    assert_string_equal(calls_of[2].reason, "OVERLOADED");
    arena_fini(&calls_of[2].arena);
    leave(&calls_of[1]);
    sale_exists = false;
    open_stream(&calls_of[1]);
    assert_string_equal(calls_of[1].reason, "SALE_NOT_FOUND");
    arena_fini(&calls_of[1].arena);
    arrive(&calls_of[1]);
    job->refuse(job, VERDICT_DATABASE_UNAVAILABLE);
    assert_string_equal(calls_of[1].reason, "DATABASE_UNAVAILABLE");
    arena_fini(&calls_of[1].arena);
    leave(&calls_of[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sale_watch_slow_reader_gets_the_newest_once),
        TEST(sale_watch_version_alone_is_not_sent),
        TEST(sale_watch_stop_ends_all_with_draining),
        TEST(sale_watch_what_cannot_be_had_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
