/* Calls to orders between an owner and a channel that the test plays. */
#include "edge/upstream/upstream.h"

#include "base/clock.h"
#include "edge/limits.h"
#include "rpc/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MS CLOCK_NS_PER_MS

/* --- The channel ------------------------------------------------------------------------------ */

static struct rpc_request sent;
static unsigned sent_count, freed_count;

void rpc_channel_call(struct rpc_channel *channel, const struct rpc_request *request,
                      struct rpc_client_call **ret_call)
{
    (void)channel;
    assert_null(ret_call); /* or the call could be cancelled */
    sent = *request;
    sent_count++;
}

bool rpc_channel_is_ready(const struct rpc_channel *channel)
{
    (void)channel;
    return true;
}

bool rpc_channel_is_gone(const struct rpc_channel *channel, int64_t grace_ms)
{
    (void)channel;
    (void)grace_ms;
    return false;
}

void rpc_reply_free(struct rpc_reply *reply)
{
    (void)reply;
    freed_count++;
}

/* --- The owner -------------------------------------------------------------------------------- */

static struct upstream *upstream;
static unsigned told_count;
static enum attempt_verdict told;

static void wake(void *data)
{
    (void)data;
}

static void take_answer(void *owner, const struct upstream_answer *answer, void *data)
{
    (void)owner;
    (void)data;
    told = answer->verdict;
    told_count++;
}

static int set_up(void **state)
{
    const struct upstream_config config = {.wake = wake, .answer = take_answer, .secret = {1, 2}};
    (void)state;
    sent_count = freed_count = told_count = 0;
    return upstream_create(&config, &upstream);
}

static int tear_down(void **state)
{
    (void)state;
    upstream_destroy(upstream);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* CORRECTNESS D2: a call has a life of its own, which is bounded and is not that of the orders in
 * it. The HTTP request is answered in its time, and the call goes on: it may carry others' orders,
 * and to cancel it would only make its outcome unknown to them. */
static void upstream_batch_call_outlives_its_late_order(void **state)
{
    struct upstream_placement late = {.customer_id = "c-1",
                                      .idempotency_key = "key",
                                      .quantity = 1,
                                      .request_id = "request",
                                      .traceparent = "trace"};
    struct upstream_answer refusal;
    struct rpc_reply reply = {.status = {.code = RPC_DEADLINE_EXCEEDED, .message = "late"}};
    const struct timespec pause = {.tv_nsec = 5 * MS};
    (void)state;

    int64_t before_ns;
    do { /* until the machine is quick enough to send it in time */
        told_count = 0;
        before_ns = clock_monotonic_ns();
        late.order.deadline_ns = before_ns + 2 * CLOCK_NS_PER_SECOND;
        assert_true(upstream_place(upstream, &late, &refusal));
        upstream_tick(upstream);
    } while (sent_count == 0);
    int64_t after_ns = clock_monotonic_ns();
    assert_true(sent.deadline_ns >= before_ns + EDGE_CALL_LIFE_MS * MS);
    assert_true(sent.deadline_ns <= after_ns + EDGE_CALL_LIFE_MS * MS);
    while (told_count == 0) {
        nanosleep(&pause, NULL);
        upstream_tick(upstream);
    }
    assert_true(clock_monotonic_ns() >= late.order.deadline_ns);
    assert_int_equal(told, ATTEMPT_SAY_UNKNOWN);
    sent.on_done(&reply, sent.data);
    upstream_tick(upstream);
    assert_int_equal(freed_count, 1);
    assert_int_equal(told_count, 1);
    assert_int_equal(sent_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(upstream_batch_call_outlives_its_late_order, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
