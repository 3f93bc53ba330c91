/*
 * Changes of a sale that are not placements, on a real PostgreSQL: holds that expire, orders that
 * are settled, units that return, restocks; and two workers at it at once.
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "orders/logic/sweep_sale.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CROWD 3

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct placement_request requests[PLACEMENT_BATCH_MAX];
static struct settlement_decision decision;

static int set_up(void **state)
{
    (void)state;
    store_fixture_worker_start(&worker);
    store_fixture_clear(&batch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    return 0;
}

static void place(const struct uuid *sale_id, const char *prefix, size_t count)
{
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, sale_id, prefix, count);
    store_fixture_place(&worker, sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
}

static int64_t count_of(const struct uuid *sale_id, const char *status)
{
    return store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s' AND "
                                "status = '%s'",
                                store_fixture_text(sale_id), status);
}

static struct store_sale sale_of(const struct uuid *sale_id)
{
    struct store_sale sale;
    arena_reset(&worker.arena);
    assert_int_equal(worker.store.get_sale(worker.store.data, sale_id,
                                           store_fixture_deadline(&worker), &worker.arena, &sale),
                     STORE_OK);
    return sale;
}

static enum store_result load(const struct uuid *sale_id, const struct store_change_query *query,
                              struct store_change_facts *ret)
{
    arena_reset(&worker.arena);
    return worker.store.load_change(worker.store.data, sale_id, query,
                                    store_fixture_deadline(&worker), &worker.arena, ret);
}

static enum store_result store(const struct store_change_facts *facts,
                               const struct store_change *change)
{
    return worker.store.store_change(worker.store.data, facts, change,
                                     store_fixture_deadline(&worker), &worker.arena);
}

static void abandon(void)
{
    worker.store.abandon(worker.store.data, store_fixture_deadline(&worker));
}

/* --- Settling ----------------------------------------------------------------------------------*/

/* A batch of everything at once moves each order as the table says, and the stock with it. */
static void changes_of_a_mixed_batch_are_all_stored(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    struct settlement_request settle[5];
    (void)state;

    place(&sale_id, "c", 4);
    for (size_t i = 0; i < 4; i++) {
        settle[i] = (struct settlement_request){
            .order_id = batch.items[i].in.order_id,
            .act = i < 2 ? ORDER_ACT_CONFIRM : ORDER_ACT_CANCEL,
        };
    }
    settle[4] = (struct settlement_request){.order_id = sale_id, .act = ORDER_ACT_CONFIRM};
    assert_int_equal(store_fixture_settle(&worker, &sale_id, settle, 5, &decision), STORE_OK);
    assert_int_equal(decision.outcomes[4], OUTCOME_ORDER_NOT_FOUND);
    assert_string_equal(decision.orders[3].customer_id, "c-3");
    assert_int_equal(count_of(&sale_id, "CONFIRMED"), 2);
    assert_int_equal(count_of(&sale_id, "CANCELLED"), 2);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 8);
    store_fixture_settle_one(&worker, &sale_id, &settle[0].order_id, ORDER_ACT_CANCEL_SOLD);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 9);
    store_fixture_audit(&sale_id);
}

/* A full batch, which is also the most that a statement is given. */
static void changes_of_a_full_batch_are_all_stored(void **state)
{
    static struct settlement_request settle[SETTLEMENT_BATCH_MAX];
    struct uuid sale_id = store_fixture_sale(SETTLEMENT_BATCH_MAX, 0, 60);
    (void)state;

    place(&sale_id, "c", SETTLEMENT_BATCH_MAX);
    for (size_t i = 0; i < SETTLEMENT_BATCH_MAX; i++) {
        settle[i] = (struct settlement_request){
            .order_id = batch.items[i].in.order_id,
            .act = i % 2 == 0 ? ORDER_ACT_CONFIRM : ORDER_ACT_CANCEL,
        };
    }
    assert_int_equal(
        store_fixture_settle(&worker, &sale_id, settle, SETTLEMENT_BATCH_MAX, &decision), STORE_OK);
    assert_int_equal(count_of(&sale_id, "CONFIRMED"), SETTLEMENT_BATCH_MAX / 2);
    assert_int_equal(sale_of(&sale_id).sale.stock_returning, SETTLEMENT_BATCH_MAX / 2);
    store_fixture_audit(&sale_id);
    /* Again: all done before, nothing moves, and still it commits. */
    int64_t version = sale_of(&sale_id).sale.version;
    assert_int_equal(
        store_fixture_settle(&worker, &sale_id, settle, SETTLEMENT_BATCH_MAX, &decision), STORE_OK);
    assert_int_equal(decision.change_count, 0);
    assert_int_equal(sale_of(&sale_id).sale.version, version);
    assert_false(store_fixture_is_locked(&sale_id));
}

/* The lock is held from load to the end, also for a sale that does not exist. */
static void changes_hold_the_lock_until_stored_or_abandoned(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60), unknown = sale_id;
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    (void)state;

    unknown.bytes[15] ^= 1;
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_true(store_fixture_is_locked(&sale_id));
    abandon();
    assert_false(store_fixture_is_locked(&sale_id));
    assert_int_equal(load(&unknown, &query, &facts), STORE_NOT_FOUND);
    abandon();
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    const struct store_change nothing = {.sale = facts.settlement.sale};
    assert_int_equal(store(&facts, &nothing), STORE_OK);
    assert_false(store_fixture_is_locked(&sale_id));
    store_fixture_audit(&sale_id);
}

/* B1: a status that is not what was read must leave nothing behind, the right ones included. */
static void changes_from_another_status_are_rolled_back_as_a_conflict(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    struct uuid ids[2];
    struct order_change changes[2];
    struct store_change_facts facts;
    (void)state;

    place(&sale_id, "c", 2);
    for (size_t i = 0; i < 2; i++) {
        ids[i] = batch.items[i].in.order_id;
        changes[i] = (struct order_change){.order_id = ids[i],
                                           .number = (int64_t)i + 1,
                                           .quantity = 1,
                                           .from = i == 0 ? ORDER_RESERVED : ORDER_CONFIRMED,
                                           .to = ORDER_CANCELLED};
    }
    const struct store_change_query query = {.order_ids = ids, .order_count = 2};
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    struct store_change change = {
        .sale = facts.settlement.sale, .changes = changes, .change_count = 2};
    sale_give_back(&change.sale, 2);
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_CONFLICT);
    assert_false(store_fixture_is_locked(&sale_id));
    assert_true(worker.store.is_connected(worker.store.data));
    assert_int_equal(count_of(&sale_id, "RESERVED"), 2);
    store_fixture_audit(&sale_id);
    /* An order that is not there at all. */
    changes[1].order_id = sale_id;
    changes[1].from = ORDER_RESERVED;
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_int_equal(store(&facts, &change), STORE_CONFLICT);
    assert_int_equal(count_of(&sale_id, "RESERVED"), 2);
    store_fixture_audit(&sale_id);
}

/* The same of the sale's row: it is stored upon only as it was read. */
static void changes_of_a_moved_sale_are_rolled_back_as_a_conflict(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    const struct store_change_query query = {.restock_key = "k", .restock_key_length = 1};
    struct store_change_facts facts;
    (void)state;

    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    facts.settlement.sale.version += 1;
    struct store_change change = {.sale = facts.settlement.sale,
                                  .restock_key = "k",
                                  .restock_key_length = 1,
                                  .restock_quantity = 1};
    change.sale.paused = true;
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_CONFLICT);
    assert_false(sale_of(&sale_id).sale.paused);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM sale_restocks WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     0);
    store_fixture_audit(&sale_id);
}

/* What an administrator may change is written whole, and nothing else is touched. */
static void changes_of_the_sale_itself_are_written_whole(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 5, 60);
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    (void)state;

    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    struct store_change change = {.sale = facts.settlement.sale};
    change.sale.title = "Ein Füller, „neu\"";
    change.sale.start_us += 1;
    change.sale.end_us += 1000001;
    change.sale.per_customer_limit = 6;
    change.sale.paused = true;
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_OK);
    struct store_sale after = sale_of(&sale_id);
    assert_string_equal(after.sale.title, "Ein Füller, „neu\"");
    assert_string_equal(after.sale.sku, "sku");
    assert_int_equal(after.sale.start_us, facts.settlement.sale.start_us + 1);
    assert_int_equal(after.sale.end_us, facts.settlement.sale.end_us + 1000001);
    assert_int_equal(after.sale.per_customer_limit, 6);
    assert_true(after.sale.paused);
    assert_int_equal(after.sale.version, 2);
    store_fixture_audit(&sale_id);
}

static void set_limit(const struct uuid *sale_id, int32_t limit)
{
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    assert_int_equal(load(sale_id, &query, &facts), STORE_OK);
    struct store_change change = {.sale = facts.settlement.sale};
    change.sale.per_customer_limit = limit;
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_OK);
}

static bool limit_was_lowered(const struct uuid *sale_id)
{
    return store_fixture_number("SELECT limit_lowered::integer FROM sales WHERE sale_id = '%s'",
                                store_fixture_text(sale_id)) == 1;
}

/* The audit tells a warning from a violation by this; 0 is no limit and so above every other. */
static void changes_that_lower_the_limit_are_remembered(void **state)
{
    struct uuid raised = store_fixture_sale(10, 5, 0), lowered = store_fixture_sale(10, 5, 0),
                first = store_fixture_sale(10, 0, 0);
    (void)state;

    set_limit(&raised, 6);
    set_limit(&raised, 0);
    assert_false(limit_was_lowered(&raised));
    set_limit(&lowered, 4);
    assert_true(limit_was_lowered(&lowered));
    set_limit(&lowered, 9);
    assert_true(limit_was_lowered(&lowered));
    set_limit(&first, 1000000);
    assert_true(limit_was_lowered(&first));
}

/* The database's clock is set back to before the end, which is as if the end lay ahead: no
 * transaction and no read may find the sale open. */
static void changes_that_end_a_sale_outlast_the_clock(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    (void)state;

    assert_false(sale_of(&sale_id).sale.ended);
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_false(facts.settlement.sale.ended);
    struct store_change change = {.sale = facts.settlement.sale};
    change.sale.ended = true;
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_OK);
    struct store_sale after = sale_of(&sale_id);
    assert_true(after.now_us < after.sale.end_us);
    assert_int_equal(sale_state_at(&after.sale, after.now_us), SALE_ENDED);
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "late", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_SALE_ENDED);
    set_limit(&sale_id, 3); /* which leaves it ended */
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_int_equal(sale_state_at(&facts.settlement.sale, facts.settlement.now_us), SALE_ENDED);
    assert_int_equal(facts.settlement.sale.orders_count, 0);
    abandon();
}

/* B7: a doubled restock would oversell real goods with every sum in order. */
static void changes_remember_the_key_of_a_restock(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0), other = store_fixture_sale(10, 0, 0);
    const struct store_change_query query = {.restock_key = "crate-7", .restock_key_length = 7};
    struct store_change_facts facts;
    (void)state;

    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_false(facts.restocked);
    struct store_change change = {.sale = facts.settlement.sale,
                                  .restock_key = "crate-7",
                                  .restock_key_length = 7,
                                  .restock_quantity = 5};
    change.sale.stock_total += 5;
    sale_give_back(&change.sale, 5);
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_OK);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 15);
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_true(facts.restocked);
    assert_int_equal(facts.restocked_quantity, 5);
    /* Whoever does not look is refused by the table. */
    change.sale = facts.settlement.sale;
    sale_seal(&facts.settlement.sale, &change.sale);
    assert_int_equal(store(&facts, &change), STORE_REJECTED);
    /* A key belongs to its sale. */
    assert_int_equal(load(&other, &query, &facts), STORE_OK);
    assert_false(facts.restocked);
    abandon();
    store_fixture_audit(&sale_id);
}

/* --- Holds -------------------------------------------------------------------------------------*/

/* What expires in the load is the transaction's: given up with it, stored with it. */
static void changes_of_expired_holds_go_with_their_transaction(void **state)
{
    struct uuid sale_id = store_fixture_sale(5, 0, 60);
    const struct store_change_query query = {0};
    struct store_change_facts facts;
    size_t expired = 0;
    (void)state;

    place(&sale_id, "c", 5);
    store_fixture_run_out(&sale_id, 1);
    assert_int_equal(load(&sale_id, &query, &facts), STORE_OK);
    assert_int_equal(facts.settlement.expired_count, 5);
    assert_int_equal(facts.settlement.expired[0].from, ORDER_RESERVED);
    assert_int_equal(facts.settlement.expired[0].to, ORDER_EXPIRED);
    abandon();
    assert_int_equal(count_of(&sale_id, "RESERVED"), 5);
    store_fixture_audit(&sale_id);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, 0, &expired), 0);
    assert_int_equal(expired, 5);
    assert_int_equal(count_of(&sale_id, "EXPIRED"), 5);
    struct store_sale after = sale_of(&sale_id);
    assert_int_equal(after.sale.stock_remaining, 0); /* it was sold out: an edge may refuse */
    assert_int_equal(after.sale.stock_returning, 5);
    assert_int_equal(after.sale.stock_returned, 5);
    assert_int_equal(after.sale.sold_out_since, 2);
    store_fixture_audit(&sale_id);
}

/* A sweep on a thread of its own, with the worker. */
struct sweeping {
    struct uuid sale_id;
    enum store_result result;
    size_t expired;
};

static void *sweep(void *data)
{
    struct sweeping *sweeping = data;
    const struct sweep_sale use_case = {.store = &worker.store,
                                        .deadline_ns = store_fixture_deadline(&worker)};
    int32_t matured;
    sweeping->result = sweep_sale_run(&use_case, &sweeping->sale_id, 0, &worker.arena,
                                      &sweeping->expired, &matured);
    return NULL;
}

/* CORRECTNESS B1: a status is compared where it is changed, also under the lock. Whatever confirms
 * a hold without the lock, its unit is not sold again. */
static void changes_of_a_hold_that_is_confirmed_meanwhile_do_not_expire_it(void **state)
{
    struct sweeping sweeping = {.sale_id = store_fixture_sale(6, 0, 60), .expired = 1};
    struct pg_conn *other = store_fixture_connect();
    pthread_t thread;
    (void)state;

    place(&sweeping.sale_id, "c", 1);
    store_fixture_run_out(&sweeping.sale_id, 1);
    store_fixture_run(other, "BEGIN; UPDATE orders SET status = 'CONFIRMED' WHERE sale_id = '%s'",
                      store_fixture_text(&sweeping.sale_id));
    assert_int_equal(pthread_create(&thread, NULL, sweep, &sweeping), 0);
    store_fixture_await_lock_waiter();
    store_fixture_run(other, "COMMIT");
    assert_int_equal(pthread_join(thread, NULL), 0);
    PQfinish(other);
    assert_int_equal(sweeping.result, STORE_OK);
    assert_int_equal(sweeping.expired, 0);
    assert_int_equal(count_of(&sweeping.sale_id, "CONFIRMED"), 1);
    assert_int_equal(sale_of(&sweeping.sale_id).sale.stock_remaining, 5);
}

/* The same in a placement's load: what is read after it has seen it. */
static void changes_by_a_placement_expire_holds_too(void **state)
{
    struct uuid sale_id = store_fixture_sale(6, 1, 60);
    struct placement_facts facts;
    (void)state;

    place(&sale_id, "c", 5);
    store_fixture_run_out(&sale_id, 1);
    for (size_t i = 0; i < batch.count; i++) {
        requests[i] = batch.items[i].in;
    }
    assert_int_equal(worker.store.load_placement(worker.store.data, &sale_id, requests, 5,
                                                 store_fixture_deadline(&worker), &worker.arena,
                                                 &facts),
                     STORE_OK);
    assert_int_equal(facts.expired_count, 5);
    assert_int_equal(facts.existing_count, 5);
    assert_int_equal(facts.existing[0].status, ORDER_EXPIRED);
    assert_int_equal(facts.holding_count, 0);
    abandon();
    assert_int_equal(count_of(&sale_id, "RESERVED"), 5);
    /* Stored with an order, of a customer who holds nothing any more. */
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "c-0", "another key", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    assert_int_equal(count_of(&sale_id, "EXPIRED"), 5);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 5);
    store_fixture_audit(&sale_id);
    /* Stored without one: the order is a replay. */
    store_fixture_run_out(&sale_id, 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    assert_int_equal(batch.items[0].order.status, ORDER_EXPIRED);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 6);
    assert_false(store_fixture_is_locked(&sale_id));
    store_fixture_audit(&sale_id);
}

/* One transaction lets so many expire and no more, the oldest first. */
static void changes_expire_a_bounded_number_of_holds(void **state)
{
    struct uuid sale_id = store_fixture_sale(2000, 0, 60);
    size_t expired = 0;
    (void)state;

    place(&sale_id, "a", 300);
    store_fixture_run_out(&sale_id, 1);
    /* Placing lets the first ones expire: so they are made young again. */
    store_fixture_admin("UPDATE orders SET expire_time = now() + interval '1 h' "
                        "WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    place(&sale_id, "b", 300);
    store_fixture_run_out(&sale_id, 1);
    /* One moment for all, however long the statement takes: the last number is due first. */
    store_fixture_admin("UPDATE orders SET expire_time = now() - number * interval '1 ms' "
                        "WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, 0, &expired), 0);
    assert_int_equal(expired, SETTLEMENT_EXPIRED_MAX);
    assert_int_equal(store_fixture_number("SELECT max(number) FROM orders WHERE sale_id = '%s' "
                                          "AND status = 'RESERVED'",
                                          store_fixture_text(&sale_id)),
                     600 - SETTLEMENT_EXPIRED_MAX);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, 0, &expired), 0);
    assert_int_equal(expired, 600 - SETTLEMENT_EXPIRED_MAX);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 2000);
    store_fixture_audit(&sale_id);
}

/* A store remembers which sales need no look at limits and holds. That is a guess: whoever changed
 * the sale meanwhile is heard under the lock. */
static void changes_of_a_limit_are_heard_by_stores_that_knew_of_none(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    (void)state;

    place(&sale_id, "c", 3); /* remembered: no limit, no holds */
    place(&sale_id, "d", 3);
    set_limit(&sale_id, 1);
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "c-0", "another key", 1);
    store_fixture_add(&batch, &sale_id, "c-0", "key", 1);
    store_fixture_add(&batch, &sale_id, "new", "key", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 1, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 2, VERDICT_PLACED);
    set_limit(&sale_id, 0);
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "c-0", "another key", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

/* The same where both come at once, with holds that are due already. */
static void changes_of_limit_and_holds_are_heard_in_the_same_load(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    (void)state;

    place(&sale_id, "c", 3);
    place(&sale_id, "d", 3);
    store_fixture_admin("UPDATE orders SET status = 'RESERVED' WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_run_out(&sale_id, 1);
    store_fixture_admin("UPDATE sales SET hold_seconds = 60, per_customer_limit = 1 "
                        "WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "c-0", "another key", 1); /* holds nothing any more */
    store_fixture_add(&batch, &sale_id, "c-0", "third key", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 1, VERDICT_CUSTOMER_LIMIT_REACHED);
    assert_int_equal(count_of(&sale_id, "EXPIRED"), 6);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 99);
    store_fixture_audit(&sale_id);
}

/* And where it is holds alone: no program gives a sale holds later, but one may be restored so. */
static void changes_of_holds_are_heard_by_stores_that_knew_of_none(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    (void)state;

    place(&sale_id, "c", 3);
    place(&sale_id, "d", 3);
    store_fixture_admin("UPDATE orders SET status = 'RESERVED' WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_run_out(&sale_id, 1);
    store_fixture_admin("UPDATE sales SET hold_seconds = 60 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    place(&sale_id, "e", 1);
    assert_int_equal(count_of(&sale_id, "EXPIRED"), 6);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 99);
    store_fixture_audit(&sale_id);
}

/* --- Together ----------------------------------------------------------------------------------*/

/* Another replica, on a thread of its own. */
struct replica {
    struct store_fixture_worker worker;
    pthread_t thread;
    const struct uuid *sale_id;
    int64_t mature_up_to;
    size_t expired;
    int64_t matured;
    unsigned failed;
};

static struct replica replicas[CROWD];
static int64_t end_ns;
static atomic_uint rounds;

static void run_replicas(size_t count, void *(*life)(void *), const struct uuid *sale_id,
                         int64_t mature_up_to)
{
    for (size_t i = 0; i < count; i++) {
        struct replica *replica = &replicas[i];
        *replica = (struct replica){.sale_id = sale_id, .mature_up_to = mature_up_to};
        store_fixture_worker_init(&replica->worker, store_fixture_server()->service_url,
                                  &store_fixture_long);
        assert_true(store_fixture_worker_connect(&replica->worker));
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&replicas[i].thread, NULL, life, &replicas[i]), 0);
    }
}

static void join_replicas(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(replicas[i].thread, NULL), 0);
        store_fixture_worker_fini(&replicas[i].worker);
        assert_int_equal(replicas[i].failed, 0);
    }
}

/* One sweep on the replica's thread. */
static void sweep_once(struct replica *replica, int64_t mature_up_to)
{
    const struct sweep_sale sweeping = {.store = &replica->worker.store,
                                        .deadline_ns = store_fixture_deadline(&replica->worker)};
    size_t expired = 0;
    int32_t matured = 0;
    arena_reset(&replica->worker.arena);
    enum store_result result = sweep_sale_run(&sweeping, replica->sale_id, mature_up_to,
                                              &replica->worker.arena, &expired, &matured);
    replica->failed += result != STORE_OK;
    replica->expired += expired;
    replica->matured += matured;
}

static void *sweep_some(void *data)
{
    struct replica *replica = data;
    for (int i = 0; i < 3; i++) {
        sweep_once(replica, replica->mature_up_to);
    }
    return NULL;
}

/* Two replicas that find the same holds due: each hold expires once, each unit comes back once. */
static void changes_by_two_sweeps_at_once_expire_each_hold_once(void **state)
{
    struct uuid sale_id = store_fixture_sale(1000, 0, 60);
    (void)state;

    place(&sale_id, "a", 500);
    store_fixture_run_out(&sale_id, 1);
    run_replicas(2, sweep_some, &sale_id, 0);
    join_replicas(2);
    assert_int_equal(replicas[0].expired + replicas[1].expired, 500);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 1000);
    store_fixture_audit(&sale_id);
}

/* C3: each mover moves what it saw committed a lease ago; never what came later, never twice. */
static void changes_of_two_movers_mature_only_what_each_has_seen(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    size_t expired;
    (void)state;

    place(&sale_id, "c", 10);
    for (size_t i = 0; i < 3; i++) {
        store_fixture_settle_one(&worker, &sale_id, &batch.items[i].in.order_id, ORDER_ACT_CANCEL);
    }
    int64_t seen_first = sale_of(&sale_id).sale.stock_returned;
    for (size_t i = 3; i < 5; i++) {
        store_fixture_settle_one(&worker, &sale_id, &batch.items[i].in.order_id, ORDER_ACT_CANCEL);
    }
    int64_t seen_second = sale_of(&sale_id).sale.stock_returned;
    assert_int_equal(seen_first, 3);
    assert_int_equal(seen_second, 5);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, seen_first, &expired), 3);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 3);
    assert_int_equal(sale_of(&sale_id).sale.sold_out_since, 0);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, seen_first, &expired), 0);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, seen_second, &expired), 2);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, seen_second, &expired), 0);
    assert_int_equal(sale_of(&sale_id).sale.stock_remaining, 5);
    assert_int_equal(sale_of(&sale_id).sale.stock_returned, 5);
    store_fixture_audit(&sale_id);
}

/* Movers that saw the same come at the same moment: one of them moves, once. */
static void changes_of_movers_at_once_mature_each_unit_once(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    int64_t matured = 0;
    (void)state;

    place(&sale_id, "c", 10);
    for (size_t i = 0; i < 7; i++) {
        store_fixture_settle_one(&worker, &sale_id, &batch.items[i].in.order_id, ORDER_ACT_CANCEL);
    }
    run_replicas(CROWD, sweep_some, &sale_id, 4);
    join_replicas(CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        matured += replicas[i].matured;
    }
    assert_int_equal(matured, 4);
    assert_int_equal(sale_of(&sale_id).sale.stock_returning, 3);
    store_fixture_audit(&sale_id);
}

/* Reads, waits, moves, for a while. */
static void *move_for_a_while(void *data)
{
    struct replica *replica = data;
    do {
        struct store *port = &replica->worker.store;
        struct store_sale sale;
        arena_reset(&replica->worker.arena);
        if (port->get_sale(port->data, replica->sale_id, store_fixture_deadline(&replica->worker),
                           &replica->worker.arena, &sale) != STORE_OK) {
            replica->failed++;
            return NULL;
        }
        sweep_once(replica, sale.sale.stock_returned);
        atomic_fetch_add(&rounds, 1);
    } while (clock_monotonic_ns() < end_ns);
    return NULL;
}

/* Buyers, cancellers and movers at once on a sale that sells out again and again. */
static void changes_in_a_crowd_add_up(void **state)
{
    struct uuid sale_id = store_fixture_sale(4, 0, 60);
    char prefix[24];
    int64_t matured = 0;
    (void)state;

    end_ns = clock_deadline_in_ms(1500);
    atomic_store(&rounds, 0);
    run_replicas(2, move_for_a_while, &sale_id, 0);
    for (int i = 0; clock_monotonic_ns() < end_ns || atomic_load(&rounds) == 0; i++) {
        snprintf(prefix, sizeof(prefix), "round-%d", i);
        store_fixture_clear(&batch);
        store_fixture_add_many(&batch, &sale_id, prefix, 4);
        store_fixture_place(&worker, &sale_id, &batch);
        for (size_t j = 0; j < 4; j++) {
            if (batch.items[j].verdict == VERDICT_PLACED) {
                store_fixture_settle_one(&worker, &sale_id, &batch.items[j].in.order_id,
                                         ORDER_ACT_CANCEL);
            }
        }
    }
    join_replicas(2);
    for (size_t i = 0; i < 2; i++) {
        matured += replicas[i].matured;
    }
    struct store_sale after = sale_of(&sale_id);
    assert_int_equal(after.sale.stock_returned - after.sale.stock_returning, matured);
    assert_int_equal(after.sale.stock_remaining + after.sale.stock_returning, 4);
    store_fixture_audit(&sale_id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_of_a_mixed_batch_are_all_stored),
        TEST(changes_of_a_full_batch_are_all_stored),
        TEST(changes_hold_the_lock_until_stored_or_abandoned),
        TEST(changes_from_another_status_are_rolled_back_as_a_conflict),
        TEST(changes_of_a_moved_sale_are_rolled_back_as_a_conflict),
        TEST(changes_of_the_sale_itself_are_written_whole),
        TEST(changes_that_lower_the_limit_are_remembered),
        TEST(changes_that_end_a_sale_outlast_the_clock),
        TEST(changes_remember_the_key_of_a_restock),
        TEST(changes_of_expired_holds_go_with_their_transaction),
        TEST(changes_of_a_hold_that_is_confirmed_meanwhile_do_not_expire_it),
        TEST(changes_by_a_placement_expire_holds_too),
        TEST(changes_expire_a_bounded_number_of_holds),
        TEST(changes_of_a_limit_are_heard_by_stores_that_knew_of_none),
        TEST(changes_of_limit_and_holds_are_heard_in_the_same_load),
        TEST(changes_of_holds_are_heard_by_stores_that_knew_of_none),
        TEST(changes_by_two_sweeps_at_once_expire_each_hold_once),
        TEST(changes_of_two_movers_mature_only_what_each_has_seen),
        TEST(changes_of_movers_at_once_mature_each_unit_once),
        TEST(changes_in_a_crowd_add_up),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
