/*
 * Our own SQL batch without the services: orders per second of place_orders on one connection, for
 * several batch sizes, against the database of DATABASE_URL. Distinct customers and keys, one hot
 * sale per size.
 *
 *     DATABASE_URL=... store_bench [seconds per size] [per-customer limit] [batch size]
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/order_id.h"
#include "orders/adapters/postgres/store_postgres.h"
#include "orders/logic/create_sale.h"
#include "orders/logic/place_orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define STOCK 10000000

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static uint64_t wall_ms(void *data)
{
    (void)data;
    return (uint64_t)(clock_wall_us() / 1000);
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    CHECK(getrandom(bytes, count, 0) == (ssize_t)count);
}

static void sleep_ns(void *data, int64_t duration_ns)
{
    const struct timespec duration = {.tv_sec = (time_t)(duration_ns / CLOCK_NS_PER_SECOND),
                                      .tv_nsec = (long)(duration_ns % CLOCK_NS_PER_SECOND)};
    (void)data;
    nanosleep(&duration, NULL);
}

static const struct system_port system_port = {.monotonic_ns = monotonic_ns,
                                               .sleep_ns = sleep_ns,
                                               .wall_ms = wall_ms,
                                               .random_bytes = random_bytes};

static void on_error(void *data, const char *kind, const char *sqlstate, const char *message)
{
    (void)data;
    fprintf(stderr, "database: %s %s %s\n", kind, sqlstate, message);
}

static void on_connected(void *data)
{
    (void)data;
}

static struct uuid make_sale(const struct store *store, int32_t limit, struct arena *arena)
{
    char key[64];
    struct create_sale means = {
        .store = store, .system = &system_port, .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND};
    struct violations violations;
    struct store_sale sale;

    snprintf(key, sizeof(key), "bench-%lld", (long long)clock_monotonic_ns());
    struct create_sale_request request = {
        .key = key,
        .key_length = strlen(key),
        .draft = {.sku = "bench",
                  .title = "Bench",
                  .unit_price = {"EUR", 100},
                  .end_us = clock_wall_us() + INT64_C(86400000000),
                  .stock_total = STOCK,
                  .per_customer_limit = limit},
    };
    enum verdict verdict =
        create_sale_run(&means, &request, clock_deadline_in_ms(5000), arena, &sale, &violations);
    CHECK(verdict == VERDICT_PLACED);
    return sale.sale.sale_id;
}

struct batch {
    struct place_orders_item items[PLACEMENT_BATCH_MAX];
    struct place_orders_item *pointers[PLACEMENT_BATCH_MAX];
    char names[PLACEMENT_BATCH_MAX][32];
};

static void fill(struct batch *batch, const struct uuid *sale_id, size_t count, uint64_t *serial)
{
    for (size_t i = 0; i < count; i++) {
        struct place_orders_item *item = &batch->items[i];
        char *name = batch->names[i];
        int length =
            snprintf(name, sizeof(batch->names[i]), "c-%llu", (unsigned long long)(*serial)++);
        item->in.order_id = order_id_of(sale_id, name, (size_t)length, name, (size_t)length);
        item->in.customer_id = name;
        item->in.customer_length = (size_t)length;
        item->in.quantity = 1;
        item->deadline_ns = CLOCK_DEADLINE_NEVER;
        item->attempts_end_ns = CLOCK_DEADLINE_NEVER;
        batch->pointers[i] = item;
    }
}

static void measure(const struct store *store, size_t size, int seconds, int32_t limit)
{
    static struct batch batch;
    struct batch_means means = {.store = store,
                                .system = &system_port,
                                .transaction_ns_max = 2 * CLOCK_NS_PER_SECOND,
                                .decision_ns_max = 5 * CLOCK_NS_PER_SECOND};
    struct arena arena;
    uint64_t serial = 0, batches = 0, placed = 0;

    arena_init(&arena, 1 << 18, 1 << 23);
    struct uuid sale_id = make_sale(store, limit, &arena);
    int64_t begun_ns = clock_monotonic_ns();
    int64_t end_ns = begun_ns + seconds * CLOCK_NS_PER_SECOND;
    while (clock_monotonic_ns() < end_ns && placed + size <= STOCK) {
        fill(&batch, &sale_id, size, &serial);
        place_orders_run(&means, &sale_id, batch.pointers, size, &arena);
        for (size_t i = 0; i < size; i++) {
            placed += batch.items[i].verdict == VERDICT_PLACED;
        }
        batches++;
    }
    double elapsed = (double)(clock_monotonic_ns() - begun_ns) / 1e9;
    printf("batch=%zu limit=%d orders_per_s=%.0f ms_per_batch=%.3f placed=%llu\n", size, limit,
           (double)placed / elapsed, elapsed * 1000 / (double)batches, (unsigned long long)placed);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1, 10, 100, 200, 500};
    int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
    int32_t limit = argc > 2 ? (int32_t)strtol(argv[2], NULL, 10) : 0;
    size_t only = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    struct store store;
    struct store_postgres_config config = {
        .conninfo = getenv("DATABASE_URL"),
        .application_name = "store_bench",
        .lock_timeout_ms = 1000,
        .statement_timeout_ms = 1500,
        .idle_in_transaction_timeout_ms = 1000,
        .tcp_user_timeout_ms = 2000,
        .system = &system_port,
        .observer = {.on_error = on_error, .on_connected = on_connected},
    };

    if (config.conninfo == NULL) {
        fprintf(stderr, "store_bench: set DATABASE_URL\n");
        return 2;
    }
    if (store_postgres_create(&config, &store) < 0 ||
        !store.wait_connected(store.data, clock_deadline_in_ms(5000))) {
        fprintf(stderr, "store_bench: no connection\n");
        return 1;
    }
    if (only > PLACEMENT_BATCH_MAX) {
        fprintf(stderr, "store_bench: a batch has at most %d orders\n", PLACEMENT_BATCH_MAX);
        return 2;
    }
    if (only > 0) {
        measure(&store, only, seconds, limit);
    }
    for (size_t i = 0; only == 0 && i < COUNT_OF(sizes); i++) {
        measure(&store, sizes[i], seconds, limit);
    }
    store_postgres_destroy(&store);
    return 0;
}
