/* Workers on threads of their own, on lanes with a crowd. */
#include "orders/lanes/workers.h"

#include "../fake_store.h"
#include "base/clock.h"
#include "lanes_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

struct crowd {
    struct fake_connection connections[4];
    struct store stores[4];
    struct workers *workers;
    atomic_int losses;                   /* told of */
    struct lanes_stage_caller *in_doubt; /* NULL or whose answer must not have come at a loss */
    bool was_told_first;
};

static void ignore_batch(void *data, const struct lane_task *done, int64_t duration_ns)
{
    (void)data;
    (void)done;
    (void)duration_ns;
}

static void ignore_taken(void *data, const struct lane_task *taken)
{
    (void)data;
    (void)taken;
}

static void ignore_sweep(void *data, size_t expired, int32_t matured)
{
    (void)data;
    (void)expired;
    (void)matured;
}

static void count_losses(void *data, size_t worker, bool connected)
{
    struct crowd *crowd = data;
    (void)worker;
    if (!connected && crowd->in_doubt != NULL) {
        struct lanes_stats stats = lanes_stats(lanes_stage.lanes);
        crowd->was_told_first = atomic_load(&crowd->in_doubt->answered) == 0 &&
                                !stats.orders_served && stats.orders_deciding > 0;
        crowd->in_doubt = NULL;
    }
    atomic_fetch_add(&crowd->losses, !connected);
}

static void start_workers(struct crowd *crowd, size_t count)
{
    atomic_init(&crowd->losses, 0);
    crowd->in_doubt = NULL;
    crowd->was_told_first = false;
    for (size_t i = 0; i < count; i++) {
        crowd->stores[i] = fake_store_of(&crowd->connections[i], &lanes_stage.database);
    }
    struct workers_config config = {
        .lanes = lanes_stage.lanes,
        .system = &lanes_stage.system,
        .stores = crowd->stores,
        .count = count,
        .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND,
        .decision_ns_max = 5 * CLOCK_NS_PER_SECOND,
        .observer = {.data = crowd,
                     .on_taken = ignore_taken,
                     .on_batch = ignore_batch,
                     .on_settled = ignore_batch,
                     .on_swept = ignore_sweep,
                     .on_connection = count_losses},
    };
    assert_int_equal(workers_start(&config, &crowd->workers), 0);
    while (lanes_stats(lanes_stage.lanes).workers < count) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

static void stop_workers(struct crowd *crowd)
{
    lanes_stop(lanes_stage.lanes);
    workers_join(crowd->workers);
}

struct shopper {
    pthread_t thread;
    struct uuid sale_id;
    int number;
    int placed;
};

static void *shop(void *data)
{
    struct shopper *shopper = data;
    static __thread struct lanes_stage_caller caller;
    for (int i = 0; i < 100; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "s%d-%d-", shopper->number, i);
        lanes_stage_submit(&caller, &shopper->sale_id, 4, prefix);
        lanes_stage_wait_answered(&caller);
        for (size_t k = 0; k < 4; k++) {
            shopper->placed += caller.orders[k].item.verdict == VERDICT_PLACED;
        }
    }
    return NULL;
}

static void crowd_buys(size_t worker_count)
{
    struct shopper shoppers[6];
    struct crowd crowd;
    int placed[2] = {0, 0};
    struct uuid ids[2];

    lanes_stage_make(1000, 4);
    ids[0] = fake_database_add_sale(&lanes_stage.database, 700, 0);
    ids[1] = fake_database_add_sale(&lanes_stage.database, 300, 0);
    start_workers(&crowd, worker_count);
    for (int i = 0; i < 6; i++) {
        shoppers[i] = (struct shopper){.sale_id = ids[i % 2], .number = i};
        assert_int_equal(pthread_create(&shoppers[i].thread, NULL, shop, &shoppers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(shoppers[i].thread, NULL);
        placed[i % 2] += shoppers[i].placed;
    }
    stop_workers(&crowd);
    assert_int_equal(placed[0], 700);
    assert_int_equal(placed[1], 300);
    assert_int_equal(lanes_stage.database.sales[0].order_count, 700);
    assert_int_equal(lanes_stage.database.sales[0].sale.stock_remaining, 0);
}

/* Several workers on several sales sell exactly the stock. */
static void workers_crowd_on_two_sales_sells_exactly_the_stock(void **state)
{
    (void)state;
    crowd_buys(4);
}

/* One connection serves orders, reads and the lobby in turns (CORRECTNESS D3). */
static void workers_single_connection_takes_turns(void **state)
{
    (void)state;
    crowd_buys(1);
}

/* A connection that is lost comes back, and what is asked then is served. */
static void workers_lost_connection_comes_back(void **state)
{
    (void)state;
    struct lanes_stage_caller caller;
    struct crowd crowd;
    lanes_stage_make(1000, 4);
    struct uuid sale_id = fake_database_add_sale(&lanes_stage.database, 10, 0);
    start_workers(&crowd, 2);
    atomic_store(&lanes_stage.database.is_down, true);
    lanes_stage_submit(&caller, &sale_id, 2, "a");
    lanes_stage_wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_DATABASE_UNAVAILABLE);
    atomic_store(&lanes_stage.database.is_down, false);
    while (lanes_stats(lanes_stage.lanes).workers < 2) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    lanes_stage_submit(&caller, &sale_id, 2, "a");
    lanes_stage_wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_PLACED);
    stop_workers(&crowd);
}

/*
 * The database goes away with a COMMIT in flight, and the worker asks for seconds what became of
 * it: whoever comes meanwhile is refused at once, and readiness ends, long before that is known.
 */
static void workers_in_doubt_take_no_part_while_the_database_is_away(void **state)
{
    (void)state;
    static struct lanes_stage_caller caller;
    struct crowd crowd;
    lanes_stage_make(1000, 4);
    struct uuid sale_id = fake_database_add_sale(&lanes_stage.database, 10, 0);
    start_workers(&crowd, 1);
    fake_database_add_step(&lanes_stage.database, (struct fake_step){.where = FAKE_STORE,
                                                                     .result = STORE_UNKNOWN,
                                                                     .committed = true,
                                                                     .goes_down = true});
    crowd.in_doubt = &caller;
    lanes_stage_submit(&caller, &sale_id, 2, "a");
    lanes_stage_wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_OUTCOME_UNKNOWN);
    assert_true(crowd.was_told_first);
    assert_int_equal(atomic_load(&crowd.losses), 1);
    atomic_store(&lanes_stage.database.is_down, false);
    while (lanes_stats(lanes_stage.lanes).workers < 1) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    lanes_stage_submit(&caller, &sale_id, 2, "a");
    lanes_stage_wait_answered(&caller);
    assert_int_equal(caller.orders[0].item.verdict, VERDICT_REPLAYED);
    stop_workers(&crowd);
}

static void lose_connection(struct lane_job *job, const struct store *store, struct arena *arena)
{
    ((struct fake_connection *)store->data)->is_lost = true;
    lanes_stage_run_job(job, store, arena);
}

/*
 * A connection that is back at once was never gone: nothing that waits is refused for it, and
 * nobody hears that the program has stopped serving.
 */
static void workers_quick_reconnection_refuses_nothing(void **state)
{
    (void)state;
    struct lanes_stage_caller caller;
    struct crowd crowd;
    lanes_stage_make(1000, 4);
    struct uuid sale_id = fake_database_add_sale(&lanes_stage.database, 1000, 0);
    start_workers(&crowd, 1);
    for (int i = 0; i < 50; i++) {
        struct lanes_stage_job job = {.job = {.deadline_ns = CLOCK_DEADLINE_NEVER,
                                              .run = lose_connection,
                                              .refuse = lanes_stage_refuse_job}};
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "q%d-", i);
        lanes_submit_job(lanes_stage.lanes, &job.job);
        lanes_stage_submit(&caller, &sale_id, 4, prefix);
        lanes_stage_wait_answered(&caller);
        assert_int_equal(caller.orders[3].item.verdict, VERDICT_PLACED);
        while (atomic_load(&job.run) == 0) {
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
    }
    assert_int_equal(atomic_load(&crowd.losses), 0);
    assert_true(lanes_stats(lanes_stage.lanes).orders_served);
    stop_workers(&crowd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lanes_stage_set_up, lanes_stage_tear_down)
        TEST(workers_crowd_on_two_sales_sells_exactly_the_stock),
        TEST(workers_single_connection_takes_turns),
        TEST(workers_lost_connection_comes_back),
        TEST(workers_quick_reconnection_refuses_nothing),
        TEST(workers_in_doubt_take_no_part_while_the_database_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
