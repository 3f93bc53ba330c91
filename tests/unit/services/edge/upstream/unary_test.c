#include "edge/upstream/unary.h"

#include "base/clock.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS         CLOCK_NS_PER_MS
#define REQUEST_MS 10000
#define CALLS_MAX  3
#define PAUSE_MS   75
#define REQUESTS   8

struct world {
    struct unary unary;
    int64_t now_ns;
    bool ready;
    bool reconnects; /* when it is not ready */
    struct unary_call *sent[64];
    size_t sent_count;
    struct unary_request requests[REQUESTS];
    struct attempt_answer told[REQUESTS];
    unsigned times[REQUESTS];
};

static int64_t world_now_ns(void *data)
{
    return ((const struct world *)data)->now_ns;
}

static bool world_is_ready(void *data)
{
    return ((const struct world *)data)->ready;
}

static bool world_is_gone(void *data)
{
    const struct world *world = data;
    return !world->ready && !world->reconnects;
}

static void world_send(struct unary_call *call, void *data)
{
    struct world *world = data;
    assert_non_null(call->request);
    world->sent[world->sent_count++] = call;
}

static void world_answer(struct unary_request *request, const struct attempt_answer *answer,
                         void *data)
{
    struct world *world = data;
    world->told[request - world->requests] = *answer;
    world->times[request - world->requests]++;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const struct unary_port port = {world_now_ns, world_is_ready, world_is_gone,
                                    world_send,   world_answer,   world};
    world->now_ns = 1000 * CLOCK_NS_PER_SECOND;
    world->ready = true;
    *state = world;
    return unary_init(&world->unary, CALLS_MAX, PAUSE_MS, &port);
}

static int teardown(void **state)
{
    struct world *world = *state;
    unary_fini(&world->unary);
    free(world);
    return 0;
}

static bool submit(struct world *world, size_t index, bool is_read, struct attempt_answer *refusal)
{
    struct unary_request *request = &world->requests[index];
    memset(request, 0, sizeof(*request));
    request->is_read = is_read;
    request->deadline_ns = world->now_ns + REQUEST_MS * MS;
    return unary_submit(&world->unary, request, refusal);
}

static void start(struct world *world, size_t index, bool is_read)
{
    struct attempt_answer refusal;
    assert_true(submit(world, index, is_read, &refusal));
}

static void complete_last(struct world *world, enum attempt_result result)
{
    static const int detail = 1;
    unary_complete(&world->unary, world->sent[world->sent_count - 1], result, &detail);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ns += ms * MS;
    unary_tick(&world->unary);
}

/* A read costs one call and no waiting. */
static void unary_success_is_told_at_once(void **state)
{
    struct world *world = *state;
    start(world, 0, true);
    assert_int_equal(world->sent_count, 1);
    complete_last(world, ATTEMPT_DONE);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_DONE);
    assert_int_equal(unary_calls_in_flight(&world->unary), 0);
}

/* A lost write is sent again until it is known: a restock that is told as failed doubles. */
static void unary_lost_write_is_sent_until_late_then_unknown(void **state)
{
    struct world *world = *state;
    start(world, 0, false);
    while (world->times[0] == 0) {
        if (unary_calls_in_flight(&world->unary) > 0) {
            complete_last(world, ATTEMPT_LOST);
        }
        pass(world, PAUSE_MS * 4);
    }
    assert_true(world->sent_count > 10);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_UNKNOWN);
    assert_true(world->told[0].retry_after_ms >= 7000);
}

/* A message that cannot arrive is not sent again: nobody knows of a write, a read has failed. */
static void unary_lost_for_good_is_told_at_once(void **state)
{
    struct world *world = *state;
    start(world, 0, false);
    complete_last(world, ATTEMPT_LOST_FOR_GOOD);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_UNKNOWN);
    start(world, 1, true);
    complete_last(world, ATTEMPT_LOST_FOR_GOOD);
    assert_int_equal(world->told[1].verdict, ATTEMPT_SAY_REFUSED);
}

/* Rule A2 for writes: a refusal after a lost attempt says nothing about the lost one. */
static void unary_refusal_after_a_lost_write_is_unknown(void **state)
{
    struct world *world = *state;
    start(world, 0, false);
    complete_last(world, ATTEMPT_LOST);
    pass(world, PAUSE_MS);
    complete_last(world, ATTEMPT_REFUSED);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_UNKNOWN);
}

/* A read is repeated once on a connection that works, and then told as it went. */
static void unary_lost_read_is_tried_once_more(void **state)
{
    struct world *world = *state;
    start(world, 0, true);
    complete_last(world, ATTEMPT_LOST);
    assert_int_equal(world->times[0], 0);
    pass(world, PAUSE_MS);
    assert_int_equal(world->sent_count, 2);
    complete_last(world, ATTEMPT_LOST);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_REFUSED);
}

/* Without a connection a read's second try would only wait. */
static void unary_lost_read_without_connection_is_refused(void **state)
{
    struct world *world = *state;
    start(world, 0, true);
    complete_last(world, ATTEMPT_LOST);
    world->ready = false;
    pass(world, PAUSE_MS);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_OVERLOADED);
}

/* A lost write waits for the connection, without the loop spinning meanwhile. */
static void unary_lost_write_waits_for_the_connection(void **state)
{
    struct world *world = *state;
    start(world, 0, false);
    complete_last(world, ATTEMPT_LOST);
    world->ready = false;
    pass(world, PAUSE_MS);
    pass(world, 1000);
    assert_int_equal(world->times[0], 0);
    assert_true(unary_next_due_ns(&world->unary) > world->now_ns);
    world->ready = true;
    unary_tick(&world->unary);
    assert_int_equal(world->sent_count, 2);
}

/* The deadline of a read in flight means not done; of a write, that nobody knows. */
static void unary_deadline_in_flight_depends_on_the_effect(void **state)
{
    struct world *world = *state;
    start(world, 0, true);
    start(world, 1, false);
    pass(world, REQUEST_MS);
    assert_int_equal(world->told[0].verdict, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(world->told[1].verdict, ATTEMPT_SAY_UNKNOWN);
    memset(world->requests, 0xee, sizeof(world->requests));
    unary_complete(&world->unary, world->sent[0], ATTEMPT_DONE, NULL);
    unary_complete(&world->unary, world->sent[1], ATTEMPT_DONE, NULL);
    assert_int_equal(world->times[0] + world->times[1], 2);
}

/* Every call has a bound on its number, and no connection means surely not done. */
static void unary_no_room_or_no_connection_is_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        start(world, i, true);
    }
    assert_false(submit(world, CALLS_MAX, true, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    world->ready = false;
    assert_false(submit(world, CALLS_MAX, false, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
}

/* Who finds no room is told how long the calls before it take: one came back in two seconds, and
 * three are in flight. */
static void unary_full_tells_how_long_calls_take(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        start(world, i, true);
    }
    assert_false(submit(world, CALLS_MAX, true, &refusal));
    assert_int_equal(refusal.retry_after_ms, EDGE_RETRY_AFTER_MIN_MS); /* nothing was measured */
    pass(world, 2000);
    complete_last(world, ATTEMPT_DONE);
    start(world, CALLS_MAX, true);
    assert_false(submit(world, CALLS_MAX + 1, true, &refusal));
    assert_int_equal(refusal.retry_after_ms, 6000);
}

/* A replica that restarts is back in a moment: reads and writes wait for it, and no longer. */
static void unary_connection_that_comes_back_refuses_nothing(void **state)
{
    struct world *world = *state;
    world->ready = false;
    world->reconnects = true;
    start(world, 0, true);
    start(world, 1, false);
    pass(world, PAUSE_MS);
    assert_int_equal(world->sent_count, 0);
    assert_true(unary_next_due_ns(&world->unary) > world->now_ns);
    world->ready = true;
    unary_tick(&world->unary);
    assert_int_equal(world->sent_count, 2);
    world->ready = false;
    start(world, 2, false);
    world->reconnects = false;
    pass(world, PAUSE_MS);
    assert_int_equal(world->told[2].verdict, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(world->times[0] + world->times[1], 0);
}

/* What pauses takes room too: while a replica is away, writes must not pile up without a bound. */
static void unary_pausing_requests_count_against_the_bound(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        start(world, i, false);
        complete_last(world, ATTEMPT_LOST);
    }
    assert_int_equal(unary_calls_in_flight(&world->unary), 0);
    assert_false(submit(world, CALLS_MAX, false, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    pass(world, PAUSE_MS);
    assert_int_equal(unary_calls_in_flight(&world->unary), CALLS_MAX);
    complete_last(world, ATTEMPT_DONE);
    assert_true(submit(world, CALLS_MAX, false, &refusal));
}

/* A client that leaves must not leave a pointer behind. */
static void unary_forgotten_requests_are_dropped(void **state)
{
    struct world *world = *state;
    start(world, 0, true);
    start(world, 1, false);
    complete_last(world, ATTEMPT_LOST);
    unary_forget(&world->unary, &world->requests[0]);
    unary_forget(&world->unary, &world->requests[1]);
    unary_forget(&world->unary, &world->requests[1]);
    memset(world->requests, 0xee, sizeof(world->requests));
    unary_complete(&world->unary, world->sent[0], ATTEMPT_DONE, NULL);
    pass(world, REQUEST_MS);
    assert_int_equal(world->times[0] + world->times[1], 0);
    assert_int_equal(unary_next_due_ns(&world->unary), CLOCK_DEADLINE_NEVER);
}

/* At the end of a drain a write in flight is unknown, a read simply refused. */
static void unary_stop_depends_on_the_effect(void **state)
{
    struct world *world = *state;
    struct attempt_answer answer;
    start(world, 0, true);
    start(world, 1, false);
    unary_stop(&world->unary, &world->requests[0], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_DRAINING);
    unary_stop(&world->unary, &world->requests[1], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_UNKNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unary_success_is_told_at_once),
        TEST(unary_lost_write_is_sent_until_late_then_unknown),
        TEST(unary_lost_for_good_is_told_at_once),
        TEST(unary_refusal_after_a_lost_write_is_unknown),
        TEST(unary_lost_read_is_tried_once_more),
        TEST(unary_lost_read_without_connection_is_refused),
        TEST(unary_lost_write_waits_for_the_connection),
        TEST(unary_deadline_in_flight_depends_on_the_effect),
        TEST(unary_connection_that_comes_back_refuses_nothing),
        TEST(unary_no_room_or_no_connection_is_refused),
        TEST(unary_full_tells_how_long_calls_take),
        TEST(unary_pausing_requests_count_against_the_bound),
        TEST(unary_forgotten_requests_are_dropped),
        TEST(unary_stop_depends_on_the_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
