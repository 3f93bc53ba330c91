#include "postgres/row.h"

#include "base/check.h"
#include "postgres/session.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A row as a server might send it, right or wrong: built without one. */
static struct session_result result;
static struct row row;

struct value {
    unsigned type;
    const char *bytes; /* NULL is SQL NULL */
    int length;
    int format; /* 0 text, 1 binary */
};

static void make_row(const struct value *values, int count)
{
    PGresAttDesc columns[8] = {0};
    char name[] = "column";

    assert_true(count <= (int)COUNT_OF(columns));
    for (int i = 0; i < count; i++) {
        columns[i].name = name;
        columns[i].typid = values[i].type;
        columns[i].format = values[i].format;
        columns[i].typlen = -1;
    }
    result._result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(result._result);
    assert_true(PQsetResultAttrs(result._result, count, columns));
    for (int i = 0; i < count; i++) {
        /* It only reads the bytes; the type predates const. */
        assert_true(PQsetvalue(result._result, 0, i, (char *)(uintptr_t)values[i].bytes,
                               values[i].bytes == NULL ? -1 : values[i].length));
    }
    result.row_count = 1;
    row_init(&row, &result, 0);
}

static int tear_down(void **state)
{
    (void)state;
    session_result_fini(&result);
    return 0;
}

/* What was written comes back: the counterpart of params' wire forms. */
static void row_sound_values_are_read(void **state)
{
    const struct value values[] = {
        {SQL_TYPE_BOOL, "\1", 1, 1},
        {SQL_TYPE_INT2, "\xff\xfe", 2, 1},
        {SQL_TYPE_INT4, "\1\2\3\4", 4, 1},
        {SQL_TYPE_INT8, "\x80\0\0\0\0\0\0\0", 8, 1},
        {SQL_TYPE_TIMESTAMPTZ, "\0\0\0\0\0\0\0\1", 8, 1},
        {SQL_TYPE_TEXT, "ab", 2, 1},
        {SQL_TYPE_BYTEA, "", 0, 1},
        {SQL_TYPE_FIRST_USER_DEFINED, "RESERVED", 8, 1},
    };
    (void)state;

    make_row(values, COUNT_OF(values));
    assert_true(row_bool(&row, 0));
    assert_int_equal(row_int2(&row, 1), -2);
    assert_int_equal(row_int4(&row, 2), 0x01020304);
    assert_true(row_int8(&row, 3) == INT64_MIN);
    assert_true(row_timestamptz(&row, 4) == INT64_C(946684800000001));
    struct sql_text text = row_text(&row, 5), bytea = row_bytea(&row, 6), label = row_enum(&row, 7);
    assert_int_equal(text.length, 2);
    assert_memory_equal(text.bytes, "ab", 2);
    assert_int_equal(bytea.length, 0);
    assert_non_null(bytea.bytes);
    assert_int_equal(label.length, 8);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        assert_false(row_is_null(&row, i));
    }
    assert_int_equal(row_fault(&row), ROW_SOUND);
}

/* A migration that changes a column's type must show as an error, not as another number. */
static void row_of_another_type_fails(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT4, "\0\0\0\1", 4, 1}};
    (void)state;

    make_row(values, 1);
    assert_int_equal(row_int8(&row, 0), 0);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
    session_result_fini(&result);
    make_row(values, 1);
    assert_null(row_text(&row, 0).bytes);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
    session_result_fini(&result);
    make_row(values, 1);
    assert_null(row_enum(&row, 0).bytes);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
}

/* A result in text format would be read as rubbish. */
static void row_in_text_format_fails(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT4, "1234", 4, 0}};
    (void)state;

    make_row(values, 1);
    assert_int_equal(row_int4(&row, 0), 0);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
}

/* Nothing that arrives over a network may make a read go past its end. */
static void row_of_another_length_fails(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT8, "\0\0\0\1", 4, 1}, {SQL_TYPE_UUID, "x", 1, 1}};
    (void)state;

    make_row(values, 2);
    assert_int_equal(row_int8(&row, 0), 0);
    assert_int_equal(row_fault(&row), ROW_WRONG_LENGTH);
    row_init(&row, &result, 0);
    struct uuid nil = {0}, uuid = row_uuid(&row, 1);
    assert_true(uuid_equal(&uuid, &nil));
    assert_int_equal(row_fault(&row), ROW_WRONG_LENGTH);
}

/* NULL is asked for first; where none may be, it is a fault. */
static void row_of_null_fails_unless_asked_for(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT4, NULL, 0, 1}, {SQL_TYPE_TEXT, NULL, 0, 1}};
    (void)state;

    make_row(values, 2);
    assert_true(row_is_null(&row, 0));
    assert_true(row_is_null(&row, 1));
    assert_false(row_failed(&row));
    assert_null(row_text(&row, 1).bytes);
    assert_int_equal(row_fault(&row), ROW_UNEXPECTED_NULL);
}

/* A statement that returns fewer columns than its reader expects. */
static void row_without_the_column_fails(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT4, "\0\0\0\1", 4, 1}};
    (void)state;

    make_row(values, 1);
    assert_false(row_is_null(&row, 1));
    assert_int_equal(row_fault(&row), ROW_NO_SUCH_COLUMN);
    row_init(&row, &result, 0);
    assert_int_equal(row_int4(&row, 7), 0);
    assert_int_equal(row_fault(&row), ROW_NO_SUCH_COLUMN);
}

/* 'infinity' has no microsecond count. */
static void row_of_infinite_time_fails(void **state)
{
    const struct value values[] = {{SQL_TYPE_TIMESTAMPTZ, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8, 1},
                                   {SQL_TYPE_TIMESTAMPTZ, "\x80\0\0\0\0\0\0\0", 8, 1}};
    (void)state;

    make_row(values, 2);
    for (size_t i = 0; i < 2; i++) {
        row_init(&row, &result, 0);
        assert_int_equal(row_timestamptz(&row, i), 0);
        assert_int_equal(row_fault(&row), ROW_OUT_OF_RANGE);
    }
}

/* The first fault says what is wrong; what follows from it does not replace it. */
static void row_fault_keeps_the_first(void **state)
{
    const struct value values[] = {{SQL_TYPE_INT4, NULL, 0, 1}, {SQL_TYPE_INT4, "\0\0\0\7", 4, 1}};
    (void)state;

    make_row(values, 2);
    assert_int_equal(row_int4(&row, 0), 0);
    assert_int_equal(row_int8(&row, 9), 0);
    assert_int_equal(row_int4(&row, 1), 7);
    assert_int_equal(row_fault(&row), ROW_UNEXPECTED_NULL);
    assert_string_equal(row_fault_text(row_fault(&row)), "a value is NULL that may not be");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(row_sound_values_are_read, tear_down),
        cmocka_unit_test_teardown(row_of_another_type_fails, tear_down),
        cmocka_unit_test_teardown(row_in_text_format_fails, tear_down),
        cmocka_unit_test_teardown(row_of_another_length_fails, tear_down),
        cmocka_unit_test_teardown(row_of_null_fails_unless_asked_for, tear_down),
        cmocka_unit_test_teardown(row_without_the_column_fails, tear_down),
        cmocka_unit_test_teardown(row_of_infinite_time_fails, tear_down),
        cmocka_unit_test_teardown(row_fault_keeps_the_first, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
