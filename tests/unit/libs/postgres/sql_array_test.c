/* Arrays come from the server and are read in place: a wrong length must be found before. */
#include "postgres/sql_array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VALUE_BYTES_MAX 128

/* An array in array_send's form, built by hand. */
struct value {
    size_t length;
    char bytes[VALUE_BYTES_MAX];
};

static void put_word(struct value *value, uint32_t word)
{
    const unsigned char bytes[] = {(unsigned char)(word >> 24), (unsigned char)(word >> 16),
                                   (unsigned char)(word >> 8), (unsigned char)word};
    assert_true(value->length + sizeof(bytes) <= VALUE_BYTES_MAX);
    memcpy(value->bytes + value->length, bytes, sizeof(bytes));
    value->length += sizeof(bytes);
}

static void put_header(struct value *value, enum sql_type element, uint32_t count)
{
    put_word(value, 1);
    put_word(value, 0);
    put_word(value, (uint32_t)element);
    put_word(value, count);
    put_word(value, 1);
}

static struct value two_int4(void)
{
    struct value value = {0};
    put_header(&value, SQL_TYPE_INT4, 2);
    put_word(&value, 4);
    put_word(&value, 7);
    put_word(&value, 4);
    put_word(&value, UINT32_MAX);
    return value;
}

static struct value a_null_and_a_text(void)
{
    struct value value = {0};
    put_header(&value, SQL_TYPE_TEXT, 2);
    put_word(&value, UINT32_MAX);
    put_word(&value, 4);
    memcpy(value.bytes + value.length, "abcd", 4);
    value.length += 4;
    return value;
}

/* Sound arrays are read element by element, and end. */
static void sql_array_sound_value_is_read(void **state)
{
    (void)state;
    struct value value = two_int4();
    struct sql_array array;
    int32_t number;
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT4), ROW_SOUND);
    assert_int_equal(array.count, 2);
    assert_true(sql_array_next_int4(&array, &number) && number == 7);
    assert_true(sql_array_next_int4(&array, &number) && number == -1);
    assert_false(sql_array_next_int4(&array, &number));
}

/* Text has a form for NULL elements. */
static void sql_array_null_text_has_no_bytes(void **state)
{
    (void)state;
    struct value value = a_null_and_a_text();
    struct sql_array array;
    struct sql_text text;
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_TEXT), ROW_SOUND);
    assert_true(sql_array_next_text(&array, &text) && text.bytes == NULL);
    assert_true(sql_array_next_text(&array, &text) && text.length == 4);
    assert_memory_equal(text.bytes, "abcd", 4);
    assert_false(sql_array_next_text(&array, &text));
}

/* Numbers have none. */
static void sql_array_null_number_is_a_fault(void **state)
{
    (void)state;
    struct value value = {0};
    struct sql_array array;
    put_header(&value, SQL_TYPE_INT4, 1);
    put_word(&value, UINT32_MAX);
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT4),
                     ROW_UNEXPECTED_NULL);
}

/* The server's empty array is a header alone. */
static void sql_array_empty_value_is_empty(void **state)
{
    (void)state;
    struct value value = {0};
    struct sql_array array;
    int64_t number;
    put_word(&value, 0);
    put_word(&value, 0);
    put_word(&value, SQL_TYPE_INT8);
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT8), ROW_SOUND);
    assert_non_null(array.bytes);
    assert_false(sql_array_next_int8(&array, &number));
}

/* What cannot be read as asked. */
static void sql_array_other_shapes_are_faults(void **state)
{
    (void)state;
    struct value value = two_int4();
    struct sql_array array;
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT8),
                     ROW_WRONG_TYPE);
    value.bytes[3] = 2; /* dimensions */
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT4),
                     ROW_WRONG_TYPE);
    value = two_int4();
    value.bytes[23] = 8; /* the first element's length */
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT4),
                     ROW_WRONG_LENGTH);
    value = two_int4();
    put_word(&value, 0);
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_INT4),
                     ROW_WRONG_LENGTH);
}

/* An infinite time has no form in microseconds, wherever it stands. */
static void sql_array_infinite_time_is_a_fault(void **state)
{
    (void)state;
    struct value value = {0};
    struct sql_array array;
    put_header(&value, SQL_TYPE_TIMESTAMPTZ, 1);
    put_word(&value, 8);
    put_word(&value, UINT32_C(0x80000000));
    put_word(&value, 0);
    assert_int_equal(sql_array_init(&array, value.bytes, value.length, SQL_TYPE_TIMESTAMPTZ),
                     ROW_OUT_OF_RANGE);
}

/* Every prefix, in memory that ends where it ends, is refused without a byte read past it. */
static void sql_array_every_prefix_is_refused(void **state)
{
    (void)state;
    const struct value values[] = {two_int4(), a_null_and_a_text()};
    const enum sql_type types[] = {SQL_TYPE_INT4, SQL_TYPE_TEXT};
    for (size_t v = 0; v < COUNT_OF(values); v++) {
        for (size_t length = 0; length < values[v].length; length++) {
            char *copy = test_malloc(length > 0 ? length : 1);
            struct sql_array array;
            memcpy(copy, values[v].bytes, length);
            assert_int_not_equal(sql_array_init(&array, copy, length, types[v]), ROW_SOUND);
            test_free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_array_sound_value_is_read),
        cmocka_unit_test(sql_array_null_text_has_no_bytes),
        cmocka_unit_test(sql_array_null_number_is_a_fault),
        cmocka_unit_test(sql_array_empty_value_is_empty),
        cmocka_unit_test(sql_array_other_shapes_are_faults),
        cmocka_unit_test(sql_array_infinite_time_is_a_fault),
        cmocka_unit_test(sql_array_every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
