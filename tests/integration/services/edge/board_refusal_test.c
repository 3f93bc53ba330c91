/*
 * What the edge refuses by itself and what it does not, as a client sees it, with the orders
 * service played: its board says what the test wants.
 */
#include "base/check.h"
#include "base/clock.h"
#include "edge_process.h"
#include "fake_orders.h"
#include "stampede/sales/v1/sales.pb-c.h"
#include "support/patience.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS 120000
#define PLACED_KEY  "the-placed-one"
#define SMALL_BYTES 1280
#define LARGE_BYTES 1310720 /* five chunks */
/* ReadBoard calls until a sale that exists has its entry; behind all others it would take over
 * twenty, which is when those are forgotten. */
#define FLOODED_CALLS_MAX 10
#define FLOOD_SALES       (1024 + 10) /* EDGE_BOARD_SALES_MAX and some */

#define SOLD_OUT  STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT
#define SCHEDULED STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED
#define LIVE      STAMPEDE__SALES__V1__SALE__STATE__LIVE
#define PAUSED    STAMPEDE__SALES__V1__SALE__STATE__PAUSED

struct scene {
    struct fake_orders fake;
    struct edge_process edge;
    struct http_answer answer;
    unsigned keys; /* that were used */
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    fake_orders_start(&scene->fake);
    edge_process_start(&scene->edge, scene->fake.port, NULL);
    edge_process_wait_ready(&scene->edge, true);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    edge_process_stop(&scene->edge);
    fake_orders_stop(&scene->fake);
    free(scene);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * CLOCK_NS_PER_MS};
    (void)nanosleep(&pause, NULL);
}

static const struct fake_board sold_out = {
    .is_served = true,
    .state = SOLD_OUT,
    .version = 5,
    .sold_out_since = 5,
    .placed_key = PLACED_KEY,
    .filter_bytes = SMALL_BYTES,
};

/* One attempt with a key of its own. */
static void place(struct scene *scene)
{
    char key[32];
    (void)snprintf(key, sizeof(key), "k-%u", scene->keys++);
    edge_process_place(&scene->edge, key, &scene->answer);
}

static unsigned calls(struct scene *scene)
{
    return fake_orders_seen(&scene->fake).calls;
}

/* Places until orders is not called for it. Orders itself refuses all. */
static void place_until_the_edge_refuses(struct scene *scene)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    unsigned before;
    do {
        assert_false(patience_is_over(&patience));
        before = calls(scene);
        place(scene);
        sleep_ms(10);
    } while (calls(scene) != before);
    edge_process_assert(&scene->answer, 409, NULL);
}

/* Places until orders is called for it. */
static void place_until_it_is_forwarded(struct scene *scene)
{
    struct patience patience = patience_of_ms(PATIENCE_MS);
    unsigned before;
    do {
        assert_false(patience_is_over(&patience));
        before = calls(scene);
        place(scene);
        sleep_ms(10);
    } while (calls(scene) == before);
}

static void set_script(struct scene *scene, enum fake_step step)
{
    fake_orders_script(&scene->fake, &step, 1);
}

static long metric(const struct scene *scene, const char *series)
{
    return edge_process_metric(&scene->edge, series);
}

/* A refusal must not tell who gave it: the client program is the same. */
static void board_refusal_sold_out_reads_as_that_of_orders(void **state)
{
    static const char *const members[] = {"type", "title", "status", "instance", "reason"};
    struct scene *scene = *state;
    char by_orders[COUNT_OF(members)][128];
    char by_edge[128];
    set_script(scene, FAKE_SOLD_OUT);
    place(scene);
    edge_process_assert(&scene->answer, 409, "SOLD_OUT");
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        http_client_json(&scene->answer, members[i], by_orders[i], sizeof(by_orders[i]));
    }
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    edge_process_assert(&scene->answer, 409, "SOLD_OUT");
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        http_client_json(&scene->answer, members[i], by_edge, sizeof(by_edge));
        assert_string_equal(by_edge, by_orders[i]);
    }
    http_client_json(&scene->answer, "requestId", by_edge, sizeof(by_edge));
    assert_string_not_equal(by_edge, "");
    http_client_header(&scene->answer, "X-Request-Id", by_orders[0], sizeof(by_orders[0]));
    assert_string_equal(by_edge, by_orders[0]);
}

/* Who was placed and lost the reply hears of it, though all others are refused. */
static void board_refusal_placed_order_is_forwarded(void **state)
{
    struct scene *scene = *state;
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    set_script(scene, FAKE_REPLAYED);
    for (unsigned i = 0; i < 20; i++) {
        edge_process_place(&scene->edge, PLACED_KEY, &scene->answer);
        edge_process_assert(&scene->answer, 201, NULL);
    }
}

/* The filter of a large sale comes in many pieces, which must fit. */
static void board_refusal_large_filter_arrives(void **state)
{
    struct scene *scene = *state;
    struct fake_board board = sold_out;
    board.filter_bytes = LARGE_BYTES;
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &board);
    struct patience patience = patience_of_ms(PATIENCE_MS);
    do { /* it is let go soon when nobody asks */
        assert_false(patience_is_over(&patience));
        place_until_the_edge_refuses(scene);
    } while (metric(scene, "stampede_board_filter_bytes") != LARGE_BYTES);
    assert_true(metric(scene, "stampede_board_filter_bytes_limit") >= LARGE_BYTES);
    assert_int_equal(metric(scene, "stampede_board_sales"), 1);
    set_script(scene, FAKE_REPLAYED);
    edge_process_place(&scene->edge, PLACED_KEY, &scene->answer);
    edge_process_assert(&scene->answer, 201, NULL);
}

/* Operators see who refused. */
static void board_refusal_is_counted(void **state)
{
    static const char by_board[] = "stampede_board_refused_total{reason=\"SOLD_OUT\"}";
    static const char by_all[] = "stampede_refused_total{reason=\"SOLD_OUT\"}";
    struct scene *scene = *state;
    set_script(scene, FAKE_SOLD_OUT);
    place(scene);
    assert_int_equal(metric(scene, by_board), 0);
    assert_int_equal(metric(scene, by_all), 1);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    long before = metric(scene, by_all);
    assert_true(metric(scene, by_board) >= 1);
    assert_true(metric(scene, by_board) < before);
    assert_true(metric(scene, "stampede_board_calls_total{result=\"answered\"}") >= 1);
}

/* What orders would call malformed it must call so itself: the answer is about the field. */
static void board_refusal_malformed_order_is_not_judged(void **state)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Idempotency-Key: a-key", NULL};
    static const char *const bodies[] = {
        "{\"customerId\":\"c-1\",\"quantity\":0}",     "{\"customerId\":\"c-1\",\"quantity\":1001}",
        "{\"customerId\":\"c-1\",\"quantity\":-1}",    "{\"customerId\":\"\",\"quantity\":1}",
        "{\"customerId\":\"\\u00e9\",\"quantity\":1}", "{\"quantity\":1}",
    };
    struct scene *scene = *state;
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &sold_out);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        place_until_the_edge_refuses(scene);
        unsigned before = calls(scene);
        edge_process_call(&scene->edge, "POST", EDGE_ORDERS, headers, bodies[i], &scene->answer);
        assert_int_equal(calls(scene), before + 1);
    }
}

/* Without news an entry ends; nobody is refused by what was true once. */
static void board_refusal_silence_ends_it(void **state)
{
    struct scene *scene = *state;
    struct fake_board silent = {.is_served = false};
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    fake_orders_set_board(&scene->fake, &silent);
    place_until_it_is_forwarded(scene);
}

/* A replica that answers later than the lease is worth nothing, and breaks nothing. */
static void board_refusal_slow_replica_is_not_believed(void **state)
{
    struct scene *scene = *state;
    struct fake_board slow = sold_out;
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    slow.delay_ms = 700;
    fake_orders_set_board(&scene->fake, &slow);
    place_until_it_is_forwarded(scene);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
}

/* Each of these is orders' to decide. */
static void board_refusal_doubt_is_forwarded(void **state)
{
    struct scene *scene = *state;
    struct fake_board rows[] = {sold_out, sold_out, sold_out, sold_out};
    rows[0].stock_returning = 1;
    rows[1].state = PAUSED;
    rows[2].state = LIVE;
    rows[2].stock_remaining = 1;
    rows[2].sold_out_since = 0;
    rows[3].state = SCHEDULED;
    rows[3].starts_in_ms = 900;
    set_script(scene, FAKE_SOLD_OUT);
    struct fake_board base = sold_out;
    int64_t version = base.version;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        base.version = version++;
        base.sold_out_since = base.version;
        fake_orders_set_board(&scene->fake, &base);
        place_until_the_edge_refuses(scene);
        rows[i].version = version++;
        fake_orders_set_board(&scene->fake, &rows[i]);
        place_until_it_is_forwarded(scene);
    }
}

/* A stopped edge wakes up to a world that has moved on; nothing that it knew may count. */
static void board_refusal_frozen_edge_forwards(void **state)
{
    struct scene *scene = *state;
    struct edge_placing placing[8];
    struct fake_board mute = {.is_served = true, .delay_ms = 200};
    set_script(scene, FAKE_SOLD_OUT);
    fake_orders_set_board(&scene->fake, &sold_out);
    place_until_the_edge_refuses(scene);
    process_freeze(&scene->edge.process);
    fake_orders_set_board(&scene->fake, &mute);
    set_script(scene, FAKE_PLACED);
    for (size_t i = 0; i < COUNT_OF(placing); i++) {
        edge_process_begin_place(&placing[i], &scene->edge, "while-frozen");
    }
    sleep_ms(2000);
    process_signal(&scene->edge.process, SIGCONT);
    for (size_t i = 0; i < COUNT_OF(placing); i++) {
        struct http_answer *answer = edge_process_end_place(&placing[i]);
        edge_process_assert(answer, 201, NULL);
        free(answer);
    }
}

/* The crowd before the doors is turned away at the edge, and let in when they open. */
static void board_refusal_sale_that_is_not_open_is_refused(void **state)
{
    struct scene *scene = *state;
    struct fake_board scheduled = {.is_served = true,
                                   .state = SCHEDULED,
                                   .version = 1,
                                   .stock_remaining = 10,
                                   .starts_in_ms = 3600000};
    set_script(scene, FAKE_PLACED);
    fake_orders_set_board(&scene->fake, &scheduled);
    place_until_the_edge_refuses(scene);
    edge_process_assert(&scene->answer, 409, "SALE_NOT_STARTED");
    scheduled.state = LIVE;
    scheduled.starts_in_ms = 0;
    fake_orders_set_board(&scene->fake, &scheduled);
    place_until_it_is_forwarded(scene);
    edge_process_assert(&scene->answer, 201, NULL);
}

/* An edge at rest asks for nothing. */
static void board_refusal_quiet_edge_does_not_ask(void **state)
{
    struct scene *scene = *state;
    fake_orders_set_board(&scene->fake, &sold_out);
    assert_int_equal(fake_orders_board_calls(&scene->fake), 0);
    set_script(scene, FAKE_SOLD_OUT);
    place_until_the_edge_refuses(scene);
    struct patience patience = patience_of_ms(PATIENCE_MS);
    unsigned before;
    do {
        assert_false(patience_is_over(&patience));
        before = fake_orders_board_calls(&scene->fake);
        sleep_ms(1000);
    } while (fake_orders_board_calls(&scene->fake) != before);
    place_until_the_edge_refuses(scene);
    assert_true(fake_orders_board_calls(&scene->fake) > before);
}

/* More made-up sale ids than the board has places; orders says nothing of them. */
static void flood(struct scene *scene)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "Idempotency-Key: flood", NULL};
    set_script(scene, FAKE_OVERLOADED);
    for (unsigned i = 0; i < FLOOD_SALES; i++) {
        char path[80];
        (void)snprintf(path, sizeof(path), "/v1/sales/01890000-0000-7000-8000-%012x/orders", i);
        edge_process_call(&scene->edge, "POST", path, headers,
                          "{\"customerId\":\"c-1\",\"quantity\":2}", &scene->answer);
        edge_process_assert(&scene->answer, 503, NULL);
    }
}

/* A sale that orders has spoken of stays on the board and is asked for next, however many ids
 * somebody makes up before its first entry is there. */
static void board_refusal_flood_of_sale_ids_delays_no_sale_that_exists(void **state)
{
    struct scene *scene = *state;
    set_script(scene, FAKE_SOLD_OUT);
    place(scene);
    edge_process_assert(&scene->answer, 409, "SOLD_OUT");
    flood(scene);
    fake_orders_set_board(&scene->fake, &sold_out);
    struct patience patience = patience_of_ms(PATIENCE_MS);
    do {
        assert_false(patience_is_over(&patience));
        sleep_ms(10);
        place(scene);
    } while (scene->answer.status == 503);
    edge_process_assert(&scene->answer, 409, "SOLD_OUT");
    assert_in_range(fake_orders_board_calls_until_sale(&scene->fake), 1, FLOODED_CALLS_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(board_refusal_sold_out_reads_as_that_of_orders),
        TEST(board_refusal_placed_order_is_forwarded),
        TEST(board_refusal_large_filter_arrives),
        TEST(board_refusal_is_counted),
        TEST(board_refusal_malformed_order_is_not_judged),
        TEST(board_refusal_silence_ends_it),
        TEST(board_refusal_slow_replica_is_not_believed),
        TEST(board_refusal_doubt_is_forwarded),
        TEST(board_refusal_frozen_edge_forwards),
        TEST(board_refusal_sale_that_is_not_open_is_refused),
        TEST(board_refusal_quiet_edge_does_not_ask),
        TEST(board_refusal_flood_of_sale_ids_delays_no_sale_that_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
