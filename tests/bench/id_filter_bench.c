/*
 * What a filter of order ids costs: its size, how many ids that are not in it look as if they were,
 * and how long adding and asking take.
 *
 *     build/bench/id_filter_bench [IDS ...]      (1000, 100000 and 5000000 unless told)
 *
 * Ids are real ones, of a sale's customers and keys; making one (SHA-256) is not timed. Ids that
 * are asked for are in the filter ("in") or of other orders of the same sale ("not in").
 */
#include "base/clock.h"
#include "base/id_filter.h"
#include "base/order_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBES    2000000
#define NOT_ADDED (UINT64_C(1) << 40)

static struct uuid id_at(uint64_t number)
{
    static const struct uuid sale = {{1}};
    char key[32];
    int length = snprintf(key, sizeof(key), "key-%" PRIu64, number);
    return order_id_of(&sale, "customer", 8, key, (size_t)length);
}

static struct uuid *make_ids(uint64_t from, size_t count)
{
    struct uuid *ids = malloc(count * sizeof(*ids));
    CHECK(ids != NULL);
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_at(from + i);
    }
    return ids;
}

/* How many of count ids may be in the filter, and how long asking took. */
static size_t ask(const struct id_filter *filter, const struct uuid *ids, size_t count,
                  double *ret_ns_each)
{
    size_t maybes = 0;
    int64_t begun_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        maybes += id_filter_may_contain(filter, &ids[i]) ? 1 : 0;
    }
    *ret_ns_each = (double)(clock_monotonic_ns() - begun_ns) / (double)count;
    return maybes;
}

static void measure(size_t count)
{
    struct uuid *ids = make_ids(0, count), *others = make_ids(NOT_ADDED, PROBES);
    struct id_filter filter;
    double in_ns, not_in_ns;

    CHECK(id_filter_init(&filter, id_filter_shape_for(count)) == 0);
    int64_t begun_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        id_filter_add(&filter, &ids[i]);
    }
    double build_ms = (double)(clock_monotonic_ns() - begun_ns) / (double)CLOCK_NS_PER_MS;
    CHECK(ask(&filter, ids, count, &in_ns) == count);
    size_t maybes = ask(&filter, others, PROBES, &not_in_ns);
    printf("%10zu %10" PRIu64 " %10zu %7.2f %8.4f %10.2f %8.1f %10.1f\n", count,
           id_filter_bucket(count), filter.shape.bytes,
           8.0 * (double)filter.shape.bytes / (double)count, 100.0 * (double)maybes / PROBES,
           build_ms, in_ns, not_in_ns);
    id_filter_fini(&filter);
    free(ids);
    free(others);
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {1000, 100000, 5000000};
    printf("%10s %10s %10s %7s %8s %10s %8s %10s\n", "ids", "bucket", "bytes", "bits/id", "false %",
           "adding ms", "in ns", "not in ns");
    for (size_t i = 0; argc <= 1 && i < COUNT_OF(usual); i++) {
        measure(usual[i]);
    }
    for (int i = 1; i < argc; i++) {
        uint64_t count = strtoull(argv[i], NULL, 10);
        if (count == 0 || count > ID_FILTER_IDS_MAX) {
            fprintf(stderr, "%s is not a number of ids from 1 to %" PRIu64 "\n", argv[i],
                    ID_FILTER_IDS_MAX);
            return 2;
        }
        measure((size_t)count);
    }
    return 0;
}
