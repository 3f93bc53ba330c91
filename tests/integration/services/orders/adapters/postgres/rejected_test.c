/*
 * Orders that the database refuses for what they are: each fails alone, and its neighbours are
 * placed in arrival order (CORRECTNESS B4).
 */
#include "store_fixture.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct uuid sale_id;

static int start(void **state)
{
    if (store_fixture_start(state) != 0) {
        return -1;
    }
    store_fixture_admin("ALTER TABLE orders ADD CONSTRAINT orders_poison_check "
                        "CHECK (customer_id NOT LIKE 'poison%%')");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    store_fixture_worker_start(&worker);
    sale_id = store_fixture_sale(1000, 3, 0);
    store_fixture_clear(&batch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    return 0;
}

static bool is_poisoned(size_t item)
{
    return strncmp(batch.customers[item], "poison", strlen("poison")) == 0;
}

static void fill(size_t count, const size_t *poisoned, size_t poisoned_count)
{
    char customer[32];

    store_fixture_clear(&batch);
    for (size_t i = 0; i < count; i++) {
        bool poison = false;
        for (size_t j = 0; j < poisoned_count; j++) {
            poison |= poisoned[j] == i;
        }
        snprintf(customer, sizeof(customer), "%s-%zu", poison ? "poison" : "c", i);
        store_fixture_add(&batch, &sale_id, customer, "key", 1);
    }
}

/* The poisoned ones are INTERNAL, all others placed and numbered as they arrived. */
static void expect_placed_but_for_the_poisoned(void)
{
    int64_t last = 0;
    for (size_t i = 0; i < batch.count; i++) {
        store_fixture_expect_item(&batch, i, is_poisoned(i) ? VERDICT_INTERNAL : VERDICT_PLACED);
        if (!is_poisoned(i)) {
            assert_int_equal(batch.items[i].order.number, last + 1);
            last = batch.items[i].order.number;
        }
    }
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* Wherever it stands in the batch. */
static void rejected_order_fails_alone_at_every_position(void **state)
{
    (void)state;
    for (size_t at = 0; at < 9; at++) {
        sale_id = store_fixture_sale(1000, 3, 0);
        fill(9, &at, 1);
        store_fixture_place(&worker, &sale_id, &batch);
        expect_placed_but_for_the_poisoned();
    }
    assert_int_equal(worker.connected_count, 1);
}

static void rejected_orders_of_a_full_batch_fail_alone(void **state)
{
    const size_t poisoned[] = {0, 1, 255, 256, 300, 511};
    (void)state;

    fill(PLACEMENT_BATCH_MAX, poisoned, COUNT_OF(poisoned));
    store_fixture_place(&worker, &sale_id, &batch);
    expect_placed_but_for_the_poisoned();
    assert_string_equal(worker.sqlstate, "23514");
}

static void rejected_orders_only_change_nothing(void **state)
{
    const size_t poisoned[] = {0, 1, 2, 3, 4};
    (void)state;

    fill(5, poisoned, 5);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_INTERNAL);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    assert_false(store_fixture_is_locked(&sale_id));
    assert_int_equal(store_fixture_number("SELECT version FROM sales WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     1);
}

/* Those that were there before are replayed, whatever happens to the rest. */
static void rejected_order_does_not_disturb_replays(void **state)
{
    const size_t poisoned[] = {2};
    (void)state;

    fill(2, NULL, 0);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    fill(5, poisoned, 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 1, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 2, VERDICT_INTERNAL);
    store_fixture_expect_item(&batch, 3, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 4, VERDICT_PLACED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* Names that no validated request has: refused by the server when it reads them (class 22). */
static void rejected_text_fails_alone(void **state)
{
    (void)state;
    store_fixture_add_many(&batch, &sale_id, "c", 7);
    batch.customers[2][1] = (char)0xff; /* no UTF-8 */
    batch.customers[5][1] = '\0';       /* no text of PostgreSQL's */
    store_fixture_place(&worker, &sale_id, &batch);
    for (size_t i = 0; i < 7; i++) {
        store_fixture_expect_item(&batch, i, i == 2 || i == 5 ? VERDICT_INTERNAL : VERDICT_PLACED);
    }
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    assert_int_equal(worker.connected_count, 1);
}

/* A row that has no business there takes the next number: nothing is sold rather than twice. */
static void rejected_number_that_is_taken_sells_nothing(void **state)
{
    (void)state;
    store_fixture_admin("INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, "
                        "status) VALUES ('%s', '%s', 1, 'by hand', 1, 'CANCELLED')",
                        store_fixture_text(&sale_id), store_fixture_text(&sale_id));
    fill(3, NULL, 0);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_INTERNAL);
    assert_string_equal(worker.sqlstate, "23505");
    store_fixture_compare(&sale_id, &batch);
    assert_int_equal(store_fixture_number("SELECT stock_remaining FROM sales WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     1000);
    assert_false(store_fixture_is_locked(&sale_id));
}

/* The last line of defence: a sale whose numbers are wrong is not sold from. */
static void rejected_stock_below_zero_sells_nothing(void **state)
{
    (void)state;
    store_fixture_admin("CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$BEGIN NEW.stock_remaining = -1; RETURN NEW; END$$;"
                        "CREATE TRIGGER lie BEFORE UPDATE ON sales FOR EACH ROW "
                        "EXECUTE FUNCTION lie()");
    fill(3, NULL, 0);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_INTERNAL);
    assert_string_equal(worker.sqlstate, "23514");
    store_fixture_admin("DROP FUNCTION lie CASCADE");
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

/* A row that breaks the domain's rules is an answer too, and the observer hears why. */
static void rejected_row_of_an_impossible_sale_is_internal(void **state)
{
    (void)state;
    store_fixture_admin("ALTER TABLE sales DROP CONSTRAINT sales_stock_sum_check;"
                        "UPDATE sales SET stock_remaining = stock_total + 1 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    fill(3, NULL, 0);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_INTERNAL);
    assert_string_equal(worker.kind, "protocol");
    assert_string_equal(worker.sqlstate, "");
    assert_true(strlen(worker.message) > 0);
    store_fixture_admin("UPDATE sales SET stock_remaining = stock_total WHERE sale_id = '%s';"
                        "ALTER TABLE sales ADD CONSTRAINT sales_stock_sum_check "
                        "CHECK (stock_remaining + stock_returning <= stock_total)",
                        store_fixture_text(&sale_id));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rejected_order_fails_alone_at_every_position),
        TEST(rejected_orders_of_a_full_batch_fail_alone),
        TEST(rejected_orders_only_change_nothing),
        TEST(rejected_order_does_not_disturb_replays),
        TEST(rejected_text_fails_alone),
        TEST(rejected_number_that_is_taken_sells_nothing),
        TEST(rejected_stock_below_zero_sells_nothing),
        TEST(rejected_row_of_an_impossible_sale_is_internal),
    };
    return cmocka_run_group_tests(tests, start, store_fixture_stop);
}
