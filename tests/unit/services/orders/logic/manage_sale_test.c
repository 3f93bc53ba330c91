#include "orders/logic/manage_sale.h"

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

#define STOCK INT32_C(10)

static struct fake_database database;
static struct fake_connection connection;
static struct store store;
static struct system_port fake_system;
static struct uuid sale_id;
static struct arena arena;
static struct store_sale made;
static struct violations violations;

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    store = fake_store_of(&connection, &database);
    fake_system = fake_system_of(&database);
    sale_id = fake_database_add_sale(&database, STOCK, 0);
    arena_init(&arena, 1 << 16, 1 << 20);
    memset(&made, 0, sizeof(made));
    return 0;
}

/* Whatever went wrong: no transaction is open, and what must always hold holds. */
static int tear_down(void **state)
{
    (void)state;
    assert_null(connection.locked);
    assert_true(fake_database_is_sound(&database.sales[0]));
    arena_fini(&arena);
    fake_database_fini(&database);
    return 0;
}

static enum verdict run(struct manage_sale_request request)
{
    struct manage_sale use_case = {
        .store = &store, .system = &fake_system, .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND};
    int64_t deadline_ns = atomic_load(&database.now_ns) + 5 * CLOCK_NS_PER_SECOND;
    return manage_sale_run(&use_case, &sale_id, &request, deadline_ns, &arena, &made, &violations);
}

static enum verdict act(enum manage_sale_act which)
{
    return run((struct manage_sale_request){.act = which});
}

static enum verdict restock(const char *key, int32_t quantity)
{
    return run((struct manage_sale_request){
        .act = MANAGE_SALE_RESTOCK, .key = key, .key_length = strlen(key), .quantity = quantity});
}

static const struct sale *sale(void)
{
    return &database.sales[0].sale;
}

/* One order of all the stock: held until a microsecond from now, or sold. */
static void sell_out(enum order_status status)
{
    struct fake_sale *fake = &database.sales[0];
    fake->orders[0].order = (struct order){
        .number = 1, .quantity = STOCK, .status = status, .expire_us = FAKE_STORE_CLOCK_US + 1};
    fake->order_count = 1;
    fake->sale.orders_count = 1;
    fake->sale.stock_remaining = 0;
    fake->sale.sold_out_since = 1;
}

/* Each move is one version; asked for again it is done and none. */
static void manage_sale_pause_and_resume_are_idempotent(void **state)
{
    (void)state;
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_DONE);
    assert_true(made.sale.paused && sale()->paused);
    assert_int_equal(made.sale.version, 2);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_DONE);
    assert_int_equal(sale()->version, 2);
    assert_int_equal(act(MANAGE_SALE_RESUME), VERDICT_DONE);
    assert_false(sale()->paused);
    assert_int_equal(act(MANAGE_SALE_RESUME), VERDICT_DONE);
    assert_int_equal(sale()->version, 3);
    assert_int_equal(database.sales[0].event_count, 3);
}

/* Ending is for good, by the database's clock; what an ended sale does not take says so. */
static void manage_sale_end_is_for_good(void **state)
{
    (void)state;
    assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
    assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US);
    assert_int_equal(sale_state_at(&made.sale, made.now_us), SALE_ENDED);
    atomic_store(&database.clock_us, FAKE_STORE_CLOCK_US + 5);
    assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
    assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_SALE_ENDED);
    assert_int_equal(act(MANAGE_SALE_RESUME), VERDICT_SALE_ENDED);
    assert_int_equal(restock("k", 1), VERDICT_SALE_ENDED);
    assert_int_equal(run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE,
                                                      .has_end = true,
                                                      .end_us = FAKE_STORE_CLOCK_US * 3}),
                     VERDICT_SALE_ENDED);
    assert_int_equal(run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE, .title = "past"}),
                     VERDICT_DONE);
    assert_string_equal(sale()->title, "past");
    assert_int_equal(sale()->version, 3);
}

/* The database's clock is set back to before the end: nothing is sold and nothing changes. A sale
 * that had run out by itself is ended the same, as whoever ended it was told. */
static void manage_sale_end_outlasts_a_clock_that_is_set_back(void **state)
{
    (void)state;
    for (int64_t end_us = FAKE_STORE_CLOCK_US; end_us <= FAKE_STORE_CLOCK_US * 2;
         end_us += FAKE_STORE_CLOCK_US) {
        struct sale *ended = &database.sales[0].sale;
        ended->ended = false;
        ended->end_us = end_us;
        atomic_store(&database.clock_us, FAKE_STORE_CLOCK_US);
        assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
        assert_true(sale()->ended);
        assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US);
        int64_t version = sale()->version;
        atomic_store(&database.clock_us, FAKE_STORE_CLOCK_US - 5);
        assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_SALE_ENDED);
        assert_int_equal(restock("k", 1), VERDICT_SALE_ENDED);
        assert_int_equal(run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE,
                                                          .has_end = true,
                                                          .end_us = FAKE_STORE_CLOCK_US * 3}),
                         VERDICT_SALE_ENDED);
        assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
        assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US);
        assert_int_equal(sale()->version, version);
    }
}

/* A sale that had not begun has a window that is empty, not one that ends before it starts. */
static void manage_sale_end_before_the_start_moves_the_start(void **state)
{
    (void)state;
    database.sales[0].sale.start_us = FAKE_STORE_CLOCK_US + 10;
    assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
    assert_int_equal(sale()->start_us, FAKE_STORE_CLOCK_US);
    assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US);
}

/* What is left out stays; the answer does not borrow the request's text. */
static void manage_sale_update_changes_what_it_names(void **state)
{
    (void)state;
    char title[] = "new";
    assert_int_equal(
        run((struct manage_sale_request){
            .act = MANAGE_SALE_UPDATE, .title = title, .has_limit = true, .per_customer_limit = 3}),
        VERDICT_DONE);
    title[0] = 'X';
    assert_string_equal(made.sale.title, "new");
    assert_string_equal(sale()->title, "new");
    assert_int_equal(sale()->per_customer_limit, 3);
    assert_int_equal(sale()->end_us, 2 * FAKE_STORE_CLOCK_US);
    assert_int_equal(run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE,
                                                      .has_end = true,
                                                      .end_us = FAKE_STORE_CLOCK_US + 1}),
                     VERDICT_DONE);
    assert_int_equal(sale()->end_us, FAKE_STORE_CLOCK_US + 1);
    assert_int_equal(act(MANAGE_SALE_UPDATE), VERDICT_DONE); /* nothing in it: nothing changes */
    assert_int_equal(sale()->version, 3);
}

/* Fields at fault are named, those that the database's clock decides as well. */
static void manage_sale_invalid_fields_are_named(void **state)
{
    (void)state;
    assert_int_equal(
        run((struct manage_sale_request){
            .act = MANAGE_SALE_UPDATE, .title = "", .has_limit = true, .per_customer_limit = -1}),
        VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 2);
    assert_int_equal(atomic_load(&database.load_count), 0);
    assert_int_equal(run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE,
                                                      .has_end = true,
                                                      .end_us = FAKE_STORE_CLOCK_US - 1}),
                     VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 1);
    assert_string_equal(violations.items[0].field, "end_time");
    assert_int_equal(restock("", 0), VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 2);
    assert_int_equal(restock("k", SALE_STOCK_MAX), VERDICT_INVALID_FIELD);
    assert_string_equal(violations.items[0].field, "quantity");
    assert_int_equal(sale()->version, 1);
}

/* CORRECTNESS B7: a doubled restock would oversell real goods with every invariant green. */
static void manage_sale_restock_same_key_adds_once(void **state)
{
    (void)state;
    assert_int_equal(restock("k", 5), VERDICT_DONE);
    assert_int_equal(restock("k", 5), VERDICT_REPLAYED);
    assert_int_equal(made.sale.stock_total, STOCK + 5);
    assert_int_equal(restock("k", 6), VERDICT_IDEMPOTENCY_KEY_REUSED);
    assert_int_equal(restock("l", 1), VERDICT_DONE);
    assert_int_equal(sale()->stock_remaining, STOCK + 6);
    assert_int_equal(sale()->stock_total, STOCK + 6);
    assert_int_equal(sale()->version, 3);
    assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
    assert_int_equal(restock("k", 5), VERDICT_REPLAYED); /* also after the end */
}

/* A board may still refuse a sold-out sale, so what is added to one matures like what comes back.
 */
static void manage_sale_restock_of_a_sold_out_sale_returns(void **state)
{
    (void)state;
    sell_out(ORDER_CONFIRMED);
    assert_int_equal(restock("k", 5), VERDICT_DONE);
    assert_int_equal(sale()->stock_remaining, 0);
    assert_int_equal(sale()->stock_returning, 5);
    assert_int_equal(sale()->stock_total, STOCK + 5);
    assert_int_equal(sale()->sold_out_since, 1);
}

/* What had expired is stored also where the act itself is refused or changes nothing. */
static void manage_sale_expired_holds_are_stored_with_a_refusal(void **state)
{
    (void)state;
    sell_out(ORDER_RESERVED);
    database.sales[0].sale.end_us = FAKE_STORE_CLOCK_US + 1;
    atomic_store(&database.clock_us, FAKE_STORE_CLOCK_US + 1);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_SALE_ENDED);
    assert_int_equal(sale()->stock_returning, STOCK);
    assert_false(sale()->paused);
    assert_int_equal(sale()->version, 2);
    assert_int_equal(database.sales[0].orders[0].order.status, ORDER_EXPIRED);
}

/* A COMMIT without an answer is asked about: each act was done once, whatever became of it. */
static void manage_sale_unknown_commit_is_asked_about(void **state)
{
    (void)state;
    for (int committed = 0; committed < 2; committed++) {
        const struct fake_step unknown = {
            .where = FAKE_STORE_CHANGE, .result = STORE_UNKNOWN, .committed = committed == 1};
        fake_database_add_step(&database, unknown);
        assert_int_equal(act(committed ? MANAGE_SALE_RESUME : MANAGE_SALE_PAUSE), VERDICT_DONE);
        assert_int_equal(sale()->paused, !committed);
        fake_database_add_step(&database, unknown);
        assert_int_equal(restock(committed ? "a" : "b", 5),
                         committed ? VERDICT_REPLAYED : VERDICT_DONE);
    }
    assert_int_equal(sale()->stock_total, STOCK + 10);
    fake_database_add_step(
        &database,
        (struct fake_step){.where = FAKE_STORE_CHANGE, .result = STORE_UNKNOWN, .committed = true});
    assert_int_equal(act(MANAGE_SALE_END), VERDICT_DONE);
    assert_int_equal(sale()->version, 6);
}

static struct store store_before;

/* What the store does, after which the sale's time is over. */
static enum store_result store_and_end(void *data, const struct store_change_facts *facts,
                                       const struct store_change *change, int64_t deadline_ns,
                                       struct arena *memory)
{
    enum store_result result = store_before.store_change(data, facts, change, deadline_ns, memory);
    atomic_store(&database.clock_us, sale()->end_us);
    return result;
}

/* Who paused the sale in time is told so, though it had ended when the answer was found out. */
static void manage_sale_end_between_commit_and_question_is_done(void **state)
{
    (void)state;
    fake_database_add_step(
        &database,
        (struct fake_step){.where = FAKE_STORE_CHANGE, .result = STORE_UNKNOWN, .committed = true});
    store_before = store;
    store.store_change = store_and_end;
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_DONE);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_SALE_ENDED);
    assert_int_equal(sale()->version, 2);
}

/* And when nobody can be asked any more the answer says so. */
static void manage_sale_doubt_until_the_deadline_is_unknown(void **state)
{
    (void)state;
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_STORE_CHANGE,
                                                         .result = STORE_UNKNOWN,
                                                         .committed = true,
                                                         .goes_down = true});
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_OUTCOME_UNKNOWN);
}

/* Every failure at every step ends in the verdict that is true of it. */
static void manage_sale_failures_have_their_verdicts(void **state)
{
    (void)state;
    static const struct {
        enum store_result result;
        enum verdict verdict;
    } cases[] = {
        {STORE_UNAVAILABLE, VERDICT_DONE}, /* one new connection */
        {STORE_BUSY, VERDICT_OVERLOADED},   {STORE_CONFLICT, VERDICT_DONE},
        {STORE_REJECTED, VERDICT_INTERNAL}, {STORE_BROKEN, VERDICT_INTERNAL},
    };
    bool pauses = true;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        fake_database_add_step(
            &database,
            (struct fake_step){.where = i % 2 == 0 ? FAKE_LOAD_CHANGE : FAKE_STORE_CHANGE,
                               .result = cases[i / 2].result});
        assert_int_equal(act(pauses ? MANAGE_SALE_PAUSE : MANAGE_SALE_RESUME),
                         cases[i / 2].verdict);
        bool done = cases[i / 2].verdict == VERDICT_DONE;
        assert_int_equal(sale()->paused, done ? pauses : !pauses);
        assert_null(connection.locked);
        pauses ^= done;
    }
    atomic_store(&database.is_down, true);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_DATABASE_UNAVAILABLE);
}

/* A sale that is not there is an answer, and leaves no transaction open. */
static void manage_sale_unknown_sale_is_not_found(void **state)
{
    (void)state;
    sale_id.bytes[5] = 9;
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_SALE_NOT_FOUND);
}

/* Too little memory changes nothing. */
static void manage_sale_full_arena_is_internal(void **state)
{
    (void)state;
    arena_fini(&arena);
    arena_init(&arena, 16, 16);
    assert_int_equal(
        run((struct manage_sale_request){.act = MANAGE_SALE_UPDATE,
                                         .title = "a title that is longer than sixteen bytes"}),
        VERDICT_INTERNAL);
    assert_int_equal(sale()->version, 1);
    assert_int_equal(atomic_load(&database.load_count), 0);
}

/* Rows that contradict each other change nothing and are said to be our error. */
static void manage_sale_contradicting_rows_are_internal(void **state)
{
    (void)state;
    sell_out(ORDER_RESERVED);
    database.sales[0].orders[0].order.quantity = STOCK + 1;
    atomic_store(&database.clock_us, FAKE_STORE_CLOCK_US + 1);
    assert_int_equal(act(MANAGE_SALE_PAUSE), VERDICT_INTERNAL);
    database.sales[0].orders[0].order.quantity = STOCK;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(manage_sale_pause_and_resume_are_idempotent),
        TEST(manage_sale_end_is_for_good),
        TEST(manage_sale_end_outlasts_a_clock_that_is_set_back),
        TEST(manage_sale_end_before_the_start_moves_the_start),
        TEST(manage_sale_update_changes_what_it_names),
        TEST(manage_sale_invalid_fields_are_named),
        TEST(manage_sale_restock_same_key_adds_once),
        TEST(manage_sale_restock_of_a_sold_out_sale_returns),
        TEST(manage_sale_expired_holds_are_stored_with_a_refusal),
        TEST(manage_sale_unknown_commit_is_asked_about),
        TEST(manage_sale_end_between_commit_and_question_is_done),
        TEST(manage_sale_doubt_until_the_deadline_is_unknown),
        TEST(manage_sale_failures_have_their_verdicts),
        TEST(manage_sale_unknown_sale_is_not_found),
        TEST(manage_sale_full_arena_is_internal),
        TEST(manage_sale_contradicting_rows_are_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
