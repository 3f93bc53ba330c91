#include "edge/upstream/courier.h"

#include "base/clock.h"
#include "edge/limits.h"
#include "edge/upstream/batch_message.h"
#include "rpc/channel.h"
#include "stampede/orders/v1/orders.pb-c.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TRIPS 3

/* Port 1: nobody answers there, so that every call ends by itself. */
#define NOBODY "127.0.0.1:1"

struct stage {
    struct rpc_channel *channel;
    struct courier courier;
    sem_t wakes;
    struct courier_trip trips[TRIPS];
    unsigned backs[TRIPS];
    unsigned sends_again; /* so many trips are sent again as soon as they are back */
    struct rpc_status last;
};

static struct stage stage;

static void wake(void *data)
{
    (void)data;
    assert_int_equal(sem_post(&stage.wakes), 0);
}

static void send(struct courier_trip *trip)
{
    Stampede__Orders__V1__BatchPlaceOrdersRequest message =
        STAMPEDE__ORDERS__V1__BATCH_PLACE_ORDERS_REQUEST__INIT;
    const struct courier_call call = {
        .full_method = batch_message_method,
        .reply_type = batch_message_reply_type,
        .message = &message.base,
        .deadline_ns = CLOCK_DEADLINE_NEVER,
        .request_id = "request",
        .traceparent = "trace",
    };
    courier_send(trip, &call);
}

static void on_back(struct courier_trip *trip, const struct rpc_reply *reply)
{
    stage.backs[trip - stage.trips]++;
    stage.last = (struct rpc_status){.code = reply->status.code};
    if (stage.sends_again > 0) {
        stage.sends_again--;
        send(trip);
    }
}

static int set_up(void **state)
{
    const struct rpc_channel_config config = {
        .target = NOBODY,
        .message_bytes_max = EDGE_REPLY_BYTES_MAX,
        .reply_arena_bytes_max = EDGE_REPLY_ARENA_BYTES_MAX,
    };
    (void)state;
    stage = (struct stage){0};
    assert_int_equal(sem_init(&stage.wakes, 0, 0), 0);
    assert_int_equal(rpc_channel_create(&config, &stage.channel), 0);
    assert_int_equal(courier_init(&stage.courier, stage.channel, wake, NULL), 0);
    for (size_t i = 0; i < TRIPS; i++) {
        courier_init_trip(&stage.courier, &stage.trips[i], on_back);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rpc_channel_destroy(stage.channel);
    courier_collect(&stage.courier);
    courier_fini(&stage.courier);
    assert_int_equal(sem_destroy(&stage.wakes), 0);
    return 0;
}

/* Collects as the loop does, until so many trips are back; the test's own time limit ends it. */
static void collect_until_back(unsigned backs)
{
    for (;;) {
        unsigned sum = 0;
        for (size_t i = 0; i < TRIPS; i++) {
            sum += stage.backs[i];
        }
        if (sum >= backs) {
            return;
        }
        assert_int_equal(sem_wait(&stage.wakes), 0);
        courier_collect(&stage.courier);
    }
}

/* A trip that does not come back keeps its slot, and its caller, for ever. */
static void courier_call_to_nobody_comes_back_once(void **state)
{
    (void)state;
    assert_false(courier_is_ready(&stage.courier));
    for (size_t i = 0; i < TRIPS; i++) {
        send(&stage.trips[i]);
        assert_int_equal(stage.backs[i], 0);
    }
    collect_until_back(TRIPS);
    for (size_t i = 0; i < TRIPS; i++) {
        assert_int_equal(stage.backs[i], 1);
    }
    assert_int_equal(stage.last.code, RPC_UNAVAILABLE);
    courier_collect(&stage.courier);
    assert_int_equal(stage.backs[0], 1);
}

/* The combiner sends its next call from the end of the last: the same slot, at once. */
static void courier_trip_is_sent_again_from_its_callback(void **state)
{
    (void)state;
    stage.sends_again = 4;
    send(&stage.trips[0]);
    collect_until_back(5);
    assert_int_equal(stage.backs[0], 5);
}

/* What is under way when the program stops ends with the channel, and is collected after it. */
static void courier_calls_under_way_end_with_the_channel(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRIPS; i++) {
        send(&stage.trips[i]);
    }
    rpc_channel_destroy(stage.channel);
    stage.channel = NULL;
    courier_collect(&stage.courier);
    for (size_t i = 0; i < TRIPS; i++) {
        assert_int_equal(stage.backs[i], 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(courier_call_to_nobody_comes_back_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(courier_trip_is_sent_again_from_its_callback, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(courier_calls_under_way_end_with_the_channel, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
