#include "orders/lanes/sweeper.h"

#include "../fake_store.h"
#include "../fake_system.h"
#include "base/clock.h"
#include "base/order_id.h"
#include "orders/lanes/workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* cmocka wants these first */
#include <cmocka.h>

#define INTERVAL_MS 150
#define LEASE_MS    515
#define STEP_MS     5
#define HOLD_S      60

static struct fake_database database;
static struct system_port fake_system;
static struct lanes *lanes;
static struct sweeper *sweeper;
static struct fake_connection connections[2];
static struct store stores[2];
static struct workers *workers;
static atomic_size_t expired_total;
static atomic_int matured_total, sweeps_total;

/* --- Workers on the fake database ------------------------------------------------------------ */

static void on_task(void *data, const struct lane_task *task, int64_t duration_ns)
{
    (void)data;
    (void)task;
    (void)duration_ns;
}

static void ignore_taken(void *data, const struct lane_task *taken)
{
    (void)data;
    (void)taken;
}

static void on_swept(void *data, size_t expired, int32_t matured)
{
    (void)data;
    atomic_fetch_add(&expired_total, expired);
    atomic_fetch_add(&matured_total, matured);
    atomic_fetch_add(&sweeps_total, 1);
    if (expired > 0) {
        sweeper_hurry(sweeper);
    }
}

static void on_connection(void *data, size_t worker, bool connected)
{
    (void)data;
    (void)worker;
    (void)connected;
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void start_workers(void)
{
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        stores[i] = fake_store_of(&connections[i], &database);
    }
    struct workers_config config = {
        .lanes = lanes,
        .system = &fake_system,
        .stores = stores,
        .count = COUNT_OF(stores),
        .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND,
        .decision_ns_max = 5 * CLOCK_NS_PER_SECOND,
        .observer = {.on_taken = ignore_taken,
                     .on_batch = on_task,
                     .on_settled = on_task,
                     .on_swept = on_swept,
                     .on_connection = on_connection},
    };
    assert_int_equal(workers_start(&config, &workers), 0);
    while (lanes_stats(lanes).workers < COUNT_OF(stores)) {
        pause_shortly();
    }
}

static int set_up(void **state)
{
    (void)state;
    fake_database_init(&database);
    fake_system = fake_system_of(&database);
    struct lanes_config config = {.queue_max = 100,
                                  .changes_max = 100,
                                  .acts_max = 10,
                                  .jobs_max = 10,
                                  .lanes_max = 10,
                                  .batch_max = LANES_BATCH_MAX,
                                  .system = &fake_system};
    struct sweeper_config sweeping = {.system = &fake_system,
                                      .interval_ns = INTERVAL_MS * CLOCK_NS_PER_MS,
                                      .lease_ns = LEASE_MS * CLOCK_NS_PER_MS,
                                      .transaction_ns_max = CLOCK_NS_PER_SECOND};
    workers = NULL;
    atomic_store(&expired_total, 0);
    atomic_store(&matured_total, 0);
    atomic_store(&sweeps_total, 0);
    if (lanes_create(&config, &lanes) != 0) {
        return -1;
    }
    sweeping.lanes = lanes;
    return sweeper_create(&sweeping, &sweeper);
}

static int tear_down(void **state)
{
    (void)state;
    lanes_stop(lanes);
    workers_join(workers);
    sweeper_destroy(sweeper);
    lanes_destroy(lanes);
    fake_database_fini(&database);
    return 0;
}

/* Waits until the workers have done all there is. */
static void settle(void)
{
    for (;;) {
        struct lanes_stats stats = lanes_stats(lanes);
        if (stats.workers_busy + stats.jobs_waiting + stats.lanes_ready == 0) {
            return;
        }
        pause_shortly();
    }
}

/* Time goes on, as seen by this program and by the database, and the janitor looks at its duty. */
static int64_t step(void)
{
    atomic_fetch_add(&database.clock_us, STEP_MS * 1000);
    int64_t now =
        atomic_fetch_add(&database.now_ns, STEP_MS * CLOCK_NS_PER_MS) + STEP_MS * CLOCK_NS_PER_MS;
    int64_t due = sweeper_tick(sweeper, now);
    settle();
    return due;
}

/* --- Orders ---------------------------------------------------------------------------------- */

static void on_answered(struct lane_batch *batch, void *data)
{
    (void)batch;
    atomic_store((atomic_bool *)data, true);
}

/* Places orders of one unit each, by customers of their own. */
static void place(const struct uuid *sale_id, size_t count, char prefix)
{
    static struct lane_order orders[64];
    static char names[64][8];
    atomic_bool answered = false;
    struct lane_batch batch = {.sale_id = *sale_id,
                               .orders = orders,
                               .count = count,
                               .on_answered = on_answered,
                               .data = &answered};
    for (size_t i = 0; i < count; i++) {
        int length = snprintf(names[i], sizeof(names[i]), "%c%zu", prefix, i);
        orders[i] = (struct lane_order){
            .item = {.in = {.order_id = order_id_of(sale_id, names[i], (size_t)length, "k", 1),
                            .customer_id = names[i],
                            .customer_length = (size_t)length,
                            .quantity = 1},
                     .deadline_ns = CLOCK_DEADLINE_NEVER,
                     .attempts_end_ns = CLOCK_DEADLINE_NEVER}};
    }
    lanes_submit(lanes, &batch);
    while (!atomic_load(&answered)) {
        pause_shortly();
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(orders[i].item.verdict, VERDICT_PLACED);
    }
    settle();
}

/* A sale whose orders are holds. */
static struct uuid add_sale(int32_t stock)
{
    struct uuid sale_id = fake_database_add_sale(&database, stock, 0);
    database.sales[sale_id.bytes[0]].sale.hold_seconds = HOLD_S;
    return sale_id;
}

static void run_holds_out(void)
{
    atomic_fetch_add(&database.clock_us, HOLD_S * INT64_C(1000000));
}

/* --- Tests ----------------------------------------------------------------------------------- */

/* A hold that runs out on a sale that nobody asks for gives its units back within a second. */
static void sweeper_hold_runs_out_units_are_sold_again(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(10);
    struct sale *sale = &database.sales[0].sale;
    int steps = 0;

    start_workers();
    place(&sale_id, 4, 'a');
    assert_int_equal(sale->stock_remaining, 6);
    for (int i = 0; i < 200; i++) {
        step();
    }
    assert_int_equal(atomic_load(&sweeps_total), 0); /* nothing was due */
    run_holds_out();
    while (sale->stock_remaining < 10) {
        step();
        assert_true(++steps <= 1000 / STEP_MS);
    }
    assert_int_equal(atomic_load(&expired_total), 4);
    assert_int_equal(sale->stock_returning, 0);
    place(&sale_id, 10, 'b');
    assert_true(fake_database_is_sound(&database.sales[0]));
}

/* Units that come back to a sold-out sale are sold no earlier than a lease after they came back, so
 * that no edge can still refuse by an older entry; and within a second of the holds' end. */
static void sweeper_sold_out_units_mature_after_the_lease(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(4);
    struct sale *sale = &database.sales[0].sale;
    int steps = 0, returned_at = 0;

    start_workers();
    place(&sale_id, 4, 'a');
    assert_int_equal(sale->stock_remaining, 0);
    run_holds_out();
    while (sale->stock_remaining < 4) {
        step();
        steps++;
        if (returned_at == 0 && sale->stock_returning > 0) {
            returned_at = steps;
        }
        assert_true(steps <= 1000 / STEP_MS);
    }
    assert_true(returned_at > 0 && steps - returned_at >= LEASE_MS / STEP_MS);
    assert_int_equal(atomic_load(&matured_total), 4);
    int sweeps = atomic_load(&sweeps_total);
    assert_int_equal(sweeps, 2); /* one that expires, one that matures */
    for (int i = 0; i < 400; i++) {
        step();
    }
    assert_int_equal(atomic_load(&sweeps_total), sweeps);
    place(&sale_id, 4, 'b');
    assert_true(fake_database_is_sound(&database.sales[0]));
}

/* Of two units that came one after the other while nothing remained the second is not sold with the
 * first: an edge may count on an entry that is younger than the first one's return. */
static void sweeper_unit_that_came_later_waits_for_its_own_lease(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(2);
    struct sale *sale = &database.sales[0].sale;
    int64_t came_ns = 0;

    start_workers();
    place(&sale_id, 1, 'a');
    atomic_fetch_add(&database.clock_us, 300 * 1000);
    place(&sale_id, 1, 'b');
    atomic_fetch_add(&database.clock_us, HOLD_S * INT64_C(1000000) - 300 * 1000);
    while (sale->stock_remaining == 0) {
        step();
        if (came_ns == 0 && sale->stock_returning == 2) {
            came_ns = atomic_load(&database.now_ns);
        }
    }
    assert_true(came_ns > 0);
    assert_int_equal(sale->stock_remaining, 1);
    while (sale->stock_remaining < 2) {
        step();
    }
    assert_true(atomic_load(&database.now_ns) - came_ns >= LEASE_MS * CLOCK_NS_PER_MS);
}

/* What an answer tells may have been committed just before it came, and an edge may have read as
 * late as that that nothing was returning: the lease counts from the answer. */
static void sweeper_slow_answer_counts_from_its_arrival(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(2);
    struct sale *sale = &database.sales[0].sale;

    start_workers();
    place(&sale_id, 2, 'a');
    run_holds_out();
    while (sale->stock_returning == 0) {
        step();
    }
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_READ,
                                              .result = STORE_OK,
                                              .elapsed_ns = LEASE_MS / 2 * CLOCK_NS_PER_MS});
    while (database.steps_done == 0) {
        step();
    }
    int64_t read_ns = atomic_load(&database.now_ns);
    while (sale->stock_remaining == 0) {
        step();
    }
    assert_true(atomic_load(&database.now_ns) - read_ns >= LEASE_MS * CLOCK_NS_PER_MS);
}

/* Units that come back one after the other each have their own lease: the later ones wait for
 * theirs, and none waits for the next lease to begin. */
static void sweeper_units_that_come_one_by_one_mature_one_by_one(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(6);
    struct sale *sale = &database.sales[0].sale;
    int64_t came_ns[6] = {0};
    int32_t came = 0, sold = 0;

    start_workers();
    for (char i = 0; i < 6; i++) {
        place(&sale_id, 1, (char)('a' + i));
        atomic_fetch_add(&database.clock_us, 200 * 1000);
    }
    atomic_fetch_add(&database.clock_us, HOLD_S * INT64_C(1000000) - 6 * 200 * 1000);
    while (sold < 6) {
        step();
        int64_t now = atomic_load(&database.now_ns);
        for (; came < sale->stock_remaining + sale->stock_returning; came++) {
            came_ns[came] = now;
        }
        for (; sold < sale->stock_remaining; sold++) {
            if (sold == 0) { /* later ones go straight back while some remain */
                assert_true(now - came_ns[sold] >= LEASE_MS * CLOCK_NS_PER_MS);
            }
            assert_true(now - came_ns[sold] <= (LEASE_MS + 2 * INTERVAL_MS) * CLOCK_NS_PER_MS);
        }
    }
    assert_true(fake_database_is_sound(&database.sales[0]));
}

/* A discovery that fails, or that finds nobody to answer it, is only late. */
static void sweeper_failed_discovery_is_repeated(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(10);
    int64_t now = atomic_load(&database.now_ns);

    assert_true(sweeper_tick(sweeper, now) > now); /* refused: nobody is connected */
    start_workers();
    place(&sale_id, 3, 'a');
    run_holds_out();
    fake_database_add_step(&database, (struct fake_step){.where = FAKE_READ, .result = STORE_BUSY});
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_READ, .result = STORE_UNAVAILABLE});
    for (int i = 0; i < 1000 / STEP_MS; i++) {
        step();
    }
    assert_int_equal(database.steps_done, 2);
    assert_int_equal(database.sales[0].sale.stock_remaining, 10);
}

/* A sweep that came to nothing is wished for again: returned units are not forgotten. */
static void sweeper_failed_maturing_is_repeated(void **state)
{
    (void)state;
    struct uuid sale_id = add_sale(2);
    struct sale *sale = &database.sales[0].sale;
    int steps = 0;

    start_workers();
    place(&sale_id, 2, 'a');
    run_holds_out();
    while (sale->stock_returning == 0) {
        step();
    }
    fake_database_add_step(&database,
                           (struct fake_step){.where = FAKE_LOAD_CHANGE, .result = STORE_BUSY});
    while (sale->stock_remaining < 2) {
        step();
        assert_true(++steps <= 3000 / STEP_MS);
    }
    assert_true(steps >= LEASE_MS / STEP_MS);
    assert_int_equal(database.steps_done, 1);
}

/* The janitor sleeps until the next thing is due, and not longer. */
static void sweeper_tick_says_when_the_next_is_due(void **state)
{
    (void)state;
    start_workers();
    int64_t due = step();
    int64_t now = atomic_load(&database.now_ns);
    assert_int_equal(due, now + INTERVAL_MS * CLOCK_NS_PER_MS);
    sweeper_hurry(sweeper);
    assert_int_equal(sweeper_tick(sweeper, now), now + INTERVAL_MS * CLOCK_NS_PER_MS / 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(sweeper_hold_runs_out_units_are_sold_again),
        TEST(sweeper_sold_out_units_mature_after_the_lease),
        TEST(sweeper_unit_that_came_later_waits_for_its_own_lease),
        TEST(sweeper_slow_answer_counts_from_its_arrival),
        TEST(sweeper_units_that_come_one_by_one_mature_one_by_one),
        TEST(sweeper_failed_discovery_is_repeated),
        TEST(sweeper_failed_maturing_is_repeated),
        TEST(sweeper_tick_says_when_the_next_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
