#include "orders/logic/create_sale.h"

#include "../fake_store.h"
#include "../fake_system.h"
#include "base/arena.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct system_port fake_system;
static struct arena arena;
static struct store_sale made;
static struct violations violations;

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    fake_system = fake_system_of(&database);
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

static struct create_sale_request good_request(void)
{
    return (struct create_sale_request){
        .key = "k",
        .key_length = 1,
        .draft = {.sku = "s",
                  .title = "t",
                  .unit_price = {"EUR", 1},
                  .end_us = INT64_C(4000000000000000),
                  .stock_total = 5},
    };
}

static enum verdict run(const struct create_sale_request *request)
{
    struct create_sale use_case = {
        .store = &store, .system = &fake_system, .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND};
    return create_sale_run(&use_case, request,
                           atomic_load(&database.now_ns) + 5 * CLOCK_NS_PER_SECOND, &arena, &made,
                           &violations);
}

/* The same request twice is one sale. */
static void create_sale_same_key_again_is_replayed(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    assert_int_equal(run(&request), VERDICT_PLACED);
    struct uuid first = made.sale.sale_id;
    assert_int_equal(run(&request), VERDICT_REPLAYED);
    assert_true(uuid_equal(&first, &made.sale.sale_id));
    assert_int_equal(database.sale_count, 1);
}

/* Any other field under the same key is a mistake of the caller. */
static void create_sale_same_key_other_field_is_reuse(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    assert_int_equal(run(&request), VERDICT_PLACED);
    request.draft.stock_total++;
    assert_int_equal(run(&request), VERDICT_IDEMPOTENCY_KEY_REUSED);
    request = good_request();
    request.draft.has_start = true;
    assert_int_equal(run(&request), VERDICT_IDEMPOTENCY_KEY_REUSED);
    request = good_request();
    request.draft.sku = "st"; /* the texts together are the same without their lengths */
    request.draft.title = "";
    assert_int_equal(run(&request), VERDICT_INVALID_FIELD);
}

/* Texts that are the same one after the other, whatever stands between them, are not. */
static void create_sale_same_key_moved_border_is_reuse(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    request.draft.sku = "a|b";
    request.draft.title = "c";
    assert_int_equal(run(&request), VERDICT_PLACED);
    request.draft.sku = "a";
    request.draft.title = "b|c";
    assert_int_equal(run(&request), VERDICT_IDEMPOTENCY_KEY_REUSED);
}

/* A commit without an answer is asked about with the same key. */
static void create_sale_unknown_commit_is_asked_about(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    fake_database_add_step(
        &database,
        (struct fake_step){.where = FAKE_STORE, .result = STORE_UNKNOWN, .committed = true});
    assert_int_equal(run(&request), VERDICT_REPLAYED);
    assert_int_equal(database.sale_count, 1);
}

/* And when nobody can be asked any more the answer says so. */
static void create_sale_doubt_until_the_deadline_is_unknown(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .goes_down = true});
    assert_int_equal(run(&request), VERDICT_OUTCOME_UNKNOWN);
}

/* A later attempt that certainly changed nothing says nothing about the one that nobody answered.
 */
static void create_sale_refusals_after_doubt_are_unknown(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    fake_database_add_step(
        &database,
        (struct fake_step){.where = FAKE_STORE, .result = STORE_UNKNOWN, .committed = true});
    for (int i = 0; i < 10; i++) {
        fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE,
                                                             .result = STORE_BUSY,
                                                             .elapsed_ns = CLOCK_NS_PER_SECOND});
    }
    assert_int_equal(run(&request), VERDICT_OUTCOME_UNKNOWN);
}

/* Every field at fault is named at once, and nothing is asked of the database. */
static void create_sale_invalid_fields_are_all_named(void **state)
{
    (void)state;
    struct create_sale_request request = good_request();
    request.key_length = 0;
    request.draft.sku = "";
    request.draft.stock_total = 0;
    assert_int_equal(run(&request), VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 3);
    assert_int_equal(database.sale_count, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(create_sale_same_key_again_is_replayed),
        TEST(create_sale_same_key_other_field_is_reuse),
        TEST(create_sale_same_key_moved_border_is_reuse),
        TEST(create_sale_unknown_commit_is_asked_about),
        TEST(create_sale_doubt_until_the_deadline_is_unknown),
        TEST(create_sale_refusals_after_doubt_are_unknown),
        TEST(create_sale_invalid_fields_are_all_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
