/*
 * A connection that is lost at any byte of a change, in either direction: what the port says must
 * agree with the database, and the same change again must end in having been done once (CORRECTNESS
 * A3, B7). The change is the one that would hurt: a restock with a cancellation beside it.
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "support/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Around COMMIT, which ends what is sent, and its answer every byte is visited; before every so
 * many. */
#define FINE_BYTES  64
#define COARSE_STEP 61

#define RETRIES_MAX 5
#define KEY         "crate-1"
#define QUANTITY    7

static struct proxy *proxy;
static char proxied_url[SCRATCH_POSTGRES_URL_BYTES];
static struct store_fixture_worker worker;
static struct store_fixture_batch batch;

/* What a test saw in all its rounds. */
static struct {
    unsigned done, unknown, not_done;
} seen;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(proxy_create(scratch_postgres_port(store_fixture_server()), &proxy), 0);
    scratch_postgres_url_with_port(store_fixture_server()->service_url, proxy_port(proxy),
                                   proxied_url);
    store_fixture_worker_init(&worker, proxied_url, &store_fixture_long);
    assert_true(store_fixture_worker_connect(&worker));
    seen.done = seen.unknown = seen.not_done = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    proxy_destroy(proxy);
    return 0;
}

/* A cut that did not come to pass must not meet what follows. */
static void heal(void)
{
    proxy_cut_after(proxy, PROXY_TO_SERVER, UINT64_MAX);
    proxy_cut_after(proxy, PROXY_TO_CLIENT, UINT64_MAX);
    assert_true(store_fixture_worker_connect(&worker));
}

/* A sale with one held order. */
static struct uuid make_sale(void)
{
    struct uuid sale_id = store_fixture_sale(10, 0, 60);
    heal();
    store_fixture_clear(&batch);
    store_fixture_add(&batch, &sale_id, "customer", "key", 2);
    store_fixture_place(&worker, &sale_id, &batch);
    store_fixture_expect(&batch, VERDICT_PLACED);
    return sale_id;
}

static enum store_result load(const struct uuid *sale_id, struct store_change_facts *ret)
{
    const struct store_change_query query = {.order_ids = &batch.items[0].in.order_id,
                                             .order_count = 1,
                                             .restock_key = KEY,
                                             .restock_key_length = strlen(KEY)};
    arena_reset(&worker.arena);
    return worker.store.load_change(worker.store.data, sale_id, &query,
                                    store_fixture_deadline(&worker), &worker.arena, ret);
}

/* Cancels the order and restocks, unless that was done before. */
static enum store_result store(const struct store_change_facts *facts)
{
    const struct order *order = &facts->settlement.orders[0].order;
    const struct order_change cancelled = {.order_id = order->order_id,
                                           .number = order->number,
                                           .quantity = order->quantity,
                                           .from = ORDER_RESERVED,
                                           .to = ORDER_CANCELLED};
    struct store_change change = {.sale = facts->settlement.sale};
    if (!facts->restocked) {
        change.changes = &cancelled;
        change.change_count = 1;
        change.restock_key = KEY;
        change.restock_key_length = strlen(KEY);
        change.restock_quantity = QUANTITY;
        sale_give_back(&change.sale, order->quantity);
        change.sale.stock_total += QUANTITY;
        sale_give_back(&change.sale, QUANTITY);
        sale_seal(&facts->settlement.sale, &change.sale);
    }
    return worker.store.store_change(worker.store.data, facts, &change,
                                     store_fixture_deadline(&worker), &worker.arena);
}

static enum store_result run(const struct uuid *sale_id)
{
    struct store_change_facts facts;
    enum store_result result = load(sale_id, &facts);
    return result == STORE_OK ? store(&facts) : result;
}

static bool is_done(const struct uuid *sale_id)
{
    return store_fixture_number("SELECT count(*) FROM sale_restocks WHERE sale_id = '%s'",
                                store_fixture_text(sale_id)) == 1;
}

/* All of it or nothing, and once at most. */
static void audit(const struct uuid *sale_id)
{
    store_fixture_audit(sale_id);
    int64_t total = store_fixture_number("SELECT stock_total FROM sales WHERE sale_id = '%s'",
                                         store_fixture_text(sale_id));
    int64_t cancelled = store_fixture_number("SELECT count(*) FROM orders WHERE sale_id = '%s' "
                                             "AND status = 'CANCELLED'",
                                             store_fixture_text(sale_id));
    assert_int_equal(total, is_done(sale_id) ? 10 + QUANTITY : 10);
    assert_int_equal(cancelled, is_done(sale_id));
}

static void note(enum store_result result, const struct uuid *sale_id)
{
    switch (result) {
    case STORE_OK:
        assert_true(is_done(sale_id));
        seen.done++;
        break;
    case STORE_UNKNOWN:
        seen.unknown++;
        break;
    case STORE_UNAVAILABLE:
    case STORE_BUSY:
        assert_false(is_done(sale_id));
        seen.not_done++;
        break;
    default:
        fail_msg("the port says %d", (int)result);
    }
}

static void retry(const struct uuid *sale_id)
{
    enum store_result result = STORE_UNAVAILABLE;
    for (int i = 0; i < RETRIES_MAX && result != STORE_OK; i++) {
        heal();
        result = run(sale_id);
    }
    assert_int_equal(result, STORE_OK);
    assert_true(is_done(sale_id));
    audit(sale_id);
}

static uint64_t measure(enum proxy_direction direction)
{
    struct uuid sale_id = make_sale();
    uint64_t begun = proxy_bytes(proxy, direction);
    assert_int_equal(run(&sale_id), STORE_OK);
    return proxy_bytes(proxy, direction) - begun;
}

static uint64_t step_at(uint64_t bytes, uint64_t total)
{
    return bytes + COARSE_STEP + FINE_BYTES < total ? COARSE_STEP : 1;
}

static void scan(enum proxy_direction direction)
{
    uint64_t total = measure(direction);
    assert_true(total > 2 * FINE_BYTES);
    for (uint64_t bytes = 0; bytes <= total; bytes += step_at(bytes, total)) {
        struct uuid sale_id = make_sale();
        proxy_cut_after(proxy, direction, bytes);
        enum store_result result = run(&sale_id);
        if (result == STORE_UNKNOWN) {
            assert_false(worker.store.is_connected(worker.store.data));
            /* A backend may not have noticed yet: the lock tells when it has. */
            store_fixture_await("SELECT count(*) = 1 FROM (SELECT FROM sales WHERE sale_id = '%s' "
                                "FOR UPDATE SKIP LOCKED) AS free",
                                store_fixture_text(&sale_id));
        }
        note(result, &sale_id);
        audit(&sale_id);
        retry(&sale_id);
    }
    print_message("%u done, %u unknown, %u not done\n", seen.done, seen.unknown, seen.not_done);
    assert_true(seen.unknown > 0 && seen.not_done > 0);
}

/* What the server hears ends at any byte: a COMMIT that came whole counts, half a one does not. */
static void change_cut_anywhere_to_the_server_is_done_once(void **state)
{
    (void)state;
    scan(PROXY_TO_SERVER);
}

/* What the client hears ends at any byte: what was committed is found again. */
static void change_cut_anywhere_to_the_client_is_done_once(void **state)
{
    (void)state;
    scan(PROXY_TO_CLIENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(change_cut_anywhere_to_the_server_is_done_once),
        TEST(change_cut_anywhere_to_the_client_is_done_once),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
