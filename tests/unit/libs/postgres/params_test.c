#include "postgres/params.h"

#include "base/arena.h"
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ARENA_BYTES 4096

static struct arena arena;
static struct params params;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES, ARENA_BYTES);
    params_init(&params, &arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* Compares parameter number index with the bytes that PostgreSQL's ..._recv functions expect. */
static void assert_wire(size_t index, enum sql_type type, const void *bytes, size_t length)
{
    assert_false(params_failed(&params));
    assert_true(index < params._count);
    assert_int_equal(params._types[index], type);
    assert_int_equal(params._lengths[index], length);
    assert_non_null(params._values[index]);
    assert_memory_equal(params._values[index], bytes, length);
}

#define ASSERT_WIRE(index, type, literal) assert_wire(index, type, literal, sizeof(literal) - 1)

/* The wire is big-endian and two's complement, whatever this machine is. */
static void params_scalars_are_big_endian(void **state)
{
    struct uuid uuid;
    (void)state;

    assert_true(uuid_parse("018f4e5c-9a3b-7c2d-8e1f-0123456789ab", UUID_TEXT_CHARS, &uuid));
    params_add_bool(&params, true);
    params_add_bool(&params, false);
    params_add_int2(&params, -2);
    params_add_int4(&params, 0x01020304);
    params_add_int8(&params, INT64_MIN);
    params_add_uuid(&params, &uuid);
    params_add_timestamptz(&params, INT64_C(946684800000001));
    params_add_text(&params, "abc", 2);
    params_add_text(&params, "", 0);
    params_add_bytea(&params, "\0\xff", 2);
    params_add_enum(&params, "RESERVED");
    ASSERT_WIRE(0, SQL_TYPE_BOOL, "\1");
    ASSERT_WIRE(1, SQL_TYPE_BOOL, "\0");
    ASSERT_WIRE(2, SQL_TYPE_INT2, "\xff\xfe");
    ASSERT_WIRE(3, SQL_TYPE_INT4, "\1\2\3\4");
    ASSERT_WIRE(4, SQL_TYPE_INT8, "\x80\0\0\0\0\0\0\0");
    ASSERT_WIRE(5, SQL_TYPE_UUID,
                "\x01\x8f\x4e\x5c\x9a\x3b\x7c\x2d\x8e\x1f\x01\x23\x45\x67\x89\xab");
    ASSERT_WIRE(6, SQL_TYPE_TIMESTAMPTZ, "\0\0\0\0\0\0\0\1");
    ASSERT_WIRE(7, SQL_TYPE_TEXT, "ab");
    ASSERT_WIRE(8, SQL_TYPE_TEXT, "");
    ASSERT_WIRE(9, SQL_TYPE_BYTEA, "\0\xff");
    ASSERT_WIRE(10, SQL_TYPE_ENUM, "RESERVED");
}

/* NULL is another thing than empty. */
static void params_null_has_no_value(void **state)
{
    (void)state;
    params_add_null(&params, SQL_TYPE_INT8);
    params_add_text(&params, NULL, 0);
    params_add_bytea(&params, NULL, 5);
    for (size_t i = 0; i < 3; i++) {
        assert_null(params._values[i]);
    }
    assert_false(params_failed(&params));
}

/* array_recv: dimensions, has-null flag, element type, then length, lower bound and elements. */
static void params_arrays_have_array_recvs_form(void **state)
{
    const int32_t numbers[] = {7, -1};
    const struct sql_text texts[] = {{"ab", 2}, {NULL, 0}, {"", 0}};
    const int16_t shorts[] = {258};
    const int64_t times[] = {INT64_C(946684800000002)};
    (void)state;

    params_add_int4_array(&params, numbers, 2);
    params_add_text_array(&params, texts, 3);
    params_add_int2_array(&params, shorts, 1);
    params_add_timestamptz_array(&params, times, 1);
    ASSERT_WIRE(0, SQL_TYPE_INT4_ARRAY,
                "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1"
                "\0\0\0\4\0\0\0\7\0\0\0\4\xff\xff\xff\xff");
    ASSERT_WIRE(1, SQL_TYPE_TEXT_ARRAY,
                "\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1"
                "\0\0\0\2"
                "ab\xff\xff\xff\xff\0\0\0\0");
    ASSERT_WIRE(2, SQL_TYPE_INT2_ARRAY,
                "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\1\0\0\0\1"
                "\0\0\0\2\1\2");
    ASSERT_WIRE(3, SQL_TYPE_TIMESTAMPTZ_ARRAY,
                "\0\0\0\1\0\0\0\0\0\0\4\xa0\0\0\0\1\0\0\0\1"
                "\0\0\0\x08\0\0\0\0\0\0\0\2");
}

/* An array of none has no dimension at all; a dimension of length 0 would be refused. */
static void params_empty_arrays_have_no_dimension(void **state)
{
    (void)state;
    params_add_int8_array(&params, NULL, 0);
    params_add_uuid_array(&params, NULL, 0);
    params_add_text_array(&params, NULL, 0);
    ASSERT_WIRE(0, SQL_TYPE_INT8_ARRAY, "\0\0\0\0\0\0\0\0\0\0\0\x14");
    ASSERT_WIRE(1, SQL_TYPE_UUID_ARRAY, "\0\0\0\0\0\0\0\0\0\0\x0b\x86");
    ASSERT_WIRE(2, SQL_TYPE_TEXT_ARRAY, "\0\0\0\0\0\0\0\0\0\0\0\x19");
}

/* The arena's bound is the batch's bound: what does not fit is noticed once, at the end. */
static void params_beyond_the_arena_fail_for_good(void **state)
{
    static const int64_t numbers[ARENA_BYTES / 12];
    (void)state;

    params_add_int8_array(&params, numbers, COUNT_OF(numbers));
    assert_true(params_failed(&params));
    params_add_int4(&params, 1);
    assert_true(params_failed(&params));
    assert_int_equal(params._count, 2);
    params_init(&params, &arena);
    assert_false(params_failed(&params));
}

/* Counts beyond what a message can hold must not wrap to small ones. */
static void params_of_absurd_counts_fail(void **state)
{
    static const int64_t numbers[1];
    static const struct sql_text texts[] = {{"x", SIZE_MAX / 2}, {"y", SIZE_MAX / 2 + 2}};
    (void)state;

    params_add_int8_array(&params, numbers, SIZE_MAX / 8);
    assert_true(params_failed(&params));
    params_init(&params, &arena);
    params_add_int8_array(&params, numbers, (size_t)1 << 31);
    assert_true(params_failed(&params));
    params_init(&params, &arena);
    params_add_text_array(&params, texts, COUNT_OF(texts));
    assert_true(params_failed(&params));
    params_init(&params, &arena);
    params_add_text(&params, "x", (size_t)1 << 31);
    assert_true(params_failed(&params));
}

/* Wherever memory ends, a list is whole or failed: never short and silent. */
static void params_of_every_arena_bound_are_whole_or_failed(void **state)
{
    const int64_t numbers[] = {1, 2, 3};
    const struct sql_text texts[] = {{"ab", 2}, {NULL, 0}};
    unsigned whole = 0, failed = 0;
    (void)state;

    for (size_t bound = 16; bound <= 512; bound += 16) {
        struct arena small;
        arena_init(&small, 16, bound);
        params_init(&params, &small);
        params_add_int8(&params, 1);
        params_add_text(&params, "customer", 8);
        params_add_int8_array(&params, numbers, COUNT_OF(numbers));
        params_add_text_array(&params, texts, COUNT_OF(texts));
        assert_int_equal(params._count, 4);
        assert_int_equal(params_failed(&params), arena_overflowed(&small));
        for (size_t i = 0; !params_failed(&params) && i < params._count; i++) {
            assert_non_null(params._values[i]);
        }
        whole += !params_failed(&params);
        failed += params_failed(&params);
        arena_fini(&small);
    }
    assert_true(whole > 0 && failed > 0);
}

/* A time so early that PostgreSQL's epoch cannot express it is a failure, not another time. */
static void params_timestamptz_out_of_range_fails(void **state)
{
    const int64_t times[] = {INT64_MIN};
    (void)state;

    params_add_timestamptz(&params, INT64_MIN);
    assert_true(params_failed(&params));
    params_init(&params, &arena);
    params_add_timestamptz_array(&params, times, 1);
    assert_true(params_failed(&params));
}

/* A wrong parameter is a programmer's error that sessions assert against. */
static void params_match_compares_number_and_types(void **state)
{
    const struct statement none = {.name = "none"};
    const struct statement two = {
        .name = "two", .parameter_count = 2, .parameter_types = {SQL_TYPE_INT4, SQL_TYPE_TEXT}};
    (void)state;

    assert_true(params_match(NULL, &none));
    assert_true(params_match(&params, &none));
    assert_false(params_match(NULL, &two));
    params_add_int4(&params, 1);
    assert_false(params_match(&params, &two));
    params_add_null(&params, SQL_TYPE_TEXT);
    assert_true(params_match(&params, &two));
    params_init(&params, &arena);
    params_add_int8(&params, 1);
    params_add_text(&params, "", 0);
    assert_false(params_match(&params, &two));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(params_scalars_are_big_endian, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_null_has_no_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_arrays_have_array_recvs_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_empty_arrays_have_no_dimension, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_beyond_the_arena_fail_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_of_absurd_counts_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_of_every_arena_bound_are_whole_or_failed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(params_timestamptz_out_of_range_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(params_match_compares_number_and_types, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
