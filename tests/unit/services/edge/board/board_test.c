#include "edge/board/board.h"

#include "base/clock.h"
#include "board_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS        CLOCK_NS_PER_MS
#define STEPS_MAX 12

/* --- Interleavings ---------------------------------------------------------------------------- */

enum step_kind {
    STEP_END,
    STEP_NEWS,   /* arrive, and were asked for at the given time */
    STEP_FILTER, /* the same, with the whole filter of this version */
    STEP_JUDGE,  /* an order that is in no filter */
    STEP_REPLAY, /* an order that is in every filter */
};

struct step {
    enum step_kind kind;
    int64_t at_ms; /* asked, or judged; from the beginning */
    enum board_verdict expected;
    enum board_state state;
    int64_t version, since, remaining, returning, age_ms, starts_in_ms, filter_version;
};

/* What a table row is made of; the defaults are a sale that is sold out since version 5. */
#define SOLD_OUT_AT(...)                                                                           \
    {                                                                                              \
        .kind = STEP_FILTER, .state = BOARD_STATE_SOLD_OUT, .version = 5, .since = 5,              \
        .filter_version = 5, __VA_ARGS__                                                           \
    }
#define NEWS_AT(...)                                                                               \
    {                                                                                              \
        .kind = STEP_NEWS, .state = BOARD_STATE_SOLD_OUT, .version = 5, .since = 5, __VA_ARGS__    \
    }
#define REFUSED_AT(at)                                                                             \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_SOLD_OUT                              \
    }
#define NOT_OPEN_AT(at)                                                                            \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_NOT_STARTED                           \
    }
#define FORWARDED_AT(at)                                                                           \
    {                                                                                              \
        .kind = STEP_JUDGE, .at_ms = (at), .expected = BOARD_FORWARD                               \
    }
#define REPLAYED_AT(at)                                                                            \
    {                                                                                              \
        .kind = STEP_REPLAY, .at_ms = (at), .expected = BOARD_FORWARD                              \
    }

struct interleaving {
    const char *what;
    struct step steps[STEPS_MAX];
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct interleaving interleavings[] = {
    {"nothing is known", {FORWARDED_AT(0)}},
    {"sold out and the filter is here", {SOLD_OUT_AT(.at_ms = 0), REFUSED_AT(1), REPLAYED_AT(1)}},
    {"the lease counts from the asking",
     {SOLD_OUT_AT(.at_ms = 0), REFUSED_AT(499), FORWARDED_AT(500), FORWARDED_AT(2000)}},
    {"the age of the reading is taken off",
     {SOLD_OUT_AT(.at_ms = 0, .age_ms = 200), REFUSED_AT(299), FORWARDED_AT(300)}},
    {"a reading older than a lease never counts",
     {SOLD_OUT_AT(.at_ms = 0, .age_ms = 500), FORWARDED_AT(0),
      SOLD_OUT_AT(.at_ms = 0, .age_ms = INT64_MAX), FORWARDED_AT(0)}},
    {"a frozen edge finds everything expired", {SOLD_OUT_AT(.at_ms = 0), FORWARDED_AT(3600000)}},
    {"the same version renews",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 300), REFUSED_AT(799), FORWARDED_AT(800)}},
    {"an older reading of the same version does not shorten",
     {SOLD_OUT_AT(.at_ms = 300), NEWS_AT(.at_ms = 310, .age_ms = 200), REFUSED_AT(799)}},
    {"a lower version does not renew",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 300, .version = 4, .since = 4), REFUSED_AT(499),
      FORWARDED_AT(500)}},
    {"a lower version does not replace",
     {NEWS_AT(.at_ms = 0, .version = 6, .state = BOARD_STATE_OTHER, .since = 0, .remaining = 1),
      SOLD_OUT_AT(.at_ms = 100), FORWARDED_AT(101), FORWARDED_AT(599)}},
    {"a replica that was stopped answers late and is not believed",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 400, .version = 6, .returning = 1),
      SOLD_OUT_AT(.at_ms = 500, .age_ms = 1900), FORWARDED_AT(501)}},
    {"the state of the same version moves on with time",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"returning stock forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .returning = 1),
      FORWARDED_AT(101)}},
    {"remaining stock forwards",
     {SOLD_OUT_AT(.at_ms = 0),
      NEWS_AT(.at_ms = 100, .version = 6, .remaining = 1, .since = 0, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"a sale that contradicts itself forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .remaining = 1, .since = 0),
      FORWARDED_AT(101)}},
    {"a sale that says sold out and has stock forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .remaining = 1),
      FORWARDED_AT(101)}},
    {"paused or ended forwards",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .state = BOARD_STATE_OTHER),
      FORWARDED_AT(101)}},
    {"a resumed sale refuses by the filter that it had",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .state = BOARD_STATE_OTHER),
      NEWS_AT(.at_ms = 200, .version = 7), REFUSED_AT(201), REPLAYED_AT(201)}},
    {"without a filter forwards", {NEWS_AT(.at_ms = 0), FORWARDED_AT(1)}},
    {"a filter older than the last selling out does not count",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 9, .since = 8), FORWARDED_AT(101)}},
    {"a filter of the selling out before is not even taken",
     {SOLD_OUT_AT(.at_ms = 0, .version = 9, .since = 8, .filter_version = 7), FORWARDED_AT(1)}},
    {"a filter newer than the entry counts",
     {SOLD_OUT_AT(.at_ms = 0, .version = 6, .since = 5, .filter_version = 6), REFUSED_AT(1)}},
    {"a lagging replica's filter counts when it is of the same selling out",
     {NEWS_AT(.at_ms = 0, .version = 9), SOLD_OUT_AT(.at_ms = 100, .version = 7), REFUSED_AT(101),
      REFUSED_AT(499), FORWARDED_AT(500)}},
    {"sold out again after a return needs the new filter",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 6, .returning = 1),
      NEWS_AT(.at_ms = 700, .version = 7, .since = 0, .remaining = 1, .state = BOARD_STATE_OTHER),
      NEWS_AT(.at_ms = 800, .version = 8, .since = 8), FORWARDED_AT(801),
      SOLD_OUT_AT(.at_ms = 900, .version = 8, .since = 8, .filter_version = 8), REFUSED_AT(901)}},
    {"a sale that was never sold out has no filter",
     {SOLD_OUT_AT(.at_ms = 0, .since = 0), FORWARDED_AT(1)}},
    {"news without sense are dropped",
     {SOLD_OUT_AT(.at_ms = 0), NEWS_AT(.at_ms = 100, .version = 0, .since = 0),
      NEWS_AT(.at_ms = 100, .version = -1), NEWS_AT(.at_ms = 100, .version = 6, .since = 7),
      NEWS_AT(.at_ms = 100, .version = 6, .remaining = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .returning = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .age_ms = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .since = -1),
      NEWS_AT(.at_ms = 100, .version = 6, .starts_in_ms = -1), REFUSED_AT(101), FORWARDED_AT(500)}},
    {"not open for long",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .remaining = 3,
              .starts_in_ms = INT64_MAX),
      NOT_OPEN_AT(1), NOT_OPEN_AT(499), FORWARDED_AT(500)}},
    {"not open, and a second is left",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1001),
      NOT_OPEN_AT(0), FORWARDED_AT(1)}},
    {"opens within a second",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1000),
      FORWARDED_AT(0)}},
    {"the opening counts from the asking",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1300),
      NOT_OPEN_AT(299), FORWARDED_AT(300)}},
    {"the opening counts from before the reading",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_SCHEDULED, .since = 0, .starts_in_ms = 1300,
              .age_ms = 200),
      NOT_OPEN_AT(99), FORWARDED_AT(100)}},
    {"open by its state, whatever the time says",
     {NEWS_AT(.at_ms = 0, .state = BOARD_STATE_OTHER, .since = 0, .remaining = 1,
              .starts_in_ms = 5000),
      FORWARDED_AT(1)}},
};
#pragma GCC diagnostic pop

static void do_step(struct board_world *world, const struct step *step)
{
    world->now_ns = (BOARD_WORLD_BEGAN_MS + step->at_ms) * MS;
    const struct board_news news = {
        .sale_id = board_world_sale(0),
        .state = step->state,
        .version = step->version,
        .sold_out_since = step->since,
        .stock_remaining = step->remaining,
        .stock_returning = step->returning,
        .age_ms = step->age_ms,
        .starts_in_ms = step->starts_in_ms,
    };
    struct id_filter filter;
    switch (step->kind) {
    case STEP_NEWS:
        assert_false(board_take(world->board, &news, world->now_ns));
        return;
    case STEP_FILTER:
        filter = board_world_filter(0, BOARD_WORLD_FILTER_BYTES);
        assert_false(board_world_take_piece(world, &news, &filter, step->filter_version, 0, 0));
        id_filter_fini(&filter);
        return;
    case STEP_JUDGE:
        assert_int_equal(board_world_judge(world, BOARD_WORLD_OTHER_KEY), step->expected);
        return;
    case STEP_REPLAY:
        assert_int_equal(board_world_judge(world, BOARD_WORLD_PLACED_KEY), step->expected);
        return;
    case STEP_END:
        return;
    }
}

/* Each row is a way in which an edge could refuse an order that exists, or forward for ever. */
static void board_each_interleaving_is_judged_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(interleavings); i++) {
        void *own;
        print_message("%s\n", interleavings[i].what);
        assert_int_equal(board_world_set_up(&own), 0);
        struct board_world *world = own;
        assert_int_equal(board_world_judge(world, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
        for (size_t at = 0; at < STEPS_MAX; at++) {
            do_step(world, &interleavings[i].steps[at]);
        }
        assert_int_equal(board_world_tear_down(&own), 0);
    }
}

/* --- Strangers -------------------------------------------------------------------------------- */

/* A flood of made-up sale ids must not push the sales that exist off the board. */
static void board_strangers_do_not_displace_known_sales(void **state)
{
    struct board_world *world = *state;
    for (unsigned sale = 0; sale < 3; sale++) {
        board_world_sell_out(world, sale, 5);
    }
    for (unsigned sale = 100; sale < 1000; sale++) {
        assert_int_equal(board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    }
    assert_int_equal(board_sales(world->board), BOARD_WORLD_SALES_MAX);
    for (unsigned sale = 0; sale < 3; sale++) {
        assert_int_equal(board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY),
                         BOARD_SOLD_OUT);
    }
}

static void flood(struct board_world *world, unsigned first)
{
    for (unsigned sale = first; sale < first + 100; sale++) {
        assert_int_equal(board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY), BOARD_FORWARD);
    }
}

/* A flood of made-up sale ids must not keep a new sale off the board either: what orders says of
 * its orders tells it from them, also when it had been pushed off already. */
static void board_vouched_sale_outlasts_strangers(void **state)
{
    struct board_world *world = *state;
    const struct uuid before = board_world_sale(0), after = board_world_sale(1);
    (void)board_world_judge_sale(world, 0, BOARD_WORLD_OTHER_KEY);
    board_vouch(world->board, &before, world->now_ns);
    (void)board_world_judge_sale(world, 1, BOARD_WORLD_OTHER_KEY);
    flood(world, 100);
    board_vouch(world->board, &after, world->now_ns);
    board_vouch(world->board, &after, world->now_ns);
    flood(world, 200);
    assert_int_equal(board_sales(world->board), BOARD_WORLD_SALES_MAX);
    for (unsigned sale = 0; sale < 2; sale++) {
        struct board_news news = board_world_sold_out_news(sale, 5, 5);
        struct id_filter filter = board_world_filter(sale, BOARD_WORLD_FILTER_BYTES);
        /* What is said of a sale that is not there would be dropped. */
        assert_false(board_world_take_piece(world, &news, &filter, 5, 0, 0));
        id_filter_fini(&filter);
        assert_int_equal(board_world_judge_sale(world, sale, BOARD_WORLD_OTHER_KEY),
                         BOARD_SOLD_OUT);
    }
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, board_world_set_up, board_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_each_interleaving_is_judged_by_the_rules),
        UNIT(board_strangers_do_not_displace_known_sales),
        UNIT(board_vouched_sale_outlasts_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
