#include "edge/upstream/combiner.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS             CLOCK_NS_PER_MS
#define REQUEST_MS     10000
#define ORDERS_MAX     2048
#define CALLS_MAX      4
#define PER_CALL       8
#define PER_CALL_BYTES 800
#define WAITING_MAX    64
#define SALES_MAX      6
#define PAUSE_MS       75
#define MARGIN_MS      50

struct told {
    unsigned times;
    struct attempt_answer answer;
};

/* A world in which time stands still until it is moved and nothing is sent anywhere. */
struct world {
    struct combiner combiner;
    int64_t now_ns;
    bool ready;
    bool reconnects; /* when it is not ready */
    struct combiner_call *in_flight[CALLS_MAX];
    size_t in_flight_count;
    unsigned sent_calls;
    size_t last_count;
    unsigned told_count;
    unsigned told_when_sent; /* told_count at the last send */
    struct combiner_order orders[ORDERS_MAX];
    struct told told[ORDERS_MAX];
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

static void world_send(struct combiner_call *call, void *data)
{
    struct world *world = data;
    assert_true(world->in_flight_count < CALLS_MAX);
    assert_true(call->count >= 1 && call->count <= PER_CALL);
    for (size_t i = 0; i < call->count; i++) {
        assert_non_null(call->orders[i]);
        assert_true(uuid_equal(&call->orders[i]->sale_id, &call->sale_id));
    }
    world->in_flight[world->in_flight_count++] = call;
    world->told_when_sent = world->told_count;
    world->sent_calls++;
    world->last_count = call->count;
}

static void world_answer(struct combiner_order *order, const struct attempt_answer *answer,
                         void *data)
{
    struct world *world = data;
    struct told *told = &world->told[order - world->orders];
    told->times++;
    told->answer = *answer;
    world->told_count++;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    const struct combiner_config config = {
        .orders_per_call_max = PER_CALL,
        .bytes_per_call_max = PER_CALL_BYTES,
        .calls_per_sale_max = 2,
        .calls_max = CALLS_MAX,
        .waiting_max = WAITING_MAX,
        .sales_max = SALES_MAX,
        .retry_pause_ms = PAUSE_MS,
        .margin_ms = MARGIN_MS,
        .secret = {1, 2},
    };
    const struct combiner_port port = {world_now_ns, world_is_ready, world_is_gone,
                                       world_send,   world_answer,   world};
    world->now_ns = 1000 * CLOCK_NS_PER_SECOND;
    world->ready = true;
    *state = world;
    return combiner_init(&world->combiner, &config, &port);
}

static int teardown(void **state)
{
    struct world *world = *state;
    combiner_fini(&world->combiner);
    free(world);
    return 0;
}

static bool submit(struct world *world, size_t index, unsigned sale, struct attempt_answer *refusal)
{
    struct combiner_order *order = &world->orders[index];
    memset(order, 0, sizeof(*order));
    order->sale_id.bytes[0] = (uint8_t)sale;
    order->deadline_ns = world->now_ns + REQUEST_MS * MS;
    return combiner_submit(&world->combiner, order, refusal);
}

static void submit_some(struct world *world, size_t first, size_t count, unsigned sale)
{
    struct attempt_answer refusal;
    for (size_t i = first; i < first + count; i++) {
        assert_true(submit(world, i, sale, &refusal));
    }
}

static void tick(struct world *world)
{
    combiner_tick(&world->combiner);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ns += ms * MS;
    tick(world);
}

/* The oldest call in flight returns with the same result for all its items. */
static void return_call(struct world *world, enum attempt_result result)
{
    static const int detail = 7;
    struct combiner_result results[PER_CALL];
    struct combiner_call *call = world->in_flight[0];
    assert_true(world->in_flight_count > 0);
    for (size_t i = 0; i < PER_CALL; i++) {
        results[i] = (struct combiner_result){result, &detail};
    }
    world->in_flight_count--;
    memmove(&world->in_flight[0], &world->in_flight[1],
            world->in_flight_count * sizeof(world->in_flight[0]));
    combiner_complete(&world->combiner, call, results);
}

static void lose_call(struct world *world)
{
    return_call(world, ATTEMPT_LOST);
}

static void assert_told(const struct world *world, size_t index, enum attempt_verdict verdict)
{
    assert_int_equal(world->told[index].times, 1);
    assert_int_equal(world->told[index].answer.verdict, verdict);
}

static void assert_untold(const struct world *world, size_t index)
{
    assert_int_equal(world->told[index].times, 0);
}

/* No added latency when idle: waiting for company would cost every quiet sale. */
static void combiner_lone_order_leaves_at_the_next_tick(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    assert_int_equal(world->sent_calls, 0);
    tick(world);
    assert_int_equal(world->sent_calls, 1);
    assert_int_equal(world->last_count, 1);
    return_call(world, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_non_null(world->told[0].answer.detail);
    assert_int_equal(combiner_next_due_ns(&world->combiner), CLOCK_DEADLINE_NEVER);
}

/* Rule D1: beyond K calls a sale's orders wait, and leave together when a call returns. */
static void combiner_orders_beyond_two_calls_wait_and_leave_together(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    submit_some(world, 1, 1, 1);
    tick(world);
    submit_some(world, 2, 5, 1);
    tick(world);
    assert_int_equal(world->sent_calls, 2);
    assert_int_equal(combiner_waiting(&world->combiner), 5);
    return_call(world, ATTEMPT_DONE);
    tick(world);
    assert_int_equal(world->sent_calls, 3);
    assert_int_equal(world->last_count, 5);
}

/* Answering takes a while: the orders service would stand idle if the next call waited for it. */
static void combiner_next_call_leaves_before_the_returned_one_is_answered(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2 * PER_CALL + 3, 1);
    tick(world);
    assert_int_equal(world->sent_calls, 2);
    return_call(world, ATTEMPT_DONE);
    assert_int_equal(world->sent_calls, 3);
    assert_int_equal(world->last_count, 3);
    assert_int_equal(world->told_when_sent, 0);
    assert_int_equal(world->told_count, PER_CALL);
}

/* Rule A1: what was never sent is surely not placed, so nothing more leaves into a connection that
 * a returning call has shown to be lost. */
static void combiner_call_that_returns_without_connection_sends_no_next(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2 * PER_CALL + 3, 1);
    tick(world);
    assert_int_equal(world->sent_calls, 2);
    world->ready = false;
    lose_call(world);
    assert_int_equal(world->sent_calls, 2);
    tick(world);
    for (size_t i = 2 * PER_CALL; i < 2 * PER_CALL + 3; i++) {
        assert_told(world, i, ATTEMPT_SAY_OVERLOADED);
    }
}

/* A call whose orders have all left still holds its sale until it has returned. */
static void combiner_call_without_orders_returns_and_frees_its_sale(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    combiner_forget(&world->combiner, &world->orders[0]);
    assert_int_equal(combiner_sales(&world->combiner), 1);
    return_call(world, ATTEMPT_DONE);
    assert_int_equal(combiner_sales(&world->combiner), 0);
    assert_untold(world, 0);
}

/* One stuck sale must not stop the others: it holds two calls and no more. */
static void combiner_stuck_sale_leaves_calls_for_others(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 30, 1);
    tick(world);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), 2);
    submit_some(world, 30, 1, 2);
    tick(world);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), 3);
    assert_int_equal(world->last_count, 1);
}

/* When all calls are taken sales take turns, or a busy sale would starve a quiet one. */
static void combiner_sales_without_a_call_take_turns(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 20, 1);
    submit_some(world, 20, 20, 2);
    submit_some(world, 40, 1, 3);
    tick(world);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), CALLS_MAX);
    /* One turn for each of three sales, the fourth call for the first sale again. */
    assert_int_equal(world->in_flight[0]->sale_id.bytes[0], 1);
    assert_int_equal(world->in_flight[1]->sale_id.bytes[0], 2);
    assert_int_equal(world->in_flight[2]->sale_id.bytes[0], 3);
    assert_int_equal(world->in_flight[3]->sale_id.bytes[0], 1);
}

/* The contract's bound on items must hold however many wait. */
static void combiner_more_orders_than_fit_are_split(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, PER_CALL + 3, 1);
    tick(world);
    assert_int_equal(world->sent_calls, 2);
    assert_int_equal(world->in_flight[0]->count, PER_CALL);
    assert_int_equal(world->in_flight[1]->count, 3);
}

/* A call that is longer than its receiver takes would be lost with everybody in it. */
static void combiner_long_orders_are_split_by_their_bytes(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 5, 1);
    for (size_t i = 0; i < 5; i++) {
        world->orders[i].bytes = i == 1 ? PER_CALL_BYTES : PER_CALL_BYTES / 2;
    }
    tick(world);
    assert_int_equal(world->in_flight[0]->count, 1);
    assert_ptr_equal(world->in_flight[1]->orders[0], &world->orders[1]);
    assert_int_equal(world->in_flight[1]->count, 1);
    return_call(world, ATTEMPT_DONE);
    return_call(world, ATTEMPT_DONE);
    tick(world);
    assert_int_equal(world->in_flight[0]->count, 2);
    assert_int_equal(world->in_flight[1]->count, 1);
}

/* The same batch would be too long again, and nobody in it would ever be answered. */
static void combiner_call_that_cannot_arrive_is_halved_down_to_one(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, PER_CALL, 1);
    tick(world);
    /* 8, then twice 4, four times 2, eight times 1. */
    while (world->in_flight_count > 0) {
        return_call(world, ATTEMPT_LOST_FOR_GOOD);
        pass(world, PAUSE_MS);
    }
    assert_int_equal(world->sent_calls, 2 * PER_CALL - 1);
    assert_int_equal(world->last_count, 1);
    for (size_t i = 0; i < PER_CALL; i++) {
        assert_told(world, i, ATTEMPT_SAY_UNKNOWN);
    }
}

/* Halving serves those who fit: they are placed as soon as they travel without the others. */
static void combiner_halved_call_that_arrives_places_its_orders(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, PER_CALL, 1);
    tick(world);
    return_call(world, ATTEMPT_LOST_FOR_GOOD);
    pass(world, PAUSE_MS);
    assert_int_equal(world->in_flight_count, 2);
    assert_int_equal(world->in_flight[0]->count, PER_CALL / 2);
    return_call(world, ATTEMPT_DONE);
    return_call(world, ATTEMPT_DONE);
    for (size_t i = 0; i < PER_CALL; i++) {
        assert_told(world, i, ATTEMPT_SAY_DONE);
    }
}

/* Every queue has a bound, and the refusal says when to come back. */
static void combiner_full_queue_refuses_with_a_time(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    submit_some(world, 0, WAITING_MAX, 1);
    assert_false(submit(world, WAITING_MAX, 1, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_true(refusal.retry_after_ms >= EDGE_RETRY_AFTER_MIN_MS);
    /* Refused means outside: it may be forgotten without harm and comes in when there is room. */
    combiner_forget(&world->combiner, &world->orders[WAITING_MAX]);
    tick(world);
    assert_true(submit(world, WAITING_MAX, 1, &refusal));
}

/* Made-up sale ids must not take memory without a bound. */
static void combiner_too_many_sales_are_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    for (unsigned sale = 0; sale < SALES_MAX; sale++) {
        submit_some(world, sale, 1, sale + 1);
    }
    assert_int_equal(combiner_sales(&world->combiner), SALES_MAX);
    assert_false(submit(world, SALES_MAX, 99, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_ptr_equal(refusal.why, attempt_why_sales_full);
    /* A sale that is known still gets in. */
    assert_true(submit(world, SALES_MAX, 1, &refusal));
    tick(world);
    return_call(world, ATTEMPT_REFUSED);
    return_call(world, ATTEMPT_REFUSED);
    tick(world);
    while (world->in_flight_count > 0) {
        return_call(world, ATTEMPT_REFUSED);
        tick(world);
    }
    assert_true(submit(world, SALES_MAX + 1, 99, &refusal));
}

/* Rule A1: without a connection before anything was sent, not placed is certain. */
static void combiner_no_connection_refuses_at_once(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    world->ready = false;
    assert_false(submit(world, 0, 1, &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
}

/* Rule A1: the same for what waits when the connection goes; what was sent waits on. */
static void combiner_connection_lost_refuses_what_was_never_sent(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    submit_some(world, 1, 1, 1);
    tick(world);
    submit_some(world, 2, 1, 1);
    world->ready = false;
    tick(world);
    assert_untold(world, 0);
    assert_untold(world, 1);
    assert_told(world, 2, ATTEMPT_SAY_OVERLOADED);
}

/* A replica that restarts is back in a moment: nobody is refused for it, and nobody waits longer
 * than that for one that is not. */
static void combiner_connection_that_comes_back_refuses_nothing(void **state)
{
    struct world *world = *state;
    world->ready = false;
    world->reconnects = true;
    submit_some(world, 0, 2, 1);
    tick(world);
    assert_int_equal(world->sent_calls, 0);
    assert_untold(world, 0);
    assert_int_equal(combiner_next_due_ns(&world->combiner), world->now_ns + PAUSE_MS * MS);
    world->ready = true;
    tick(world);
    assert_int_equal(world->sent_calls, 1);
    world->ready = false;
    submit_some(world, 2, 1, 2);
    tick(world);
    world->reconnects = false;
    tick(world);
    assert_untold(world, 0);
    assert_told(world, 2, ATTEMPT_SAY_OVERLOADED);
}

/* The connection may come and go between two ticks; what came in meanwhile must not be stranded. */
static void combiner_connection_flickers_between_ticks_refuses_what_came_in(void **state)
{
    struct world *world = *state;
    world->ready = false;
    tick(world);
    world->ready = true;
    submit_some(world, 0, 1, 1);
    world->ready = false;
    tick(world);
    assert_told(world, 0, ATTEMPT_SAY_OVERLOADED);
}

/* Rule A1: a call that ends without a proof is sent again after a pause, and a success counts. */
static void combiner_lost_call_is_sent_again_and_a_success_is_told(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 3, 1);
    tick(world);
    lose_call(world);
    tick(world);
    assert_int_equal(world->sent_calls, 1);
    pass(world, PAUSE_MS - 1);
    assert_int_equal(world->sent_calls, 1);
    pass(world, 1);
    assert_int_equal(world->sent_calls, 2);
    assert_int_equal(world->last_count, 3);
    return_call(world, ATTEMPT_DONE);
    for (size_t i = 0; i < 3; i++) {
        assert_told(world, i, ATTEMPT_SAY_DONE);
    }
}

/* A retried order has waited longest, so it goes first and keeps its place among its kind. */
static void combiner_lost_orders_go_to_the_front_in_their_order(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2, 1);
    tick(world);
    submit_some(world, 2, 1, 1);
    tick(world);
    submit_some(world, 3, 2, 1);
    lose_call(world);
    /* The sale's second call still runs and its slot fills up with the waiting two. */
    tick(world);
    submit_some(world, 5, 1, 1);
    pass(world, PAUSE_MS);
    return_call(world, ATTEMPT_DONE);
    tick(world);
    struct combiner_call *last = world->in_flight[world->in_flight_count - 1];
    assert_int_equal(last->count, 3);
    assert_ptr_equal(last->orders[0], &world->orders[0]);
    assert_ptr_equal(last->orders[1], &world->orders[1]);
    assert_ptr_equal(last->orders[2], &world->orders[5]);
}

/* Rule A2: the lost copy may still be placed when stock returns, so SOLD_OUT proves nothing. */
static void combiner_refusal_after_a_lost_attempt_is_unknown(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    lose_call(world);
    pass(world, PAUSE_MS);
    return_call(world, ATTEMPT_REFUSED);
    assert_told(world, 0, ATTEMPT_SAY_UNKNOWN);
    assert_true(world->told[0].answer.retry_after_ms >= 7000);
}

/* A refusal without a lost attempt before it is a proof. */
static void combiner_first_refusal_is_told(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    return_call(world, ATTEMPT_REFUSED);
    assert_told(world, 0, ATTEMPT_SAY_REFUSED);
    submit_some(world, 1, 1, 1);
    tick(world);
    return_call(world, ATTEMPT_REFUSED_FOR_NOW);
    assert_told(world, 1, ATTEMPT_SAY_REFUSED);
}

/* Rule A2: overload after a lost attempt passes; the order is worth asking about again. */
static void combiner_overload_after_a_lost_attempt_is_asked_again_until_late(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    lose_call(world);
    int64_t deadline_ns = world->orders[0].deadline_ns;
    unsigned attempts = 0;
    while (world->told[0].times == 0) {
        pass(world, PAUSE_MS);
        if (world->in_flight_count > 0) {
            return_call(world, ATTEMPT_REFUSED_FOR_NOW);
            attempts++;
        }
    }
    assert_true(attempts > 10);
    assert_true(world->now_ns >= deadline_ns - MARGIN_MS * MS);
    assert_told(world, 0, ATTEMPT_SAY_UNKNOWN);
    assert_true(world->told[0].answer.retry_after_ms >= 7000);
}

/* A rolling restart must lose no order: another replica takes what a draining one refuses. */
static void combiner_draining_refusal_is_asked_again_a_few_times(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    for (unsigned i = 0; i < EDGE_DRAINING_RETRIES_MAX; i++) {
        return_call(world, ATTEMPT_REFUSED_DRAINING);
        assert_untold(world, 0);
        pass(world, PAUSE_MS);
    }
    return_call(world, ATTEMPT_REFUSED_DRAINING);
    assert_told(world, 0, ATTEMPT_SAY_REFUSED);
}

/* A draining refusal is a proof, so when no connection is left the order is surely not placed. */
static void combiner_draining_refusal_then_no_connection_is_refused(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    return_call(world, ATTEMPT_REFUSED_DRAINING);
    world->ready = false;
    tick(world);
    assert_told(world, 0, ATTEMPT_SAY_OVERLOADED);
}

/* Rule A1: an unresolved order outlives a lost connection, for a later attempt may resolve it. */
static void combiner_unresolved_order_waits_for_the_connection(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    lose_call(world);
    world->ready = false;
    pass(world, PAUSE_MS);
    pass(world, 1000);
    assert_untold(world, 0);
    assert_int_equal(world->sent_calls, 1);
    world->ready = true;
    tick(world);
    assert_int_equal(world->sent_calls, 2);
    return_call(world, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
}

/* Rule D2: HTTP is answered on its own time, the call goes on, and its late result hurts nobody. */
static void combiner_deadline_in_flight_is_unknown_and_the_late_reply_is_dropped(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2, 1);
    tick(world);
    world->orders[1].deadline_ns = world->orders[0].deadline_ns;
    pass(world, REQUEST_MS);
    assert_told(world, 0, ATTEMPT_SAY_UNKNOWN);
    assert_told(world, 1, ATTEMPT_SAY_UNKNOWN);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), 1);
    memset(world->orders, 0xee, sizeof(world->orders[0]) * 2);
    return_call(world, ATTEMPT_DONE);
    assert_int_equal(world->told[0].times, 1);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), 0);
}

/* An order that only ever waited is surely not placed, however late it is. */
static void combiner_deadline_while_waiting_is_overloaded(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2 * PER_CALL, 1);
    tick(world);
    submit_some(world, 2 * PER_CALL, 1, 1);
    pass(world, REQUEST_MS);
    assert_told(world, 2 * PER_CALL, ATTEMPT_SAY_OVERLOADED);
    assert_told(world, 0, ATTEMPT_SAY_UNKNOWN);
}

/* Sending an order whose answer cannot come in time only makes its outcome unknown. */
static void combiner_order_with_no_time_left_is_not_sent(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2 * PER_CALL, 1);
    tick(world);
    submit_some(world, 2 * PER_CALL, 1, 1);
    world->now_ns += (REQUEST_MS - MARGIN_MS) * MS;
    return_call(world, ATTEMPT_DONE);
    tick(world);
    assert_told(world, 2 * PER_CALL, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(world->sent_calls, 2);
}

/* A client that leaves must not leave a pointer behind, in whichever state its order is. */
static void combiner_forgotten_orders_are_dropped_everywhere(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2, 1);
    tick(world);
    submit_some(world, 2, 1, 1);
    tick(world);
    submit_some(world, 3, 1, 1);
    combiner_forget(&world->combiner, &world->orders[0]);
    combiner_forget(&world->combiner, &world->orders[3]);
    lose_call(world);
    combiner_forget(&world->combiner, &world->orders[1]);
    combiner_forget(&world->combiner, &world->orders[1]);
    memset(&world->orders[0], 0xee, 2 * sizeof(world->orders[0]));
    memset(&world->orders[3], 0xee, sizeof(world->orders[0]));
    pass(world, PAUSE_MS);
    return_call(world, ATTEMPT_DONE);
    assert_untold(world, 0);
    assert_untold(world, 1);
    assert_told(world, 2, ATTEMPT_SAY_DONE);
    assert_untold(world, 3);
    assert_int_equal(combiner_next_due_ns(&world->combiner), CLOCK_DEADLINE_NEVER);
}

/* At the end of a drain every order gets the answer that its history allows. */
static void combiner_stop_tells_unsent_from_sent(void **state)
{
    struct world *world = *state;
    struct attempt_answer answer;
    submit_some(world, 0, 2 * PER_CALL, 1);
    tick(world);
    submit_some(world, 2 * PER_CALL, 1, 1);
    combiner_stop(&world->combiner, &world->orders[2 * PER_CALL], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_DRAINING);
    combiner_stop(&world->combiner, &world->orders[0], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_UNKNOWN);
    lose_call(world);
    combiner_stop(&world->combiner, &world->orders[1], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_UNKNOWN);
}

/* One item's fate is its own: neighbours in a batch are told what they got. */
static void combiner_items_of_one_call_end_differently(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 3, 1);
    tick(world);
    struct combiner_call *call = world->in_flight[0];
    const struct combiner_result results[] = {
        {ATTEMPT_DONE, call}, {ATTEMPT_REFUSED, call}, {ATTEMPT_LOST, call}};
    world->in_flight_count = 0;
    combiner_complete(&world->combiner, call, results);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_told(world, 1, ATTEMPT_SAY_REFUSED);
    assert_untold(world, 2);
    pass(world, PAUSE_MS);
    assert_int_equal(world->last_count, 1);
}

/* A reply that does not fit its call proves nothing for any item. */
static void combiner_unusable_reply_is_lost(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 2, 1);
    tick(world);
    world->in_flight_count = 0;
    combiner_complete(&world->combiner, world->in_flight[0], NULL);
    assert_untold(world, 0);
    pass(world, PAUSE_MS);
    assert_int_equal(world->sent_calls, 2);
}

/* The loop sleeps until the next thing is due, neither longer nor in a spin. */
static void combiner_next_due_follows_pause_and_deadline(void **state)
{
    struct world *world = *state;
    submit_some(world, 0, 1, 1);
    tick(world);
    assert_int_equal(combiner_next_due_ns(&world->combiner), world->orders[0].deadline_ns);
    lose_call(world);
    assert_int_equal(combiner_next_due_ns(&world->combiner), world->now_ns + PAUSE_MS * MS);
}

static uint64_t random_state = 42;

static unsigned below(unsigned bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % bound;
}

static void random_event(struct world *world, size_t *submitted)
{
    struct attempt_answer refusal;
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        if (*submitted < ORDERS_MAX && submit(world, *submitted, 1 + below(4), &refusal)) {
            (*submitted)++;
        }
        return;
    case 3:
        pass(world, below(400));
        return;
    case 4:
        world->ready = below(4) != 0;
        return;
    case 5:
    case 6:
        if (world->in_flight_count > 0) {
            return_call(world, (enum attempt_result)below(5));
        }
        return;
    default:
        tick(world);
    }
}

/* Whatever the interleaving, every accepted order is told exactly once, and in time. */
static void combiner_random_interleavings_tell_each_order_once(void **state)
{
    struct world *world = *state;
    size_t submitted = 0;
    for (unsigned i = 0; i < 20000; i++) {
        random_event(world, &submitted);
    }
    world->ready = true;
    for (unsigned i = 0; i < 400; i++) {
        pass(world, 100);
        while (world->in_flight_count > 0) {
            return_call(world, ATTEMPT_DONE);
        }
    }
    assert_true(submitted > 1000);
    for (size_t i = 0; i < submitted; i++) {
        assert_int_equal(world->told[i].times, 1);
    }
    assert_int_equal(combiner_waiting(&world->combiner), 0);
    assert_int_equal(combiner_calls_in_flight(&world->combiner), 0);
    assert_int_equal(combiner_next_due_ns(&world->combiner), CLOCK_DEADLINE_NEVER);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(combiner_lone_order_leaves_at_the_next_tick),
        TEST(combiner_orders_beyond_two_calls_wait_and_leave_together),
        TEST(combiner_next_call_leaves_before_the_returned_one_is_answered),
        TEST(combiner_call_that_returns_without_connection_sends_no_next),
        TEST(combiner_call_without_orders_returns_and_frees_its_sale),
        TEST(combiner_stuck_sale_leaves_calls_for_others),
        TEST(combiner_sales_without_a_call_take_turns),
        TEST(combiner_more_orders_than_fit_are_split),
        TEST(combiner_long_orders_are_split_by_their_bytes),
        TEST(combiner_call_that_cannot_arrive_is_halved_down_to_one),
        TEST(combiner_halved_call_that_arrives_places_its_orders),
        TEST(combiner_full_queue_refuses_with_a_time),
        TEST(combiner_too_many_sales_are_refused),
        TEST(combiner_no_connection_refuses_at_once),
        TEST(combiner_connection_lost_refuses_what_was_never_sent),
        TEST(combiner_connection_that_comes_back_refuses_nothing),
        TEST(combiner_connection_flickers_between_ticks_refuses_what_came_in),
        TEST(combiner_lost_call_is_sent_again_and_a_success_is_told),
        TEST(combiner_lost_orders_go_to_the_front_in_their_order),
        TEST(combiner_refusal_after_a_lost_attempt_is_unknown),
        TEST(combiner_first_refusal_is_told),
        TEST(combiner_overload_after_a_lost_attempt_is_asked_again_until_late),
        TEST(combiner_draining_refusal_is_asked_again_a_few_times),
        TEST(combiner_draining_refusal_then_no_connection_is_refused),
        TEST(combiner_unresolved_order_waits_for_the_connection),
        TEST(combiner_deadline_in_flight_is_unknown_and_the_late_reply_is_dropped),
        TEST(combiner_deadline_while_waiting_is_overloaded),
        TEST(combiner_order_with_no_time_left_is_not_sent),
        TEST(combiner_forgotten_orders_are_dropped_everywhere),
        TEST(combiner_stop_tells_unsent_from_sent),
        TEST(combiner_items_of_one_call_end_differently),
        TEST(combiner_unusable_reply_is_lost),
        TEST(combiner_next_due_follows_pause_and_deadline),
        TEST(combiner_random_interleavings_tell_each_order_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
