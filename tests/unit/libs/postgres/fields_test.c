/* Rows whose columns were checked: what is still looked at in each value. */
#include "postgres/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct session_result result;
static struct fields fields;

/* One row of one value as a server might send it; NULL bytes are SQL NULL. */
static void make_value(const char *bytes, int length)
{
    char name[] = "column";
    PGresAttDesc column = {.name = name, .format = 1, .typlen = -1};
    result._result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(result._result);
    assert_true(PQsetResultAttrs(result._result, 1, &column));
    /* It only reads the bytes; the type predates const. */
    assert_true(
        PQsetvalue(result._result, 0, 0, (char *)(uintptr_t)bytes, bytes == NULL ? -1 : length));
    result.row_count = 1;
    fields_init(&fields, &result, 0);
}

static int tear_down(void **state)
{
    (void)state;
    session_result_fini(&result);
    return 0;
}

/* Each width is read in the server's byte order. */
static void fields_sound_values_are_read(void **state)
{
    (void)state;
    make_value("\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(fields_int8(&fields, 0), INT64_C(0x0102030405060708));
    assert_int_equal(fields_timestamptz(&fields, 0),
                     INT64_C(0x0102030405060708) + SQL_TYPE_EPOCH_UNIX_US);
    assert_int_equal(fields.fault, ROW_SOUND);
    tear_down(NULL);
    make_value("\xff\xfe", 2);
    assert_int_equal(fields_int2(&fields, 0), -2);
    tear_down(NULL);
    make_value("\1", 1);
    assert_true(fields_bool(&fields, 0));
    assert_int_equal(fields.fault, ROW_SOUND);
}

/* A NULL must not become a zero that nobody notices. */
static void fields_null_is_a_fault_of_every_reader(void **state)
{
    (void)state;
    make_value(NULL, 0);
    assert_true(fields_is_null(&fields, 0));
    assert_int_equal(fields_int4(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_UNEXPECTED_NULL);
    assert_int_equal(fields.fault_column, 0);
    fields_init(&fields, &result, 0);
    assert_null(fields_text(&fields, 0).bytes);
    assert_int_equal(fields.fault, ROW_UNEXPECTED_NULL);
    fields_init(&fields, &result, 0);
    assert_null(fields_array(&fields, 0, SQL_TYPE_INT4).bytes);
    assert_int_equal(fields.fault, ROW_UNEXPECTED_NULL);
    fields_init(&fields, &result, 0);
    fields_label(&fields, 0, &(const struct sql_text){"", 0}, 1);
    assert_int_equal(fields.fault, ROW_UNEXPECTED_NULL);
}

/* Other lengths than the type's are not read, neither shorter nor longer ones. */
static void fields_wrong_length_is_a_fault(void **state)
{
    (void)state;
    make_value("\1\2\3", 3);
    assert_int_equal(fields_int4(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_WRONG_LENGTH);
    fields_init(&fields, &result, 0);
    assert_int_equal(fields_int2(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_WRONG_LENGTH);
    fields_init(&fields, &result, 0);
    assert_int_equal(fields_uuid(&fields, 0).bytes[0], 0);
    assert_int_equal(fields.fault, ROW_WRONG_LENGTH);
}

/* What is told is what went wrong first. */
static void fields_first_fault_is_kept(void **state)
{
    (void)state;
    make_value("\1", 1);
    fields_fail(&fields, 7, ROW_UNKNOWN_LABEL);
    assert_int_equal(fields_int8(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_UNKNOWN_LABEL);
    assert_int_equal(fields.fault_column, 7);
}

/* Both infinities of PostgreSQL have no place on our scale. */
static void fields_infinite_times_are_faults(void **state)
{
    (void)state;
    make_value("\x80\0\0\0\0\0\0\0", 8);
    assert_int_equal(fields_timestamptz(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_OUT_OF_RANGE);
    tear_down(NULL);
    make_value("\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(fields_timestamptz(&fields, 0), 0);
    assert_int_equal(fields.fault, ROW_OUT_OF_RANGE);
}

/* An enum that a migration gave a label to must not pass for the first one. */
static void fields_labels_are_found_or_faulted(void **state)
{
    (void)state;
    static const struct sql_text labels[] = {{"GOOD", 4}, {"BAD", 3}, {"", 0}};
    make_value("BAD", 3);
    assert_int_equal(fields_label(&fields, 0, labels, COUNT_OF(labels)), 1);
    assert_int_equal(fields.fault, ROW_SOUND);
    assert_int_equal(fields_label(&fields, 0, labels, 1), 0);
    assert_int_equal(fields.fault, ROW_UNKNOWN_LABEL);
    tear_down(NULL);
    make_value("", 0);
    assert_int_equal(fields_label(&fields, 0, labels, COUNT_OF(labels)), 2);
    assert_int_equal(fields.fault, ROW_SOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(fields_sound_values_are_read, tear_down),
        cmocka_unit_test_teardown(fields_null_is_a_fault_of_every_reader, tear_down),
        cmocka_unit_test_teardown(fields_wrong_length_is_a_fault, tear_down),
        cmocka_unit_test_teardown(fields_first_fault_is_kept, tear_down),
        cmocka_unit_test_teardown(fields_infinite_times_are_faults, tear_down),
        cmocka_unit_test_teardown(fields_labels_are_found_or_faulted, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
