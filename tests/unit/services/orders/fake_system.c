#include "fake_system.h"

static int64_t monotonic_ns(void *data)
{
    return atomic_load(&((struct fake_database *)data)->now_ns);
}

static void sleep_ns(void *data, int64_t duration_ns)
{
    struct fake_database *database = data;
    atomic_fetch_add(&database->sleep_count, 1);
    atomic_fetch_add(&database->now_ns, duration_ns);
}

static uint64_t wall_ms(void *data)
{
    (void)data;
    return 0;
}

static void random_bytes(void *data, uint8_t *bytes, size_t count)
{
    static atomic_uchar next;
    (void)data;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = atomic_fetch_add(&next, 1);
    }
}

struct system_port fake_system_of(struct fake_database *database)
{
    return (struct system_port){.data = database,
                                .monotonic_ns = monotonic_ns,
                                .sleep_ns = sleep_ns,
                                .wall_ms = wall_ms,
                                .random_bytes = random_bytes};
}
