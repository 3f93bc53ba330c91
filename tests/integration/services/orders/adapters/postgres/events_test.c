/*
 * The outbox on a real PostgreSQL: what an event says is what happened, sequences have no gap
 * whatever runs at once, and pruning takes from the oldest only.
 */
#include "store_fixture.h"

#include "base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORDERS_MODELLED 20000
#define CROWD           3
#define CROWD_MS        1500
#define HOUR_US         INT64_C(3600000000)

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

static struct store_event_page read_page(const struct uuid *sale_id, int64_t from,
                                         size_t events_max, size_t orders_max)
{
    struct store_event_page page;
    arena_reset(&worker.arena);
    assert_int_equal(worker.store.read_events(worker.store.data, sale_id, from, events_max,
                                              orders_max, store_fixture_deadline(&worker),
                                              &worker.arena, &page),
                     STORE_OK);
    return page;
}

static void place(const struct uuid *sale_id, const char *prefix, size_t count)
{
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, sale_id, prefix, count);
    store_fixture_place(&worker, sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
}

/* The event's orders have these numbers, one after the other, and this status. */
static void expect_event(const struct store_event *event, int64_t sequence, int64_t first_number,
                         size_t count, enum order_status status)
{
    assert_int_equal(event->sequence, sequence);
    assert_int_equal(event->order_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(event->orders[i].order.number, first_number + (int64_t)i);
        assert_int_equal(event->orders[i].order.status, status);
        assert_int_equal(event->orders[i].unit_price.amount_minor, 1234);
        assert_string_equal(event->orders[i].unit_price.currency_code, "EUR");
    }
}

/* --- Contents ----------------------------------------------------------------------------------*/

/* An event keeps its word: the order that was reserved then is told as reserved, whatever came. */
static void events_tell_what_each_transaction_did(void **state)
{
    struct uuid sale_id = store_fixture_sale(20, 0, 60);
    size_t expired;
    (void)state;

    int64_t before_us = store_fixture_now_us();
    place(&sale_id, "c", 4);
    struct uuid ids[4];
    for (size_t i = 0; i < 4; i++) {
        ids[i] = batch.items[i].in.order_id;
    }
    store_fixture_settle_one(&worker, &sale_id, &ids[1], ORDER_ACT_CONFIRM);
    store_fixture_settle_one(&worker, &sale_id, &ids[0], ORDER_ACT_CANCEL);
    store_fixture_run_out(&sale_id, 1);
    place(&sale_id, "d", 2); /* and lets the holds of 3 and 4 expire */
    store_fixture_run_out(&sale_id, 1);
    assert_int_equal(store_fixture_sweep(&worker, &sale_id, 0, &expired), 0);
    int64_t after_us = store_fixture_now_us();

    struct store_event_page page = read_page(&sale_id, 1, 100, 100);
    assert_int_equal(page.count, 6);
    assert_int_equal(page.oldest_sequence, 1);
    assert_false(page.more);
    expect_event(&page.events[0], 1, 0, 0, ORDER_RESERVED);
    expect_event(&page.events[1], 2, 1, 4, ORDER_RESERVED);
    expect_event(&page.events[2], 3, 2, 1, ORDER_CONFIRMED);
    expect_event(&page.events[3], 4, 1, 1, ORDER_CANCELLED);
    assert_int_equal(page.events[4].order_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(page.events[4].orders[i].order.number, (int64_t)i + 3);
        assert_int_equal(page.events[4].orders[i].order.status,
                         i < 2 ? ORDER_EXPIRED : ORDER_RESERVED);
    }
    expect_event(&page.events[5], 6, 5, 2, ORDER_EXPIRED);
    for (size_t i = 0; i < 4; i++) {
        assert_true(uuid_equal(&page.events[1].orders[i].order.order_id, &ids[i]));
        assert_int_equal(page.events[1].orders[i].order.quantity, 1);
    }
    assert_string_equal(page.events[1].orders[3].customer_id, "c-3");
    for (size_t i = 1; i < page.count; i++) {
        assert_true(before_us <= page.events[i].time_us && page.events[i].time_us <= after_us);
    }
    store_fixture_audit(&sale_id);
}

/* A sale that is made tells so; one that does not exist is not found. */
static void events_begin_with_the_creation(void **state)
{
    const struct sale_draft draft = store_fixture_draft();
    struct store_creation creation = {.key = "events-begin", .draft = &draft};
    enum store_creation_outcome outcome;
    struct store_event_page page;
    struct store_sale sale;
    (void)state;

    creation.key_length = strlen(creation.key);
    creation.sale_id = uuid_v7(1, (const uint8_t[10]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
    for (int i = 0; i < 2; i++) { /* the second is a replay, and tells nothing */
        assert_int_equal(worker.store.create_sale(worker.store.data, &creation,
                                                  store_fixture_deadline(&worker), &worker.arena,
                                                  &outcome, &sale),
                         STORE_OK);
        page = read_page(&creation.sale_id, 1, 10, 10);
        assert_int_equal(page.count, 1);
        expect_event(&page.events[0], 1, 0, 0, ORDER_RESERVED);
    }
    creation.sale_id.bytes[15] ^= 1;
    assert_int_equal(worker.store.read_events(worker.store.data, &creation.sale_id, 1, 10, 10,
                                              store_fixture_deadline(&worker), &worker.arena,
                                              &page),
                     STORE_NOT_FOUND);
}

/* Pages end where they are told to, say so, and go on where they ended. */
static void events_come_in_pages_of_bounded_size(void **state)
{
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    char prefix[24];
    (void)state;

    for (int i = 0; i < 5; i++) {
        snprintf(prefix, sizeof(prefix), "p%d", i);
        place(&sale_id, prefix, 10);
    }
    struct store_event_page page = read_page(&sale_id, 1, 3, 1000);
    assert_int_equal(page.count, 3);
    assert_true(page.more);
    page = read_page(&sale_id, 2, 100, 25);
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    page = read_page(&sale_id, 4, 100, 5); /* the first alone has more */
    assert_int_equal(page.count, 1);
    expect_event(&page.events[0], 4, 21, 10, ORDER_CONFIRMED);
    assert_true(page.more);
    page = read_page(&sale_id, 5, 2, 20);
    assert_int_equal(page.count, 2);
    assert_false(page.more);
    page = read_page(&sale_id, 7, 10, 10); /* the next that will be written */
    assert_int_equal(page.count, 0);
    assert_int_equal(page.oldest_sequence, 1);
    assert_false(page.more);
}

/* A full batch that lets as many holds expire as it may: the largest event there is. */
static void events_of_the_largest_transaction_are_read_whole(void **state)
{
    struct uuid sale_id = store_fixture_sale(2000, 0, 60);
    (void)state;

    place(&sale_id, "a", PLACEMENT_BATCH_MAX);
    store_fixture_run_out(&sale_id, 1);
    place(&sale_id, "b", PLACEMENT_BATCH_MAX);
    struct store_event_page page = read_page(&sale_id, 3, 1, 1);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.events[0].order_count, 2 * PLACEMENT_BATCH_MAX);
    for (size_t i = 0; i < page.events[0].order_count; i++) {
        assert_int_equal(page.events[0].orders[i].order.number, (int64_t)i + 1);
        assert_int_equal(page.events[0].orders[i].order.status,
                         i < PLACEMENT_BATCH_MAX ? ORDER_EXPIRED : ORDER_RESERVED);
    }
}

/* --- Together ----------------------------------------------------------------------------------*/

struct shop {
    struct store_fixture_worker worker;
    struct store_fixture_batch batch;
    struct settlement_request requests[8];
    struct settlement_decision decision;
    pthread_t thread;
    unsigned index, failed;
};

static struct shop shops[CROWD];
static struct uuid shared_sale;
static int64_t end_ns;
static atomic_bool done;

static void settle_some(struct shop *shop)
{
    for (size_t i = 0; i < 8; i++) {
        shop->requests[i] = (struct settlement_request){
            .order_id = shop->batch.items[i].in.order_id,
            .act = i % 2 == 0 ? ORDER_ACT_CONFIRM : ORDER_ACT_CANCEL,
        };
    }
    shop->failed += store_fixture_settle(&shop->worker, &shared_sale, shop->requests, 8,
                                         &shop->decision) != STORE_OK;
}

static void *trade(void *data)
{
    struct shop *shop = data;
    char prefix[32];
    for (unsigned i = 0;
         (i == 0 || clock_monotonic_ns() < end_ns) && i < ORDERS_MODELLED / CROWD / 8; i++) {
        snprintf(prefix, sizeof(prefix), "s%u-%u", shop->index, i);
        store_fixture_clear(&shop->batch);
        store_fixture_add_many(&shop->batch, &shared_sale, prefix, 8);
        store_fixture_place(&shop->worker, &shared_sale, &shop->batch);
        settle_some(shop);
    }
    return NULL;
}

static void start_shops(size_t count, void *(*life)(void *))
{
    end_ns = clock_deadline_in_ms(CROWD_MS);
    for (size_t i = 0; i < count; i++) {
        shops[i].index = (unsigned)i;
        shops[i].failed = 0;
        store_fixture_worker_init(&shops[i].worker, store_fixture_server()->service_url,
                                  &store_fixture_long);
        assert_true(store_fixture_worker_connect(&shops[i].worker));
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&shops[i].thread, NULL, life, &shops[i]), 0);
    }
}

static void join_shops(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(shops[i].thread, NULL), 0);
        store_fixture_worker_fini(&shops[i].worker);
        assert_int_equal(shops[i].failed, 0);
    }
}

/* What a reader makes of the events: each order's status, by number. */
static enum order_status model[ORDERS_MODELLED + 1];
static int64_t model_orders, model_sequence;

static void apply(const struct store_event *event)
{
    assert_int_equal(event->sequence, ++model_sequence);
    for (size_t i = 0; i < event->order_count; i++) {
        const struct order *order = &event->orders[i].order;
        if (order->number > model_orders) {
            assert_int_equal(order->number, ++model_orders);
            assert_true(model_orders <= ORDERS_MODELLED);
            assert_int_equal(order->status, ORDER_RESERVED);
        } else {
            assert_int_equal(model[order->number], ORDER_RESERVED);
        }
        model[order->number] = order->status;
    }
}

/* Reads on from where the model is until there is nothing new. */
static void follow(void)
{
    struct store_event_page page;
    do {
        page = read_page(&shared_sale, model_sequence + 1, 7, 30);
        for (size_t i = 0; i < page.count; i++) {
            apply(&page.events[i]);
        }
    } while (page.count > 0);
}

static int64_t model_count(enum order_status status)
{
    int64_t count = 0;
    for (int64_t number = 1; number <= model_orders; number++) {
        count += model[number] == status;
    }
    return count;
}

/* Several replicas write while one reads: nothing is skipped, doubled or told too early. */
static void events_of_concurrent_connections_have_no_gap(void **state)
{
    (void)state;
    shared_sale = store_fixture_sale(SALE_STOCK_MAX, 0, 60);
    model_orders = model_sequence = 0;
    start_shops(CROWD, trade);
    while (clock_monotonic_ns() < end_ns) {
        follow();
    }
    join_shops(CROWD);
    follow();
    assert_true(model_orders > 0);
    assert_int_equal(model_sequence,
                     store_fixture_number("SELECT version FROM sales WHERE sale_id = '%s'",
                                          store_fixture_text(&shared_sale)));
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        assert_int_equal(model_count(status),
                         store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s' "
                                              "AND status = '%s'",
                                              store_fixture_text(&shared_sale),
                                              order_status_name(status)));
    }
    store_fixture_audit(&shared_sale);
}

/* --- Pruning -----------------------------------------------------------------------------------*/

static void prune(struct store_fixture_worker *pruner, size_t *ret_count, bool *ret_more)
{
    assert_int_equal(pruner->store.prune_events(pruner->store.data, HOUR_US,
                                                store_fixture_deadline(pruner), &pruner->arena,
                                                ret_count, ret_more),
                     STORE_OK);
}

/* Events of nothing but their time, as if the sale had changed so often. */
static struct uuid sale_with_events(int64_t count)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 0);
    store_fixture_admin("UPDATE sales SET version = %lld WHERE sale_id = '%s'", (long long)count,
                        store_fixture_text(&sale_id));
    store_fixture_admin("INSERT INTO order_events (sale_id, sequence, event_time) "
                        "SELECT '%s', n, now() FROM generate_series(2, %lld) AS n",
                        store_fixture_text(&sale_id), (long long)count);
    return sale_id;
}

static void age(const struct uuid *sale_id, int64_t first, int64_t last)
{
    store_fixture_admin("UPDATE order_events SET event_time = now() - interval '2 hours' "
                        "WHERE sale_id = '%s' AND sequence BETWEEN %lld AND %lld",
                        store_fixture_text(sale_id), (long long)first, (long long)last);
}

/* A reader that comes too late hears what the oldest is, and nothing else. */
static void events_that_are_old_are_pruned_and_readers_told(void **state)
{
    struct uuid sale_id = sale_with_events(10), quiet = sale_with_events(3),
                all_old = sale_with_events(4);
    size_t count;
    bool more;
    (void)state;

    age(&sale_id, 1, 6);
    age(&all_old, 1, 4);
    prune(&worker, &count, &more);
    assert_int_equal(count, 10);
    assert_false(more);
    for (int64_t from = 0; from <= 6; from++) {
        struct store_event_page page = read_page(&sale_id, from, 10, 10);
        assert_int_equal(page.count, 0);
        assert_int_equal(page.oldest_sequence, 7);
    }
    assert_int_equal(read_page(&sale_id, 7, 10, 10).count, 4);
    assert_int_equal(read_page(&quiet, 1, 10, 10).count, 3);
    assert_int_equal(read_page(&all_old, 1, 10, 10).count, 0);
    assert_int_equal(read_page(&all_old, 1, 10, 10).oldest_sequence, 5);
    prune(&worker, &count, &more);
    assert_int_equal(count, 0);
}

/* A clock that was set back leaves an old time above a young one: the young one stays, and so does
 * all that follows it, or the rest would have a gap. */
static void events_behind_a_young_one_are_kept(void **state)
{
    struct uuid sale_id = sale_with_events(10);
    size_t count;
    bool more;
    (void)state;

    age(&sale_id, 1, 3);
    age(&sale_id, 5, 8);
    prune(&worker, &count, &more);
    assert_int_equal(count, 3);
    assert_int_equal(read_page(&sale_id, 4, 10, 10).count, 7);
}

/* One call takes a bounded number and says that there are more. */
static void events_are_pruned_in_slices(void **state)
{
    struct uuid first = sale_with_events(4000), second = sale_with_events(4000);
    size_t count, sum = 0;
    bool more = true;
    (void)state;

    age(&first, 1, 3999);
    age(&second, 1, 3999);
    for (int calls = 0; more; calls++) {
        prune(&worker, &count, &more);
        assert_true(count < 7998 && calls < 4);
        sum += count;
    }
    assert_int_equal(sum, 7998);
    assert_int_equal(read_page(&first, 1, 10, 10).oldest_sequence, 4000);
    assert_int_equal(read_page(&second, 1, 10, 10).oldest_sequence, 4000);
}

static void *prune_on(void *data)
{
    struct shop *shop = data;
    struct store *port = &shop->worker.store;
    while (!atomic_load(&done)) {
        size_t count;
        bool more;
        shop->failed +=
            port->prune_events(port->data, HOUR_US, store_fixture_deadline(&shop->worker),
                               &shop->worker.arena, &count, &more) != STORE_OK;
    }
    return NULL;
}

/* Two replicas prune while one reads: a page is whole from where it was asked for, or empty with
 * the oldest that there is. */
static void events_pruned_under_a_reader_leave_no_gap_in_a_page(void **state)
{
    (void)state;
    const int64_t last = 2000;
    shared_sale = sale_with_events(last);
    atomic_store(&done, false);
    start_shops(2, prune_on);
    for (int64_t aged = 10; aged <= last - 10; aged += 10) {
        age(&shared_sale, aged - 9, aged);
        struct store_event_page page = read_page(&shared_sale, aged - 15, 100, 100);
        if (page.count == 0) {
            assert_true(page.oldest_sequence > aged - 15);
            page = read_page(&shared_sale, page.oldest_sequence, 100, 100);
        }
        for (size_t i = 1; i < page.count; i++) {
            assert_int_equal(page.events[i].sequence, page.events[i - 1].sequence + 1);
        }
    }
    atomic_store(&done, true);
    join_shops(2);
    size_t count;
    bool more;
    prune(&worker, &count, &more);
    assert_int_equal(read_page(&shared_sale, 1, 10, 10).oldest_sequence, last - 9);
}

/* An event that is missing between others was lost: a reader must not go on as if it had not been.
 */
static void events_with_one_missing_between_are_no_page(void **state)
{
    struct uuid sale_id = sale_with_events(6);
    struct store_event_page page;
    (void)state;
    store_fixture_admin("DELETE FROM order_events WHERE sale_id = '%s' AND sequence = 4",
                        store_fixture_text(&sale_id));
    assert_int_equal(worker.store.read_events(worker.store.data, &sale_id, 2, 100, 100,
                                              store_fixture_deadline(&worker), &worker.arena,
                                              &page),
                     STORE_BROKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_tell_what_each_transaction_did),
        TEST(events_begin_with_the_creation),
        TEST(events_come_in_pages_of_bounded_size),
        TEST(events_of_the_largest_transaction_are_read_whole),
        TEST(events_of_concurrent_connections_have_no_gap),
        TEST(events_that_are_old_are_pruned_and_readers_told),
        TEST(events_behind_a_young_one_are_kept),
        TEST(events_are_pruned_in_slices),
        TEST(events_pruned_under_a_reader_leave_no_gap_in_a_page),
        TEST(events_with_one_missing_between_are_no_page),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
