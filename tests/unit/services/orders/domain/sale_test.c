#include "orders/domain/sale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct sale_draft good_draft(void)
{
    return (struct sale_draft){.sku = "sku",
                               .title = "title",
                               .unit_price = {"EUR", 1999},
                               .has_start = true,
                               .start_us = 1000,
                               .end_us = 2000,
                               .stock_total = 1};
}

static const char *only_violation(const struct sale_draft *draft)
{
    struct violations violations = {0};
    sale_draft_validate(draft, &violations);
    assert_int_equal(violations.count, 1);
    return violations.items[0].field;
}

/* A sale with everything in bounds is taken. */
static void sale_draft_in_bounds_has_no_violation(void **state)
{
    (void)state;
    struct sale_draft draft = good_draft();
    struct violations violations = {0};
    sale_draft_validate(&draft, &violations);
    assert_int_equal(violations.count, 0);
}

/* Each bound of the contract names its own field. */
static void sale_draft_out_of_bounds_names_the_field(void **state)
{
    (void)state;
    struct sale_draft draft;
#define EXPECT(change, field)                                                                      \
    draft = good_draft();                                                                          \
    draft.change;                                                                                  \
    assert_string_equal(only_violation(&draft), field)
    EXPECT(sku = "", "sku");
    EXPECT(title = "", "title");
    EXPECT(stock_total = 0, "stock_total");
    EXPECT(stock_total = 10000001, "stock_total");
    EXPECT(per_customer_limit = -1, "per_customer_limit");
    EXPECT(per_customer_limit = 1000001, "per_customer_limit");
    EXPECT(hold_seconds = -1, "hold_seconds");
    EXPECT(hold_seconds = 86401, "hold_seconds");
    EXPECT(end_us = 1000, "end_time");
    EXPECT(end_us = 0, "end_time");
    EXPECT(start_us = -1, "start_time");
    EXPECT(unit_price.amount_minor = -1, "unit_price.amount_minor");
    EXPECT(unit_price.amount_minor = INT64_MAX, "unit_price.amount_minor");
    EXPECT(unit_price.currency_code[0] = 'e', "unit_price.currency_code");
    EXPECT(unit_price.currency_code[2] = '\0', "unit_price.currency_code");
#undef EXPECT
}

/* Bounds of text count characters, not bytes: 200 umlauts are fine, 201 letters are not. */
static void sale_draft_text_is_bounded_in_characters(void **state)
{
    (void)state;
    struct sale_draft draft = good_draft();
    struct violations violations = {0};
    char umlauts[401] = "", letters[202] = "";
    for (size_t i = 0; i < 200; i++) {
        memcpy(umlauts + 2 * i, "\xc3\xa4", 2);
    }
    memset(letters, 'x', 201);
    draft.title = umlauts;
    sale_draft_validate(&draft, &violations);
    assert_int_equal(violations.count, 0);
    draft.title = letters;
    assert_string_equal(only_violation(&draft), "title");
}

/* States have one order of precedence, at every moment. */
static void sale_state_follows_the_precedence(void **state)
{
    (void)state;
    struct sale sale = {.start_us = 10, .end_us = 20, .stock_total = 1, .stock_remaining = 1};
    assert_int_equal(sale_state_at(&sale, 9), SALE_SCHEDULED);
    assert_int_equal(sale_state_at(&sale, 10), SALE_LIVE);
    assert_int_equal(sale_state_at(&sale, 20), SALE_ENDED);
    sale.stock_remaining = 0;
    assert_int_equal(sale_state_at(&sale, 10), SALE_SOLD_OUT);
    sale.paused = true;
    assert_int_equal(sale_state_at(&sale, 10), SALE_PAUSED);
    assert_int_equal(sale_state_at(&sale, 9), SALE_SCHEDULED);
    assert_int_equal(sale_state_at(&sale, 25), SALE_ENDED);
    sale.ended = true; /* for good, whatever the clock says */
    assert_int_equal(sale_state_at(&sale, 10), SALE_ENDED);
    assert_int_equal(sale_state_at(&sale, 9), SALE_ENDED);
}

static struct sale stocked(int32_t remaining)
{
    return (struct sale){.start_us = 10,
                         .end_us = 20,
                         .stock_total = 10,
                         .stock_remaining = remaining,
                         .version = 4,
                         .sold_out_since = remaining == 0 ? 3 : 0};
}

/* While some remain no board refuses, so what comes back can be sold at once. */
static void sale_give_back_while_some_remain_is_sellable_at_once(void **state)
{
    (void)state;
    struct sale sale = stocked(1);
    sale_give_back(&sale, 4);
    assert_int_equal(sale.stock_remaining, 5);
    assert_int_equal(sale.stock_returned, 0);
    assert_true(sale_may_give_back(&sale, 5));
    assert_false(sale_may_give_back(&sale, 6));
    assert_false(sale_may_give_back(&sale, -1));
}

/*
 * Maturing moves exactly what had come back when it was read: asked for twice, or for what was read
 * long ago, it moves nothing that a board may still refuse.
 */
static void sale_mature_stale_or_doubled_moves_nothing_more(void **state)
{
    (void)state;
    struct sale sale = stocked(0);
    sale_give_back(&sale, 3); /* seen as returned = 3 */
    sale_give_back(&sale, 2);
    assert_int_equal(sale.stock_returning, 5);
    assert_int_equal(sale.stock_returned, 5);
    assert_int_equal(sale_mature(&sale, 3), 3);
    assert_int_equal(sale_mature(&sale, 3), 0);
    assert_int_equal(sale_mature(&sale, 1), 0);
    assert_int_equal(sale_mature(&sale, 0), 0);
    assert_int_equal(sale.stock_returning, 2);
    assert_int_equal(sale.stock_remaining, 3);
    assert_int_equal(sale_mature(&sale, 5), 2);
    assert_int_equal(sale_mature(&sale, 5), 0);
    assert_int_equal(sale.stock_remaining, 5);
    assert_int_equal(sale.stock_returned, 5);
}

/* A number that was never read moves what there is, and no unit beside. */
static void sale_mature_beyond_what_came_back_is_bounded(void **state)
{
    (void)state;
    struct sale sale = stocked(0);
    sale_give_back(&sale, 3);
    assert_int_equal(sale_mature(&sale, INT64_MAX), 3);
    assert_int_equal(sale.stock_remaining, 3);
}

/* The filter of a sold-out sale is good from the version at which stock ran out, not a later one.
 */
static void sale_seal_knows_since_when_it_is_sold_out(void **state)
{
    (void)state;
    struct sale before = stocked(2), after = before;
    sale_take(&after, 2);
    sale_seal(&before, &after);
    assert_int_equal(after.version, 5);
    assert_int_equal(after.sold_out_since, 5);

    before = after;
    sale_give_back(&after, 1);
    sale_seal(&before, &after);
    assert_int_equal(after.version, 6);
    assert_int_equal(after.sold_out_since, 5);

    before = after;
    assert_int_equal(sale_mature(&after, 1), 1);
    sale_seal(&before, &after);
    assert_int_equal(after.sold_out_since, 0);

    before = after;
    sale_take(&after, 1);
    sale_seal(&before, &after);
    assert_int_equal(after.sold_out_since, 8);
}

/* A row that no transaction of ours can have left is told from one that it can. */
static void sale_consistency_is_of_one_row(void **state)
{
    (void)state;
    struct sale sale = stocked(4);
    assert_true(sale_is_consistent(&sale));
#define BROKEN(change)                                                                             \
    sale = stocked(4);                                                                             \
    sale.change;                                                                                   \
    assert_false(sale_is_consistent(&sale))
    BROKEN(stock_remaining = -1);
    BROKEN(stock_remaining = 11);
    BROKEN(stock_returning = 7);
    BROKEN(stock_returning = 1); /* and none ever returned */
    BROKEN(version = 0);
    BROKEN(orders_count = -1);
    BROKEN(sold_out_since = 3); /* though some remain */
    BROKEN(sold_out_since = -1);
#undef BROKEN
    sale = stocked(0);
    assert_true(sale_is_consistent(&sale));
    sale.sold_out_since = 0; /* though nothing remains */
    assert_false(sale_is_consistent(&sale));
    sale.sold_out_since = 5; /* which is still to come */
    assert_false(sale_is_consistent(&sale));
}

static const char *update_violation(const struct sale *sale, const struct sale_update *update)
{
    struct violations violations = {0};
    sale_update_validate(update, &violations);
    if (violations.count == 0) {
        sale_update_validate_at(sale, 15, update, &violations);
    }
    return violations.count == 0 ? "" : violations.items[0].field;
}

/* An update changes what it names, within the bounds of a new sale; with nothing in it, nothing. */
static void sale_update_out_of_bounds_names_the_field(void **state)
{
    (void)state;
    struct sale sale = stocked(4);
    char letters[202] = "";
    memset(letters, 'x', 201);
#define EXPECT(field, ...)                                                                         \
    assert_string_equal(update_violation(&sale, &(struct sale_update){__VA_ARGS__}), field)
    EXPECT("", .title = NULL);
    EXPECT("", .title = "new", .has_end = true, .end_us = 16, .has_limit = true);
    EXPECT("title", .title = "");
    EXPECT("title", .title = letters);
    EXPECT("per_customer_limit", .has_limit = true, .per_customer_limit = -1);
    EXPECT("per_customer_limit", .has_limit = true, .per_customer_limit = 1000001);
    EXPECT("", .has_limit = true, .per_customer_limit = 1000000);
    EXPECT("", .has_end = true, .end_us = 15); /* now is not past */
    EXPECT("end_time", .has_end = true, .end_us = 14);
    EXPECT("end_time", .has_end = true, .end_us = 0);
    EXPECT("end_time", .has_end = true, .end_us = SALE_TIME_US_MAX + 1);
    sale.start_us = 18;
    EXPECT("end_time", .has_end = true, .end_us = 18);
    sale.end_us = 14; /* what it has already may be said again */
    EXPECT("", .has_end = true, .end_us = 14);
#undef EXPECT
}

/* A restock is bounded by itself and by what the sale has. */
static void sale_restock_out_of_bounds_names_the_quantity(void **state)
{
    (void)state;
    struct sale sale = stocked(4);
    static const struct {
        int32_t quantity;
        size_t alone, with_sale;
    } cases[] = {{0, 1, 0},        {-1, 1, 0},      {1, 0, 0},       {10000001, 1, 1},
                 {10000000, 0, 1}, {9999990, 0, 0}, {9999991, 0, 1}, {INT32_MAX, 1, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct violations alone = {0}, with_sale = {0};
        sale_restock_validate(cases[i].quantity, &alone);
        sale_restock_validate_for(&sale, cases[i].quantity, &with_sale);
        assert_int_equal(alone.count, cases[i].alone);
        assert_int_equal(with_sale.count, cases[i].with_sale);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sale_draft_in_bounds_has_no_violation),
        cmocka_unit_test(sale_draft_out_of_bounds_names_the_field),
        cmocka_unit_test(sale_draft_text_is_bounded_in_characters),
        cmocka_unit_test(sale_state_follows_the_precedence),
        cmocka_unit_test(sale_give_back_while_some_remain_is_sellable_at_once),
        cmocka_unit_test(sale_mature_stale_or_doubled_moves_nothing_more),
        cmocka_unit_test(sale_mature_beyond_what_came_back_is_bounded),
        cmocka_unit_test(sale_seal_knows_since_when_it_is_sold_out),
        cmocka_unit_test(sale_consistency_is_of_one_row),
        cmocka_unit_test(sale_update_out_of_bounds_names_the_field),
        cmocka_unit_test(sale_restock_out_of_bounds_names_the_quantity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
