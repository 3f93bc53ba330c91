/* What the port promises, function by function, with the values that are hardest to carry. */
#include "store_fixture.h"

#include "base/clock.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUANTITY_MAX_BATCH (PLACEMENT_BATCH_MAX * ORDER_QUANTITY_MAX)

static struct store_fixture_worker worker;
static struct store_fixture_batch batch;

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

static void collect_requests(struct placement_request *ret_requests)
{
    for (size_t i = 0; i < batch.count; i++) {
        ret_requests[i] = batch.items[i].in;
    }
}

static enum store_result load(const struct uuid *sale_id, struct placement_facts *ret)
{
    static struct placement_request requests[PLACEMENT_BATCH_MAX];
    collect_requests(requests);
    return worker.store.load_placement(worker.store.data, sale_id, requests, batch.count,
                                       store_fixture_deadline(&worker), &worker.arena, ret);
}

/* Stores what the domain decides on the facts. */
static enum store_result decide_and_store(const struct placement_facts *facts)
{
    static struct placement_request requests[PLACEMENT_BATCH_MAX];
    static struct placement_decision decision;
    collect_requests(requests);
    assert_int_equal(placement_decide(facts, requests, batch.count, &worker.arena, &decision), 0);
    return worker.store.store_placed(worker.store.data, facts, requests, batch.count, &decision,
                                     store_fixture_deadline(&worker), &worker.arena);
}

static void abandon(void)
{
    worker.store.abandon(worker.store.data, store_fixture_deadline(&worker));
}

/* Inserts an order by hand, as other use cases leave it. */
static void insert_order(const struct uuid *sale_id, const char *customer, const char *key,
                         int quantity, const char *status)
{
    struct uuid order_id = order_id_of(sale_id, customer, strlen(customer), key, strlen(key));
    int holds = strcmp(status, "RESERVED") == 0 || strcmp(status, "CONFIRMED") == 0;
    int units = holds ? quantity : 0;
    store_fixture_admin("UPDATE sales SET orders_count = orders_count + 1, version = version + 1, "
                        "stock_remaining = stock_remaining - %d, sold_out_since = "
                        "CASE WHEN stock_remaining = %d THEN version + 1 ELSE 0 END "
                        "WHERE sale_id = '%s'",
                        units, units, store_fixture_text(sale_id));
    store_fixture_admin("INSERT INTO orders (sale_id, order_id, number, customer_id, quantity, "
                        "status, expire_time) SELECT '%s', '%s', orders_count, '%s', %d, '%s', "
                        "timestamptz '2031-02-03 04:05:06.789012Z' FROM sales "
                        "WHERE sale_id = '%s'",
                        store_fixture_text(sale_id), store_fixture_text(&order_id), customer,
                        quantity, status, store_fixture_text(sale_id));
    store_fixture_admin("INSERT INTO order_events (sale_id, sequence, event_time, placed_from, "
                        "placed_count, placed_status) SELECT sale_id, version, now(), "
                        "orders_count, 1, '%s' FROM sales WHERE sale_id = '%s'",
                        status, store_fixture_text(sale_id));
}

/* --- load_placement, store_placed, abandon -----------------------------------------------------
 */

/* The lock is what everything else stands on: taken by load, given back by each way out. */
static void store_postgres_load_holds_the_lock_until_stored_or_abandoned(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct placement_facts facts;
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 2);
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    assert_true(store_fixture_is_locked(&sale_id));
    abandon();
    assert_false(store_fixture_is_locked(&sale_id));
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    assert_int_equal(decide_and_store(&facts), STORE_OK);
    assert_false(store_fixture_is_locked(&sale_id));
    /* With nothing placed it commits too. */
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    assert_int_equal(facts.existing_count, 2);
    assert_int_equal(decide_and_store(&facts), STORE_OK);
    assert_false(store_fixture_is_locked(&sale_id));
    store_fixture_audit(&sale_id);
}

/* Nothing of an abandoned transaction stays, and the connection goes on. */
static void store_postgres_abandoned_load_changes_nothing(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct placement_facts facts;
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(load(&sale_id, &facts), STORE_OK);
        assert_int_equal(facts.sale.version, 1);
        assert_int_equal(facts.existing_count, 0);
        abandon();
    }
    assert_int_equal(worker.connected_count, 1);
    assert_int_equal(worker.error_count, 0);
}

/* An unknown sale leaves the transaction open, like the contract says; one abandon ends it. */
static void store_postgres_load_of_an_unknown_sale_is_not_found(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0), unknown = sale_id;
    struct placement_facts facts;
    (void)state;

    unknown.bytes[15] ^= 1;
    store_fixture_add_many(&batch, &unknown, "c", 1);
    assert_int_equal(load(&unknown, &facts), STORE_NOT_FOUND);
    abandon();
    store_fixture_place(&worker, &unknown, &batch);
    store_fixture_expect(&batch, VERDICT_SALE_NOT_FOUND);
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "c", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    assert_int_equal(worker.error_count, 0);
}

/* Whoever decides must see every field as it is in the row. */
static void store_postgres_load_reads_the_whole_sale(void **state)
{
    struct uuid sale_id = store_fixture_sale(4000, 7, 60);
    struct placement_facts facts;
    (void)state;

    store_fixture_admin("UPDATE sales SET start_time = '2001-02-03 04:05:06.789012Z', "
                        "end_time = '9999-12-31 23:59:59.999999Z', stock_remaining = 3000, "
                        "stock_returning = 17, stock_returned = 9007199254740997, "
                        "paused = true, version = 9007199254740993, "
                        "orders_count = 9007199254740995 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_add_many(&batch, &sale_id, "c", 1);
    int64_t before_us = store_fixture_now_us();
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    int64_t after_us = store_fixture_now_us();
    abandon();
    assert_true(uuid_equal(&facts.sale.sale_id, &sale_id));
    assert_string_equal(facts.sale.sku, "sku");
    assert_string_equal(facts.sale.title, "Title");
    assert_string_equal(facts.sale.unit_price.currency_code, "EUR");
    assert_int_equal(facts.sale.unit_price.amount_minor, 1234);
    assert_int_equal(facts.sale.start_us, INT64_C(981173106789012));
    assert_int_equal(facts.sale.end_us, SALE_TIME_US_MAX);
    assert_int_equal(facts.sale.stock_total, 4000);
    assert_int_equal(facts.sale.stock_remaining, 3000);
    assert_int_equal(facts.sale.stock_returning, 17);
    assert_int_equal(facts.sale.per_customer_limit, 7);
    assert_int_equal(facts.sale.hold_seconds, 60);
    assert_true(facts.sale.paused);
    assert_int_equal(facts.sale.version, INT64_C(9007199254740993));
    assert_int_equal(facts.sale.orders_count, INT64_C(9007199254740995));
    assert_int_equal(facts.sale.stock_returned, INT64_C(9007199254740997));
    assert_int_equal(facts.sale.sold_out_since, 0);
    assert_true(before_us <= facts.now_us && facts.now_us <= after_us);
}

static const struct order *find_existing(const struct placement_facts *facts,
                                         const struct uuid *order_id)
{
    for (size_t i = 0; i < facts->existing_count; i++) {
        if (uuid_equal(&facts->existing[i].order_id, order_id)) {
            return &facts->existing[i];
        }
    }
    return NULL;
}

/* A retry is answered by the order as it is now, whatever became of it. */
static void store_postgres_load_finds_existing_orders_of_every_status(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 60), other = store_fixture_sale(9, 0, 0);
    struct placement_facts facts;
    (void)state;

    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        insert_order(&sale_id, "c", order_status_name(status), 3 + (int)status,
                     order_status_name(status));
        store_fixture_add(&batch, &sale_id, "c", order_status_name(status), 3 + (int)status);
    }
    insert_order(&sale_id, "c", "not asked for", 1, "CONFIRMED");
    insert_order(&other, "c", "CONFIRMED", 1, "CONFIRMED");
    store_fixture_add(&batch, &sale_id, "c", "new", 1);
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    abandon();
    assert_int_equal(facts.existing_count, ORDER_STATUS_COUNT);
    assert_int_equal(facts.holding_count, 0);
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        const struct order *order = find_existing(&facts, &batch.items[status].in.order_id);
        assert_non_null(order);
        assert_int_equal(order->status, status);
        assert_int_equal(order->number, (int64_t)status + 1);
        assert_int_equal(order->quantity, 3 + (int)status);
        assert_int_equal(order->expire_us, INT64_C(1927857906789012));
    }
    store_fixture_place(&worker, &sale_id, &batch);
    assert_int_equal(store_fixture_count(&batch, VERDICT_REPLAYED), ORDER_STATUS_COUNT);
    store_fixture_expect_item(&batch, ORDER_STATUS_COUNT, VERDICT_PLACED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

static int64_t holding_of(const struct placement_facts *facts, const char *customer)
{
    int64_t units = 0;
    for (size_t i = 0; i < facts->holding_count; i++) {
        if (facts->holdings[i].customer_length == strlen(customer) &&
            memcmp(facts->holdings[i].customer_id, customer, strlen(customer)) == 0) {
            assert_int_equal(units, 0); /* one row a customer */
            units = facts->holdings[i].units;
        }
    }
    return units;
}

/* The limit counts what a customer holds now: not what was given back, not another sale's. */
static void store_postgres_load_counts_reserved_and_confirmed_units(void **state)
{
    struct uuid sale_id = store_fixture_sale(5000, 100, 60), other = store_fixture_sale(9, 1, 0);
    struct placement_facts facts;
    (void)state;

    insert_order(&sale_id, "c", "1", 1000, "RESERVED");
    insert_order(&sale_id, "c", "2", 20, "CONFIRMED");
    insert_order(&sale_id, "c", "3", 300, "CANCELLED");
    insert_order(&sale_id, "c", "4", 400, "EXPIRED");
    insert_order(&sale_id, "C", "5", 5, "CONFIRMED");
    insert_order(&sale_id, "c ", "6", 6, "CONFIRMED");
    insert_order(&sale_id, "d", "7", 7, "CANCELLED");
    insert_order(&sale_id, "not asked for", "8", 8, "CONFIRMED");
    insert_order(&other, "c", "9", 9, "CONFIRMED");
    store_fixture_add(&batch, &sale_id, "c", "10", 1);
    store_fixture_add(&batch, &sale_id, "c", "11", 1);
    store_fixture_add(&batch, &sale_id, "C", "12", 1);
    store_fixture_add(&batch, &sale_id, "d", "13", 1);
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    abandon();
    assert_int_equal(facts.holding_count, 2);
    assert_int_equal(holding_of(&facts, "c"), 1020);
    assert_int_equal(holding_of(&facts, "C"), 5);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 1, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 2, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 3, VERDICT_PLACED);
}

/* A held order expires the hold's length after it was placed; the row says what the answer said. */
static void store_postgres_held_orders_are_reserved_until_their_time(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, SALE_HOLD_SECONDS_MAX);
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 3);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    for (size_t i = 0; i < batch.count; i++) {
        const struct order *order = &batch.items[i].order;
        assert_int_equal(order->status, ORDER_RESERVED);
        assert_int_equal(order->expire_us - order->create_us,
                         SALE_HOLD_SECONDS_MAX * INT64_C(1000000));
    }
    store_fixture_compare(&sale_id, &batch);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* The largest batch there is: every name as long as allowed, every quantity the highest. */
static void store_postgres_full_batch_of_extremes_is_placed_and_replayed(void **state)
{
    struct uuid sale_id = store_fixture_sale(SALE_STOCK_MAX, SALE_PER_CUSTOMER_LIMIT_MAX, 0);
    char customer[ORDER_CUSTOMER_CHARS_MAX + 1], key[ORDER_KEY_CHARS_MAX + 1];
    (void)state;

    memset(key, '~', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    for (int i = 0; i < PLACEMENT_BATCH_MAX; i++) {
        snprintf(customer, sizeof(customer), "%064d", i);
        store_fixture_add(&batch, &sale_id, customer, key, ORDER_QUANTITY_MAX);
    }
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    for (size_t i = 0; i < batch.count; i++) {
        assert_int_equal(batch.items[i].order.number, i + 1);
    }
    store_fixture_compare(&sale_id, &batch);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_REPLAYED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    assert_int_equal(store_fixture_number("SELECT stock_remaining FROM sales WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     SALE_STOCK_MAX - QUANTITY_MAX_BATCH);
}

/* Characters that SQL, arrays and shells know, and every other printable one. */
static void store_postgres_customers_of_all_printable_characters_are_kept(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 1, 0);
    char alphabet[96], customer[ORDER_CUSTOMER_CHARS_MAX + 1];
    (void)state;

    for (int c = 0x20; c < 0x7f; c++) {
        alphabet[c - 0x20] = (char)c;
    }
    alphabet[95] = '\0';
    snprintf(customer, sizeof(customer), "%.48s", alphabet);
    store_fixture_add(&batch, &sale_id, customer, "k", 1);
    snprintf(customer, sizeof(customer), "%s", alphabet + 48);
    store_fixture_add(&batch, &sale_id, customer, "k", 1);
    store_fixture_add(&batch, &sale_id, "{\"a\",NULL}", "k", 1);
    store_fixture_add(&batch, &sale_id, "NULL", "k", 1);
    store_fixture_add(&batch, &sale_id, " ", "k", 1);
    store_fixture_add(&batch, &sale_id, "'; DROP TABLE orders; --", "k", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, " ", "another", 1);
    store_fixture_add(&batch, &sale_id, "  ", "another", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 1, VERDICT_PLACED);
    store_fixture_audit(&sale_id);
}

/* One batch with every outcome that the business has, decided in arrival order. */
static void store_postgres_mixed_batch_has_each_its_outcome(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 4, 0);
    (void)state;

    store_fixture_add(&batch, &sale_id, "a", "1", 3);
    store_fixture_add(&batch, &sale_id, "a", "1", 3);
    store_fixture_add(&batch, &sale_id, "a", "1", 2);
    store_fixture_add(&batch, &sale_id, "a", "2", 2);
    store_fixture_add(&batch, &sale_id, "b", "1", 8);
    store_fixture_add(&batch, &sale_id, "c", "1", 4);
    store_fixture_add(&batch, &sale_id, "d", "1", 3);
    store_fixture_add(&batch, &sale_id, "e", "1", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 1, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 2, VERDICT_IDEMPOTENCY_KEY_REUSED);
    store_fixture_expect_item(&batch, 3, VERDICT_CUSTOMER_LIMIT_REACHED);
    store_fixture_expect_item(&batch, 4, VERDICT_SOLD_OUT);
    store_fixture_expect_item(&batch, 5, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 6, VERDICT_PLACED);
    store_fixture_expect_item(&batch, 7, VERDICT_SOLD_OUT);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
    store_fixture_admin("UPDATE sales SET paused = true, stock_total = 12, stock_remaining = 2, "
                        "sold_out_since = 0 WHERE sale_id = '%s'",
                        store_fixture_text(&sale_id));
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect_item(&batch, 0, VERDICT_REPLAYED);
    store_fixture_expect_item(&batch, 7, VERDICT_SALE_PAUSED);
}

/* A transaction of the store is nobody's business until it is committed. */
static void store_postgres_moved_sale_is_not_stored_upon(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct placement_facts facts;
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 2);
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    /* Facts that are not those of the row any more, as if the lock had been lost. */
    facts.sale.version++;
    assert_int_equal(decide_and_store(&facts), STORE_CONFLICT);
    store_fixture_audit(&sale_id);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s'",
                                          store_fixture_text(&sale_id)),
                     0);
    assert_false(store_fixture_is_locked(&sale_id));
}

/* And holds that the load let expire stay as they were, or their units would be nobody's. */
static void store_postgres_moved_sale_keeps_its_expired_holds(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    struct placement_facts facts;
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 2);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_run_out(&sale_id, 1);
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, &sale_id, "later", 1);
    assert_int_equal(load(&sale_id, &facts), STORE_OK);
    assert_int_equal(facts.expired_count, 2);
    facts.sale.version++;
    assert_int_equal(decide_and_store(&facts), STORE_CONFLICT);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s' "
                                          "AND status = 'RESERVED'",
                                          store_fixture_text(&sale_id)),
                     2);
    store_fixture_audit(&sale_id);
}

/* --- create_sale -------------------------------------------------------------------------------*/

static struct store_creation creation_of(const char *key, uint8_t fingerprint,
                                         const struct sale_draft *draft)
{
    const struct system_port *system = worker.config.system;
    struct store_creation creation = {.key = key, .key_length = strlen(key), .draft = draft};
    uint8_t random[10];

    system->random_bytes(system->data, random, sizeof(random));
    creation.sale_id = uuid_v7(system->wall_ms(system->data), random);
    memset(creation.fingerprint, fingerprint, sizeof(creation.fingerprint));
    return creation;
}

static enum store_result create(const struct store_creation *creation,
                                enum store_creation_outcome *ret_outcome,
                                struct store_sale *ret_sale)
{
    return worker.store.create_sale(worker.store.data, creation, store_fixture_deadline(&worker),
                                    &worker.arena, ret_outcome, ret_sale);
}

static int64_t sales_of_key(const char *key)
{
    return store_fixture_number("SELECT count(*) FROM sale_creations JOIN sales USING (sale_id) "
                                "WHERE idempotency_key = '%s'",
                                key);
}

static void expect_draft(const struct sale *sale, const struct sale_draft *draft)
{
    assert_string_equal(sale->sku, draft->sku);
    assert_string_equal(sale->title, draft->title);
    assert_string_equal(sale->unit_price.currency_code, draft->unit_price.currency_code);
    assert_int_equal(sale->unit_price.amount_minor, draft->unit_price.amount_minor);
    if (draft->has_start) {
        assert_int_equal(sale->start_us, draft->start_us);
    }
    assert_int_equal(sale->end_us, draft->end_us);
    assert_int_equal(sale->stock_total, draft->stock_total);
    assert_int_equal(sale->per_customer_limit, draft->per_customer_limit);
    assert_int_equal(sale->hold_seconds, draft->hold_seconds);
}

/* A new sale starts by the database's clock, untouched, with everything for sale. */
static void store_postgres_new_sale_is_as_drafted(void **state)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation creation = creation_of("new", 1, &draft);
    enum store_creation_outcome outcome;
    struct store_sale sale;
    (void)state;

    int64_t before_us = store_fixture_now_us();
    assert_int_equal(create(&creation, &outcome, &sale), STORE_OK);
    int64_t after_us = store_fixture_now_us();
    assert_int_equal(outcome, STORE_CREATED);
    assert_true(uuid_equal(&sale.sale.sale_id, &creation.sale_id));
    expect_draft(&sale.sale, &draft);
    assert_true(before_us <= sale.sale.start_us && sale.sale.start_us <= sale.now_us &&
                sale.now_us <= after_us);
    assert_int_equal(sale.sale.stock_remaining, draft.stock_total);
    assert_int_equal(sale.sale.stock_returning, 0);
    assert_false(sale.sale.paused);
    assert_int_equal(sale.sale.version, 1);
    assert_int_equal(sale.sale.orders_count, 0);
    store_fixture_audit(&creation.sale_id);
}

/* 200 characters of four bytes, in every place that takes text, there and back again. */
static void store_postgres_sale_of_extremes_is_read_as_written(void **state)
{
    char text[SALE_TEXT_CHARS_MAX * 4 + 1], key[ORDER_KEY_CHARS_MAX + 1];
    struct sale_draft draft = {.sku = text,
                               .title = text,
                               .unit_price = {"ZZZ", SALE_AMOUNT_MINOR_MAX},
                               .has_start = true,
                               .start_us = 0,
                               .end_us = SALE_TIME_US_MAX,
                               .stock_total = SALE_STOCK_MAX,
                               .per_customer_limit = SALE_PER_CUSTOMER_LIMIT_MAX,
                               .hold_seconds = SALE_HOLD_SECONDS_MAX};
    enum store_creation_outcome outcome;
    struct store_sale created, read;
    (void)state;

    for (size_t i = 0; i < SALE_TEXT_CHARS_MAX; i++) {
        memcpy(text + 4 * i, i % 2 == 0 ? "\xf0\x9f\x8e\x9f" : "\xf4\x8f\xbf\xbf", 4);
    }
    text[sizeof(text) - 1] = '\0';
    memset(key, '\'', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    struct store_creation creation = creation_of(key, 0xff, &draft);
    assert_int_equal(create(&creation, &outcome, &created), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED);
    expect_draft(&created.sale, &draft);
    assert_int_equal(worker.store.get_sale(worker.store.data, &creation.sale_id,
                                           store_fixture_deadline(&worker), &worker.arena, &read),
                     STORE_OK);
    expect_draft(&read.sale, &draft);
    assert_int_equal(create(&creation, &outcome, &read), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED_BEFORE);
    expect_draft(&read.sale, &draft);
}

static void store_postgres_sale_of_least_values_is_read_as_written(void **state)
{
    struct sale_draft draft = {.sku = "s",
                               .title = "\"\\\n\t%s' ",
                               .unit_price = {"AAA", 0},
                               .has_start = true,
                               .start_us = store_fixture_now_us() + 3600 * INT64_C(1000000),
                               .stock_total = 1};
    enum store_creation_outcome outcome;
    struct store_sale sale;
    (void)state;

    draft.end_us = draft.start_us + 1;
    struct store_creation creation = creation_of("k", 0, &draft);
    assert_int_equal(create(&creation, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED);
    expect_draft(&sale.sale, &draft);
}

/* A retry gets the sale that the key made, as it is now, and makes no other. */
static void store_postgres_creation_with_the_same_key_is_the_same_sale(void **state)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation first = creation_of("again", 2, &draft);
    struct store_creation retry = creation_of("again", 2, &draft);
    enum store_creation_outcome outcome;
    struct store_sale sale;
    (void)state;

    assert_int_equal(create(&first, &outcome, &sale), STORE_OK);
    store_fixture_add_many(&batch, &first.sale_id, "c", 2);
    store_fixture_place(&worker, &first.sale_id, &batch);
    assert_int_equal(create(&retry, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED_BEFORE);
    assert_true(uuid_equal(&sale.sale.sale_id, &first.sale_id));
    assert_int_equal(sale.sale.stock_remaining, draft.stock_total - 2);
    assert_int_equal(sale.sale.version, 2);
    assert_int_equal(sales_of_key("again"), 1);
    assert_false(store_fixture_is_locked(&first.sale_id));
}

/* Rule B7: another request under a used key must hear of it, not of the first one's sale. */
static void store_postgres_creation_key_of_another_draft_is_reuse(void **state)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation first = creation_of("reuse", 3, &draft);
    struct store_creation other = creation_of("reuse", 4, &draft);
    enum store_creation_outcome outcome;
    struct store_sale sale;
    (void)state;

    assert_int_equal(create(&first, &outcome, &sale), STORE_OK);
    assert_int_equal(create(&other, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATION_KEY_REUSED);
    assert_int_equal(sales_of_key("reuse"), 1);
    assert_int_equal(store_fixture_number("SELECT count(*) FROM sales WHERE sale_id = '%s'",
                                          store_fixture_text(&other.sale_id)),
                     0);
    /* "Reuse" is another key: capitals count. */
    other = creation_of("Reuse", 4, &draft);
    assert_int_equal(create(&other, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED);
}

/* A window that is over by the database's clock makes nothing and does not use up the key. */
static void store_postgres_creation_whose_end_has_passed_leaves_the_key_free(void **state)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation creation = creation_of("late", 5, &draft);
    enum store_creation_outcome outcome;
    struct store_sale sale;
    (void)state;

    draft.end_us = store_fixture_now_us() - 1;
    assert_int_equal(create(&creation, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATION_END_PASSED);
    draft.has_start = true;
    draft.start_us = draft.end_us - 1;
    assert_int_equal(create(&creation, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATION_END_PASSED);
    assert_int_equal(sales_of_key("late"), 0);
    draft.end_us = store_fixture_now_us() + 3600 * INT64_C(1000000);
    assert_int_equal(create(&creation, &outcome, &sale), STORE_OK);
    assert_int_equal(outcome, STORE_CREATED);
    assert_int_equal(sales_of_key("late"), 1);
}

/* The use case over the real store: its fingerprint tells drafts apart by every field. */
static void store_postgres_created_sale_is_replayed_by_the_use_case(void **state)
{
    struct create_sale_request request = {
        .key = "use case", .key_length = strlen("use case"), .draft = store_fixture_draft()};
    struct violations violations;
    struct store_sale first, second;
    (void)state;

    assert_int_equal(create_sale_run(&worker.creating, &request, store_fixture_deadline(&worker),
                                     &worker.arena, &first, &violations),
                     VERDICT_PLACED);
    assert_int_equal(create_sale_run(&worker.creating, &request, store_fixture_deadline(&worker),
                                     &worker.arena, &second, &violations),
                     VERDICT_REPLAYED);
    assert_true(uuid_equal(&first.sale.sale_id, &second.sale.sale_id));
    request.draft.hold_seconds++;
    assert_int_equal(create_sale_run(&worker.creating, &request, store_fixture_deadline(&worker),
                                     &worker.arena, &second, &violations),
                     VERDICT_IDEMPOTENCY_KEY_REUSED);
    request.key_length--;
    request.draft.end_us = store_fixture_now_us() - 1;
    assert_int_equal(create_sale_run(&worker.creating, &request, store_fixture_deadline(&worker),
                                     &worker.arena, &second, &violations),
                     VERDICT_INVALID_FIELD);
    assert_int_equal(violations.count, 1);
}

/* --- Reading -----------------------------------------------------------------------------------*/

static void store_postgres_get_sale_tells_the_sale_and_the_time(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0), unknown = sale_id;
    struct store_sale sale;
    (void)state;

    int64_t before_us = store_fixture_now_us();
    assert_int_equal(worker.store.get_sale(worker.store.data, &sale_id,
                                           store_fixture_deadline(&worker), &worker.arena, &sale),
                     STORE_OK);
    assert_true(before_us <= sale.now_us && sale.now_us <= store_fixture_now_us());
    assert_true(uuid_equal(&sale.sale.sale_id, &sale_id));
    assert_int_equal(sale.sale.stock_remaining, 10);
    unknown.bytes[0] ^= 0xff;
    assert_int_equal(worker.store.get_sale(worker.store.data, &unknown,
                                           store_fixture_deadline(&worker), &worker.arena, &sale),
                     STORE_NOT_FOUND);
}

/* A read does not wait for the lock of a sale that is being sold. */
static void store_postgres_get_sale_does_not_wait_for_the_lock(void **state)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    struct pg_conn *holder = store_fixture_connect();
    struct store_sale sale;
    (void)state;

    store_fixture_run(holder, "BEGIN; SELECT FROM sales WHERE sale_id = '%s' FOR UPDATE",
                      store_fixture_text(&sale_id));
    assert_int_equal(worker.store.get_sale(worker.store.data, &sale_id,
                                           store_fixture_deadline(&worker), &worker.arena, &sale),
                     STORE_OK);
    PQfinish(holder);
}

static struct store_sale_page page_of(const struct uuid *before, size_t limit)
{
    struct store_sale_page page;
    assert_int_equal(worker.store.list_sales(worker.store.data, before, limit,
                                             store_fixture_deadline(&worker), &worker.arena, &page),
                     STORE_OK);
    return page;
}

/* Every sale once, newest first, and the last page says so, also when it is full to the brim. */
static void store_postgres_list_sales_gives_every_sale_on_one_page_of_several(void **state)
{
    struct uuid ids[6];
    (void)state;

    store_fixture_admin("TRUNCATE sales");
    struct store_sale_page page = page_of(NULL, 500);
    assert_int_equal(page.count, 0);
    assert_false(page.more);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = (struct uuid){.bytes = {(uint8_t)(0x20 + i)}};
        struct uuid made = store_fixture_sale(1 + (int32_t)i, 0, 0);
        store_fixture_admin("UPDATE sales SET sale_id = '%s' WHERE sale_id = '%s'",
                            store_fixture_text(&ids[i]), store_fixture_text(&made));
    }
    for (size_t limit = 1; limit <= COUNT_OF(ids) + 1; limit++) {
        size_t seen = 0;
        const struct uuid *before = NULL;
        do {
            page = page_of(before, limit);
            for (size_t i = 0; i < page.count; i++, seen++) {
                const struct sale *sale = &page.sales[i].sale;
                assert_true(uuid_equal(&sale->sale_id, &ids[COUNT_OF(ids) - 1 - seen]));
                assert_int_equal(sale->stock_total, COUNT_OF(ids) - seen);
                assert_true(page.sales[i].now_us > 0);
            }
            assert_true(page.count > 0 && page.count <= limit);
            before = &page.sales[page.count - 1].sale.sale_id;
        } while (page.more);
        assert_int_equal(seen, COUNT_OF(ids));
    }
    page = page_of(&ids[0], 3);
    assert_int_equal(page.count, 0);
    assert_false(page.more);
}

static enum store_result get_order(const struct uuid *sale_id, const struct uuid *order_id,
                                   const char *customer, struct store_order *ret)
{
    return worker.store.get_order(worker.store.data, sale_id, order_id, customer,
                                  store_fixture_deadline(&worker), &worker.arena, ret);
}

/* The owner sees the order whatever became of it. */
static void store_postgres_get_order_of_every_status(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 60);
    struct store_order read;
    (void)state;

    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        const char *name = order_status_name(status);
        struct uuid order_id = order_id_of(&sale_id, "c-1", 3, name, strlen(name));
        insert_order(&sale_id, "c-1", name, 5, name);
        assert_int_equal(get_order(&sale_id, &order_id, "c-1", &read), STORE_OK);
        assert_true(uuid_equal(&read.order.order_id, &order_id));
        assert_int_equal(read.order.status, status);
        assert_int_equal(read.order.quantity, 5);
        assert_int_equal(read.order.number, (int64_t)status + 1);
        assert_int_equal(read.order.expire_us, INT64_C(1927857906789012));
        assert_string_equal(read.customer_id, "c-1");
        assert_string_equal(read.unit_price.currency_code, "EUR");
        assert_int_equal(read.unit_price.amount_minor, 1234);
    }
}

/* Nobody reads another customer's order, however similar the name. */
static void store_postgres_get_order_of_somebody_else_is_not_found(void **state)
{
    static const char *const strangers[] = {"C-1", "c-1 ", " c-1", "c-", "c-11", "c-_", "%", ""};
    struct uuid sale_id = store_fixture_sale(100, 0, 0), other = store_fixture_sale(100, 0, 0);
    struct store_order read;
    (void)state;

    store_fixture_add(&batch, &sale_id, "c-1", "k", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    const struct uuid *order_id = &batch.items[0].in.order_id;
    assert_int_equal(get_order(&sale_id, order_id, "c-1", &read), STORE_OK);
    assert_int_equal(read.order.expire_us, ORDER_NEVER_EXPIRES);
    assert_int_equal(read.order.create_us, batch.items[0].order.create_us);
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        assert_int_equal(get_order(&sale_id, order_id, strangers[i], &read), STORE_NOT_FOUND);
    }
    assert_int_equal(get_order(&other, order_id, "c-1", &read), STORE_NOT_FOUND);
    assert_int_equal(get_order(&sale_id, &sale_id, "c-1", &read), STORE_NOT_FOUND);
}

/* The lobby asks about many ids at once, some twice, most unknown. */
static void store_postgres_known_sales_marks_each_that_exists(void **state)
{
    static struct uuid ids[PLACEMENT_BATCH_MAX];
    static bool known[PLACEMENT_BATCH_MAX];
    struct uuid first = store_fixture_sale(1, 0, 0), second = store_fixture_sale(1, 0, 0);
    (void)state;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ids[i] = (struct uuid){.bytes = {0xee, (uint8_t)(i >> 8), (uint8_t)i}};
        known[i] = i % 3 == 0;
    }
    ids[0] = ids[511] = first;
    ids[100] = ids[101] = second;
    for (size_t count = 1; count <= COUNT_OF(ids); count += 511) {
        assert_int_equal(worker.store.known_sales(worker.store.data, ids, count,
                                                  store_fixture_deadline(&worker), &worker.arena,
                                                  known),
                         STORE_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(known[i], i == 0 || i == 511 || i == 100 || i == 101);
        }
    }
}

/* --- Memory -------------------------------------------------------------------------------------
 */

#define ARENA_STEP_BYTES 48

/* Replaces the worker's arena by one that holds so little. */
static void restrict_arena(size_t bytes_max)
{
    arena_fini(&worker.arena);
    arena_init(&worker.arena, ARENA_STEP_BYTES, bytes_max);
}

/* An arena too small at any point is an answer, not a crash, and leaves no lock behind. */
static void store_postgres_full_arena_is_broken_and_rolled_back(void **state)
{
    struct uuid sale_id = store_fixture_sale(1000, 5, 0);
    size_t bytes = ARENA_STEP_BYTES;
    (void)state;

    store_fixture_add_many(&batch, &sale_id, "c", 4);
    for (;; bytes += ARENA_STEP_BYTES) {
        restrict_arena(bytes);
        store_fixture_place(&worker, &sale_id, &batch);
        if (batch.items[0].verdict == VERDICT_PLACED) {
            break;
        }
        store_fixture_expect(&batch, VERDICT_INTERNAL);
        assert_false(store_fixture_is_locked(&sale_id));
        assert_true(worker.store.is_connected(worker.store.data));
    }
    assert_true(bytes > 10 * ARENA_STEP_BYTES);
    assert_int_equal(worker.connected_count, 1);
    store_fixture_expect(&batch, VERDICT_PLACED);
    store_fixture_compare(&sale_id, &batch);
    store_fixture_audit(&sale_id);
}

/* Reads and creations likewise: whatever the arena holds, the answer is sound or refused. */
static void store_postgres_full_arena_fails_reads_and_creations_cleanly(void **state)
{
    struct sale_draft draft = store_fixture_draft();
    struct store_creation creation = creation_of("memory", 9, &draft);
    enum store_creation_outcome outcome = STORE_CREATED;
    enum store_result results[5] = {STORE_BROKEN};
    struct store_sale sale;
    struct store_sale_page page;
    struct store_order order;
    bool known[1];
    (void)state;

    struct uuid sale_id = store_fixture_sale(5, 0, 0);
    store_fixture_add_many(&batch, &sale_id, "c", 1);
    store_fixture_place(&worker, &sale_id, &batch);
    for (size_t bytes = ARENA_STEP_BYTES; results[0] != STORE_OK || results[2] != STORE_OK;
         bytes += ARENA_STEP_BYTES) {
        int64_t deadline_ns = store_fixture_deadline(&worker);
        void *data = worker.store.data;
        restrict_arena(bytes);
        results[0] = create(&creation, &outcome, &sale);
        arena_reset(&worker.arena);
        results[1] = worker.store.get_sale(data, &sale_id, deadline_ns, &worker.arena, &sale);
        arena_reset(&worker.arena);
        results[2] = worker.store.list_sales(data, NULL, 3, deadline_ns, &worker.arena, &page);
        arena_reset(&worker.arena);
        results[3] = worker.store.get_order(data, &sale_id, &batch.items[0].in.order_id, "c-0",
                                            deadline_ns, &worker.arena, &order);
        arena_reset(&worker.arena);
        results[4] = worker.store.known_sales(data, &sale_id, 1, deadline_ns, &worker.arena, known);
        for (size_t i = 0; i < COUNT_OF(results); i++) {
            assert_true(results[i] == STORE_OK || results[i] == STORE_BROKEN);
        }
        assert_int_equal(sales_of_key("memory"), results[0] == STORE_OK);
    }
    assert_int_equal(worker.connected_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(store_postgres_load_holds_the_lock_until_stored_or_abandoned),
        TEST(store_postgres_abandoned_load_changes_nothing),
        TEST(store_postgres_load_of_an_unknown_sale_is_not_found),
        TEST(store_postgres_load_reads_the_whole_sale),
        TEST(store_postgres_load_finds_existing_orders_of_every_status),
        TEST(store_postgres_load_counts_reserved_and_confirmed_units),
        TEST(store_postgres_held_orders_are_reserved_until_their_time),
        TEST(store_postgres_full_batch_of_extremes_is_placed_and_replayed),
        TEST(store_postgres_customers_of_all_printable_characters_are_kept),
        TEST(store_postgres_mixed_batch_has_each_its_outcome),
        TEST(store_postgres_moved_sale_is_not_stored_upon),
        TEST(store_postgres_moved_sale_keeps_its_expired_holds),
        TEST(store_postgres_new_sale_is_as_drafted),
        TEST(store_postgres_sale_of_extremes_is_read_as_written),
        TEST(store_postgres_sale_of_least_values_is_read_as_written),
        TEST(store_postgres_creation_with_the_same_key_is_the_same_sale),
        TEST(store_postgres_creation_key_of_another_draft_is_reuse),
        TEST(store_postgres_creation_whose_end_has_passed_leaves_the_key_free),
        TEST(store_postgres_created_sale_is_replayed_by_the_use_case),
        TEST(store_postgres_get_sale_tells_the_sale_and_the_time),
        TEST(store_postgres_get_sale_does_not_wait_for_the_lock),
        TEST(store_postgres_list_sales_gives_every_sale_on_one_page_of_several),
        TEST(store_postgres_get_order_of_every_status),
        TEST(store_postgres_get_order_of_somebody_else_is_not_found),
        TEST(store_postgres_known_sales_marks_each_that_exists),
        TEST(store_postgres_full_arena_is_broken_and_rolled_back),
        TEST(store_postgres_full_arena_fails_reads_and_creations_cleanly),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
