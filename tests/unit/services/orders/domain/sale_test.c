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
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sale_draft_in_bounds_has_no_violation),
        cmocka_unit_test(sale_draft_out_of_bounds_names_the_field),
        cmocka_unit_test(sale_draft_text_is_bounded_in_characters),
        cmocka_unit_test(sale_state_follows_the_precedence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
