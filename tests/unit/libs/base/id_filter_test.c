#include "base/id_filter.h"
#include "base/order_id.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROBES 200000

/* The id of the number-th order of a test's sale. */
static struct uuid id_at(uint64_t number)
{
    static const struct uuid sale = {{1}};
    char key[32];
    int length = snprintf(key, sizeof(key), "%llu", (unsigned long long)number);
    return order_id_of(&sale, "customer", 8, key, (size_t)length);
}

static struct id_filter filter_of(struct id_filter_shape shape, uint64_t from, uint64_t count)
{
    struct id_filter filter;
    assert_int_equal(id_filter_init(&filter, shape), 0);
    for (uint64_t i = 0; i < count; i++) {
        struct uuid id = id_at(from + i);
        id_filter_add(&filter, &id);
    }
    return filter;
}

static uint64_t maybes(const struct id_filter *filter, uint64_t from, uint64_t count)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct uuid id = id_at(from + i);
        found += id_filter_may_contain(filter, &id) ? 1 : 0;
    }
    return found;
}

/* What the wire says (FilterChunk in sales.proto), done with 128-bit numbers. */
static size_t bit_by_the_contract(const struct uuid *id, unsigned i, size_t total)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t a = 0, b = 0;
    for (size_t byte = 0; byte < 8; byte++) {
        a = a * 256 + id->bytes[byte];
        b = b * 256 + id->bytes[8 + byte];
    }
    uint64_t position = a + i * (4 * b + 1);
    return (size_t)((wide)position * (wide)(8 * total) >> 64);
}

/* An order that exists must never be refused: no filter of any size denies what was added. */
static void id_filter_add_any_shape_contains_every_id(void **state)
{
    static const uint64_t counts[] = {1, 2, 1000, 1024, 1025, 5000, 30000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct id_filter filter = filter_of(id_filter_shape_for(counts[i]), 0, counts[i]);
        assert_int_equal(maybes(&filter, 0, counts[i]), counts[i]);
        id_filter_fini(&filter);
    }
}

/* Nor does one that is overfull, nor one whose ids are anything but hashes. */
static void id_filter_add_too_much_and_odd_ids_contains_every_id(void **state)
{
    struct id_filter filter = filter_of(id_filter_shape_for(0), 0, 50000);
    struct uuid odd[3] = {0};
    (void)state;
    memset(odd[1].bytes, 0xff, UUID_BYTES);
    odd[2].bytes[UUID_BYTES - 1] = 1;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        id_filter_add(&filter, &odd[i]);
    }
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        assert_true(id_filter_may_contain(&filter, &odd[i]));
    }
    assert_int_equal(maybes(&filter, 0, 50000), 50000);
    id_filter_fini(&filter);
}

/* An edge of another release reads these bits: where they lie is the contract's, not the code's. */
static void id_filter_add_one_id_sets_the_bits_of_the_contract(void **state)
{
    static const uint64_t sizes[] = {1, 4097, 1000000, ID_FILTER_IDS_MAX};
    (void)state;
    for (size_t size = 0; size < COUNT_OF(sizes); size++) {
        struct id_filter_shape shape = id_filter_shape_for(sizes[size]);
        struct id_filter filter, expected;
        struct uuid id = id_at(size);
        assert_int_equal(id_filter_init(&filter, shape), 0);
        assert_int_equal(id_filter_init(&expected, shape), 0);
        id_filter_add(&filter, &id);
        for (unsigned i = 0; i < shape.hashes; i++) {
            size_t bit = bit_by_the_contract(&id, i, shape.bytes);
            expected.bytes[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
        assert_memory_equal(filter.bytes, expected.bytes, shape.bytes);
        id_filter_fini(&filter);
        id_filter_fini(&expected);
    }
}

/* The board's load on the orders service is what the filter cannot refuse: at most one in a hundred
 * at a full bucket, where 0.82 % is expected. */
static void id_filter_may_contain_full_bucket_is_below_one_percent(void **state)
{
    static const uint64_t counts[] = {1024, 1280, 7168, 131072};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        assert_int_equal(id_filter_bucket(counts[i]), counts[i]);
        struct id_filter filter = filter_of(id_filter_shape_for(counts[i]), 0, counts[i]);
        uint64_t found = maybes(&filter, UINT64_C(1) << 40, PROBES);
        assert_in_range(found, PROBES / 250, PROBES / 100);
        id_filter_fini(&filter);
    }
}

/* Two replicas, one of which added the later orders to the filter it had, hold the same bytes: an
 * edge may take chunks from both. */
static void id_filter_add_in_parts_is_the_same_bytes(void **state)
{
    struct id_filter_shape shape = id_filter_shape_for(5000);
    struct id_filter whole = filter_of(shape, 0, 5000), part = filter_of(shape, 3000, 2000), copy;
    (void)state;
    for (uint64_t i = 3000; i > 0; i--) {
        struct uuid id = id_at(i - 1);
        id_filter_add(&part, &id);
    }
    assert_memory_equal(whole.bytes, part.bytes, shape.bytes);
    assert_int_equal(id_filter_init_copy(&copy, &part), 0);
    assert_memory_equal(copy.bytes, part.bytes, shape.bytes);
    id_filter_fini(&whole);
    id_filter_fini(&part);
    id_filter_fini(&copy);
}

/* A bucket has room for its ids, wastes a quarter at most, and all its sizes have one shape. */
static void id_filter_bucket_any_count_is_close_and_stable(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (uint64_t ids = 0; ids <= ID_FILTER_IDS_MAX; ids += 1 + ids / 300) {
        uint64_t bucket = id_filter_bucket(ids);
        struct id_filter_shape shape = id_filter_shape_for(ids), read;
        assert_true(bucket >= ids && bucket >= last && bucket >= 1024);
        assert_true(bucket == 1024 || bucket * 4 <= ids * 5 + 5);
        assert_int_equal(id_filter_bucket(bucket), bucket);
        assert_true(id_filter_shape_equal(shape, id_filter_shape_for(bucket)));
        assert_true(id_filter_shape_read((int64_t)shape.bytes, shape.hashes, &read));
        assert_true(id_filter_shape_equal(shape, read));
        last = bucket;
    }
    assert_int_equal(id_filter_bucket(ID_FILTER_IDS_MAX), ID_FILTER_IDS_MAX);
}

/* A peer that says nonsense makes no filter: neither a huge one nor one without bits. */
static void id_filter_shape_read_out_of_bounds_is_refused(void **state)
{
    static const struct {
        int64_t total, hashes;
    } bad[] = {
        {0, 7},
        {-8, 7},
        {1272, 7},
        {1281, 7},
        {1284, 7},
        {(int64_t)ID_FILTER_BYTES_MAX + 8, 7},
        {INT64_MAX, 7},
        {INT64_MIN, 7},
        {1280, 0},
        {1280, -1},
        {1280, 17},
        {1280, INT64_MAX},
        {1280, INT32_MIN},
    };
    struct id_filter_shape shape = {.bytes = 1};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(id_filter_shape_read(bad[i].total, bad[i].hashes, &shape));
        assert_int_equal(shape.bytes, 1);
    }
    assert_true(id_filter_shape_read(1280, 16, &shape));
    assert_true(id_filter_shape_read((int64_t)ID_FILTER_BYTES_MAX, 1, &shape));
}

/* A chunk that does not lie inside the filter touches nothing, whatever the peer's arithmetic. */
static void id_filter_write_outside_is_refused(void **state)
{
    static const uint8_t data[64] = {0xff};
    struct id_filter filter;
    (void)state;
    assert_int_equal(id_filter_init(&filter, id_filter_shape_for(1)), 0);
    const int64_t end = (int64_t)filter.shape.bytes;
    assert_false(id_filter_write(&filter, -1, data, 1));
    assert_false(id_filter_write(&filter, INT64_MIN, data, 1));
    assert_false(id_filter_write(&filter, INT64_MAX, data, 1));
    assert_false(id_filter_write(&filter, end, data, 1));
    assert_false(id_filter_write(&filter, end - 63, data, 64));
    assert_false(id_filter_write(&filter, end + 1, data, 0));
    assert_false(id_filter_write(&filter, 1, data, SIZE_MAX));
    assert_int_equal(maybes(&filter, 0, 1000), 0);
    assert_true(id_filter_write(&filter, end, NULL, 0));
    assert_true(id_filter_write(&filter, end - 64, data, 64));
    assert_int_equal(filter.bytes[end - 64], 0xff);
    id_filter_fini(&filter);
}

/* A filter that travelled in chunks of any size says what the original says. */
static void id_filter_write_chunks_in_turn_is_the_original(void **state)
{
    struct id_filter from = filter_of(id_filter_shape_for(3000), 0, 3000), to;
    size_t chunk = 1;
    (void)state;
    assert_int_equal(id_filter_init(&to, from.shape), 0);
    for (size_t at = 0; at < from.shape.bytes; at += chunk, chunk += 7) {
        size_t length = from.shape.bytes - at < chunk ? from.shape.bytes - at : chunk;
        assert_true(id_filter_write(&to, (int64_t)at, from.bytes + at, length));
    }
    assert_memory_equal(from.bytes, to.bytes, from.shape.bytes);
    id_filter_fini(&from);
    id_filter_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_filter_add_any_shape_contains_every_id),
        cmocka_unit_test(id_filter_add_too_much_and_odd_ids_contains_every_id),
        cmocka_unit_test(id_filter_add_one_id_sets_the_bits_of_the_contract),
        cmocka_unit_test(id_filter_may_contain_full_bucket_is_below_one_percent),
        cmocka_unit_test(id_filter_add_in_parts_is_the_same_bytes),
        cmocka_unit_test(id_filter_bucket_any_count_is_close_and_stable),
        cmocka_unit_test(id_filter_shape_read_out_of_bounds_is_refused),
        cmocka_unit_test(id_filter_write_outside_is_refused),
        cmocka_unit_test(id_filter_write_chunks_in_turn_is_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
