#include "orders/logic/queries.h"

#include "../fake_store.h"
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct arena arena;
static struct queries_sale_page page;
static struct violations violations;

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    arena_init(&arena, 1 << 16, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    fake_database_fini(&database);
    return 0;
}

static enum verdict list(int32_t page_size, const char *token)
{
    return queries_list_sales(&store, page_size, token, 0, &arena, &page, &violations);
}

/* Following the tokens visits every sale once, newest first, and ends with an empty token. */
static void queries_list_sales_tokens_visit_all_once(void **state)
{
    (void)state;
    char token[QUERIES_TOKEN_CHARS + 1] = "";
    for (int i = 0; i < 3; i++) {
        fake_database_add_sale(&database, 1, 0);
    }
    for (int expected = 2; expected >= 0; expected--) {
        assert_int_equal(list(1, token), VERDICT_DONE);
        assert_int_equal(page.page.count, 1);
        assert_int_equal(page.page.sales[0].sale.sale_id.bytes[0], expected);
        memcpy(token, page.next_token, sizeof(token));
        assert_true((token[0] == '\0') == (expected == 0));
    }
}

/* A token that was not given out, or a negative size, is refused by name. */
static void queries_list_sales_bad_arguments_are_named(void **state)
{
    (void)state;
    assert_int_equal(list(1, "nonsense"), VERDICT_INVALID_FIELD);
    assert_string_equal(violations.items[0].field, "page_token");
    assert_int_equal(list(-1, ""), VERDICT_INVALID_FIELD);
    assert_string_equal(violations.items[0].field, "page_size");
}

/* An order is its customer's alone. */
static void queries_get_order_of_somebody_else_is_not_found(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 1, 0);
    struct uuid order_id = {{7}};
    struct store_order order;
    database.sales[0].orders[0].order.order_id = order_id;
    memcpy(database.sales[0].orders[0].customer_id, "me", 3);
    database.sales[0].order_count = 1;
    assert_int_equal(
        queries_get_order(&store, &sale_id, &order_id, "me", 0, &arena, &order, &violations),
        VERDICT_DONE);
    assert_int_equal(
        queries_get_order(&store, &sale_id, &order_id, "you", 0, &arena, &order, &violations),
        VERDICT_ORDER_NOT_FOUND);
    assert_int_equal(
        queries_get_order(&store, &sale_id, &order_id, "", 0, &arena, &order, &violations),
        VERDICT_INVALID_FIELD);
}

/* A read is never in doubt: what cannot be read is unavailable or overloaded. */
static void queries_get_sale_failures_have_their_verdicts(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 1, 0);
    struct store_sale sale;
    static const struct {
        enum store_result result;
        enum verdict verdict;
    } cases[] = {
        {STORE_UNAVAILABLE, VERDICT_DATABASE_UNAVAILABLE},
        {STORE_BUSY, VERDICT_OVERLOADED},
        {STORE_BROKEN, VERDICT_INTERNAL},
        {STORE_NOT_FOUND, VERDICT_SALE_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_step step = {.where = FAKE_READ, .result = cases[i].result};
        fake_database_add_step(&database, step);
        if (step.result == STORE_UNAVAILABLE) {
            fake_database_add_step(&database, step); /* the second attempt fails as well */
        }
        assert_int_equal(queries_get_sale(&store, &sale_id, 0, &arena, &sale), cases[i].verdict);
    }
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_READ, .result = STORE_UNAVAILABLE});
    assert_int_equal(queries_get_sale(&store, &sale_id, 0, &arena, &sale), VERDICT_DONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(queries_list_sales_tokens_visit_all_once),
        TEST(queries_list_sales_bad_arguments_are_named),
        TEST(queries_get_order_of_somebody_else_is_not_found),
        TEST(queries_get_sale_failures_have_their_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
