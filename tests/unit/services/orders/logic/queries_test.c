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

/* --- Orders -------------------------------------------------------------------------------------
 */

static struct queries_order_page orders;

/* Orders by number, customers "even" and "odd" in turn, each placed by a transaction of its own. */
static void place(struct uuid sale_id, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fake_sale *fake = &database.sales[sale_id.bytes[0]];
        bool even = fake->order_count % 2 == 1;
        struct placement_request request = {
            .customer_id = even ? "even" : "odd", .customer_length = even ? 4 : 3, .quantity = 1};
        struct placement_facts facts;
        static struct placement_decision decision;
        request.order_id.bytes[0] = (uint8_t)(fake->order_count + 1);
        assert_int_equal(
            store.load_placement(store.data, &sale_id, &request, 1, INT64_MAX, &arena, &facts),
            STORE_OK);
        assert_int_equal(placement_decide(&facts, &request, 1, &arena, &decision), 0);
        assert_int_equal(
            store.store_placed(store.data, &facts, &request, 1, &decision, INT64_MAX, &arena),
            STORE_OK);
    }
}

static enum verdict list_orders(struct uuid sale_id, const char *customer, int32_t page_size,
                                const char *token)
{
    return queries_list_orders(&store, &sale_id, customer, page_size, token, 0, &arena, &orders,
                               &violations);
}

/* No order is skipped or doubled while others arrive between the pages. */
static void queries_list_orders_is_stable_while_orders_arrive(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 100, 0);
    char token[QUERIES_TOKEN_CHARS + 1] = "";
    int64_t number = 0;
    place(sale_id, 3);
    do {
        assert_int_equal(list_orders(sale_id, "", 2, token), VERDICT_DONE);
        for (size_t i = 0; i < orders.page.count; i++) {
            assert_int_equal(orders.page.orders[i].order.number, ++number);
        }
        if (number < 6) {
            place(sale_id, 2);
        }
        memcpy(token, orders.next_token, sizeof(token));
    } while (token[0] != '\0');
    assert_int_equal(number, database.sales[0].order_count);
}

/* One customer's orders alone, and a page that is exactly full is the last. */
static void queries_list_orders_of_one_customer(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 100, 0);
    place(sale_id, 5);
    assert_int_equal(list_orders(sale_id, "even", 2, ""), VERDICT_DONE);
    assert_int_equal(orders.page.count, 2);
    assert_int_equal(orders.page.orders[1].order.number, 4);
    assert_string_equal(orders.next_token, "");
    assert_int_equal(list_orders(sale_id, "nobody", 0, ""), VERDICT_DONE);
    assert_int_equal(orders.page.count, 0);
}

/* Tokens are those that were given out, nothing that merely looks like a number. */
static void queries_list_orders_bad_arguments_are_named(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 100, 0);
    static const char *const tokens[] = {"1",
                                         "1-",
                                         "2-1",
                                         "1-0",
                                         "1--1",
                                         "1-01",
                                         "1-1x",
                                         "1-+1",
                                         "1- 1",
                                         "x",
                                         "1-9223372036854775808"};
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        assert_int_equal(list_orders(sale_id, "", 1, tokens[i]), VERDICT_INVALID_FIELD);
        assert_string_equal(violations.items[0].field, "page_token");
    }
    assert_int_equal(list_orders(sale_id, "", 1, "1-9223372036854775807"), VERDICT_DONE);
    assert_int_equal(list_orders(sale_id, "\n", -1, "x"), VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 3);
    sale_id.bytes[5] = 9;
    assert_int_equal(list_orders(sale_id, "", 1, ""), VERDICT_SALE_NOT_FOUND);
}

/* A lost connection costs one more attempt; what else fails is told. */
static void queries_list_orders_failures_have_their_verdicts(void **state)
{
    (void)state;
    struct uuid sale_id = fake_database_add_sale(&database, 100, 0);
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_READ, .result = STORE_UNAVAILABLE});
    assert_int_equal(list_orders(sale_id, "", 1, ""), VERDICT_DONE);
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_READ, .result = STORE_BUSY});
    assert_int_equal(list_orders(sale_id, "", 1, ""), VERDICT_OVERLOADED);
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_READ, .result = STORE_BROKEN});
    assert_int_equal(list_orders(sale_id, "", 1, ""), VERDICT_INTERNAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(queries_list_sales_tokens_visit_all_once),
        TEST(queries_list_sales_bad_arguments_are_named),
        TEST(queries_get_order_of_somebody_else_is_not_found),
        TEST(queries_get_sale_failures_have_their_verdicts),
        TEST(queries_list_orders_is_stable_while_orders_arrive),
        TEST(queries_list_orders_of_one_customer),
        TEST(queries_list_orders_bad_arguments_are_named),
        TEST(queries_list_orders_failures_have_their_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
