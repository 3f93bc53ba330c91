#include "edge/board/board_entry.h"

#include "base/clock.h"
#include "edge/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS       CLOCK_NS_PER_MS
#define ASKED_NS (INT64_C(1000000) * MS)
#define LEASE_NS (CONTRACT_BOARD_LEASE_MS * MS)

static struct board_news sold_out(int64_t version)
{
    return (struct board_news){
        .state = BOARD_STATE_SOLD_OUT, .version = version, .sold_out_since = version};
}

static struct board_news scheduled(int64_t starts_in_ms)
{
    return (struct board_news){
        .state = BOARD_STATE_SCHEDULED, .version = 1, .starts_in_ms = starts_in_ms};
}

static struct board_entry entry_of(const struct board_news *news)
{
    struct board_entry entry = {0};
    board_entry_take(&entry, news, ASKED_NS);
    return entry;
}

/* Nothing is refused by what nobody has said. */
static void board_entry_without_news_says_nothing(void **state)
{
    const struct board_entry entry = {0};
    (void)state;
    assert_false(board_entry_is_sold_out(&entry, 0));
    assert_false(board_entry_is_not_started(&entry, 0));
}

/* Stock that returns is sold again one lease later: an edge that refused longer would be wrong. */
static void board_entry_lease_ends_to_the_nanosecond(void **state)
{
    const struct board_news news = sold_out(5);
    const struct board_entry entry = entry_of(&news);
    (void)state;
    assert_true(board_entry_is_sold_out(&entry, ASKED_NS));
    assert_true(board_entry_is_sold_out(&entry, ASKED_NS + LEASE_NS - 1));
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS + LEASE_NS));
}

/* What the replica had read a while ago counts from then; an absurd age says that all is over. */
static void board_entry_age_shortens_the_lease(void **state)
{
    struct board_news news = sold_out(5);
    (void)state;
    news.age_ms = 100;
    struct board_entry entry = entry_of(&news);
    assert_true(board_entry_is_sold_out(&entry, ASKED_NS + LEASE_NS - 100 * MS - 1));
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS + LEASE_NS - 100 * MS));
    news.age_ms = INT64_MAX;
    entry = entry_of(&news);
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS));
}

/* Answers overtake each other: an old one neither replaces nor renews what is there. */
static void board_entry_older_news_change_nothing(void **state)
{
    struct board_news news = sold_out(5);
    struct board_entry entry = entry_of(&news);
    (void)state;
    struct board_news older = {.state = BOARD_STATE_OTHER, .version = 4};
    board_entry_take(&entry, &older, ASKED_NS + LEASE_NS);
    assert_int_equal(entry.version, 5);
    assert_int_equal(entry.read_ns, ASKED_NS);
    board_entry_take(&entry, &news, ASKED_NS - 1);
    assert_int_equal(entry.read_ns, ASKED_NS);
    board_entry_take(&entry, &news, ASKED_NS + 1);
    assert_int_equal(entry.read_ns, ASKED_NS + 1);
}

/* A unit that is left, or on its way back, is one that somebody may get. */
static void board_entry_with_stock_is_not_sold_out(void **state)
{
    struct board_news news = sold_out(5);
    (void)state;
    news.stock_remaining = 1;
    struct board_entry entry = entry_of(&news);
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS));
    news.stock_remaining = 0;
    news.stock_returning = 1;
    entry = entry_of(&news);
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS));
}

/* Near its opening a sale is the orders service's to judge, by the database's clock. */
static void board_entry_not_started_keeps_the_margin(void **state)
{
    struct board_news news = scheduled(EDGE_BOARD_START_MARGIN_MS + 1);
    struct board_entry entry = entry_of(&news);
    (void)state;
    assert_true(board_entry_is_not_started(&entry, ASKED_NS));
    assert_false(board_entry_is_not_started(&entry, ASKED_NS + MS));
    news = scheduled(EDGE_BOARD_START_MARGIN_MS);
    entry = entry_of(&news);
    assert_false(board_entry_is_not_started(&entry, ASKED_NS));
    assert_false(board_entry_is_sold_out(&entry, ASKED_NS));
}

/* A peer may say anything: the sum of now and the largest number must not run over. */
static void board_entry_far_opening_stays_in_range(void **state)
{
    const struct board_news news = scheduled(INT64_MAX);
    const struct board_entry entry = entry_of(&news);
    (void)state;
    assert_true(board_entry_is_not_started(&entry, ASKED_NS));
}

/* News that contradict themselves must not become an entry. */
static void board_entry_implausible_news_are_told_apart(void **state)
{
    struct board_news news = sold_out(5);
    (void)state;
    assert_true(board_entry_is_plausible(&news));
    news.version = 0;
    assert_false(board_entry_is_plausible(&news));
    int64_t *const members[] = {&news.sold_out_since, &news.stock_remaining, &news.stock_returning,
                                &news.starts_in_ms, &news.age_ms};
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        news = sold_out(5);
        *members[i] = -1;
        assert_false(board_entry_is_plausible(&news));
    }
    news = sold_out(5);
    news.sold_out_since = 6;
    assert_false(board_entry_is_plausible(&news));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(board_entry_without_news_says_nothing),
        cmocka_unit_test(board_entry_lease_ends_to_the_nanosecond),
        cmocka_unit_test(board_entry_age_shortens_the_lease),
        cmocka_unit_test(board_entry_older_news_change_nothing),
        cmocka_unit_test(board_entry_with_stock_is_not_sold_out),
        cmocka_unit_test(board_entry_not_started_keeps_the_margin),
        cmocka_unit_test(board_entry_far_opening_stays_in_range),
        cmocka_unit_test(board_entry_implausible_news_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
