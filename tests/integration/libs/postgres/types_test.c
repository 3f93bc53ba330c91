/* Every type on its way to a real server and back, in binary. */
#include "session_fixture.h"

#include "base/arena.h"
#include "base/uuid.h"
#include "postgres/params.h"
#include "postgres/row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ELEMENTS_MAX 500

static struct scratch_postgres server;
static struct session_config config;
static struct session session;
static struct arena arena;

static const struct statement scalars = {
    .name = "scalars",
    .sql = "SELECT $1::bool, $2::int2, $3::int4, $4::int8, $5::uuid, $6::timestamptz, $7::text,"
           " $8::bytea, $9::colour, $7::varchar, $7::char(3), $7::name",
    .parameter_count = 9,
    .parameter_types = {SQL_TYPE_BOOL, SQL_TYPE_INT2, SQL_TYPE_INT4, SQL_TYPE_INT8, SQL_TYPE_UUID,
                        SQL_TYPE_TIMESTAMPTZ, SQL_TYPE_TEXT, SQL_TYPE_BYTEA, SQL_TYPE_ENUM}};

static const struct statement arrays = {
    .name = "arrays",
    .sql = "SELECT i, a, b, c, d, e, f FROM unnest($1::int4[], $2::int8[], $3::uuid[], $4::text[],"
           " $5::timestamptz[], $6::int2[]) WITH ORDINALITY AS u(a, b, c, d, e, f, i) ORDER BY i",
    .parameter_count = 6,
    .parameter_types = {SQL_TYPE_INT4_ARRAY, SQL_TYPE_INT8_ARRAY, SQL_TYPE_UUID_ARRAY,
                        SQL_TYPE_TEXT_ARRAY, SQL_TYPE_TIMESTAMPTZ_ARRAY, SQL_TYPE_INT2_ARRAY}};

static int start(void **state)
{
    (void)state;
    session_fixture_start_server(&server, false);
    session_fixture_admin(&server, "CREATE TYPE colour AS ENUM ('red', 'green')");
    config = session_fixture_config(server.service_url);
    session_init(&session, &config);
    session_fixture_open(&session);
    arena_init(&arena, 65536, 1 << 20);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_fini(&arena);
    session_fini(&session);
    scratch_postgres_stop(&server);
    return 0;
}

/* Executes, and asserts that it worked. */
static struct session_result execute(const struct statement *statement, const struct params *params)
{
    struct session_result result;
    enum db_status status =
        session_exec(&session, statement, params, session_fixture_deadline(), &result);
    if (status != DB_OK) {
        fail_msg("%s: %s", statement->name, session_error(&session)->message);
    }
    return result;
}

static void assert_text(struct sql_text text, const char *expected)
{
    assert_int_equal(text.length, strlen(expected));
    assert_non_null(text.bytes);
    assert_memory_equal(text.bytes, expected, text.length);
}

struct scalar_values {
    bool truth;
    int16_t small;
    int32_t middle;
    int64_t large, time_us;
    struct uuid uuid;
    const char *text;
    size_t bytea_length;
    const char *label;
};

static void assert_scalars_return(const struct scalar_values *values)
{
    static const char bytea[] = {0, 1, '\\', '\'', (char)0xff};
    struct params params;
    struct row row;

    arena_reset(&arena);
    params_init(&params, &arena);
    params_add_bool(&params, values->truth);
    params_add_int2(&params, values->small);
    params_add_int4(&params, values->middle);
    params_add_int8(&params, values->large);
    params_add_uuid(&params, &values->uuid);
    params_add_timestamptz(&params, values->time_us);
    params_add_text(&params, values->text, strlen(values->text));
    params_add_bytea(&params, bytea, values->bytea_length);
    params_add_enum(&params, values->label);
    struct session_result result = execute(&scalars, &params);
    assert_int_equal(result.row_count, 1);
    row_init(&row, &result, 0);
    assert_int_equal(row_bool(&row, 0), values->truth);
    assert_int_equal(row_int2(&row, 1), values->small);
    assert_int_equal(row_int4(&row, 2), values->middle);
    assert_true(row_int8(&row, 3) == values->large);
    struct uuid uuid = row_uuid(&row, 4);
    assert_true(uuid_equal(&uuid, &values->uuid));
    assert_true(row_timestamptz(&row, 5) == values->time_us);
    assert_text(row_text(&row, 6), values->text);
    struct sql_text bytes = row_bytea(&row, 7);
    assert_int_equal(bytes.length, values->bytea_length);
    assert_memory_equal(bytes.bytes, bytea, bytes.length);
    assert_text(row_enum(&row, 8), values->label);
    assert_text(row_text(&row, 9), values->text);
    assert_int_equal(row_fault(&row), ROW_SOUND);
    session_result_fini(&result);
}

/* Both ends of each range, and nothing in particular. */
static void types_scalars_return_unchanged(void **state)
{
    const struct scalar_values cases[] = {
        {.text = "", .label = "red"},
        {.truth = true,
         .small = INT16_MAX,
         .middle = INT32_MAX,
         .large = INT64_MAX,
         .time_us = INT64_C(1700000000123456),
         .uuid = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}},
         .text = "gr\xc3\xbc\xc3\x9f\x65 \xf0\x9f\x90\x8e \"'\\",
         .bytea_length = 5,
         .label = "green"},
        {.small = INT16_MIN,
         .middle = INT32_MIN,
         .large = INT64_MIN,
         .time_us = -1,
         .text = "x",
         .bytea_length = 1,
         .label = "red"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_scalars_return(&cases[i]);
    }
}

/* A whole row of NULLs: none of them may look like a value. */
static void types_nulls_return_as_nulls(void **state)
{
    struct params params;
    struct row row;
    (void)state;

    arena_reset(&arena);
    params_init(&params, &arena);
    for (size_t i = 0; i < scalars.parameter_count; i++) {
        params_add_null(&params, (enum sql_type)scalars.parameter_types[i]);
    }
    struct session_result result = execute(&scalars, &params);
    for (size_t column = 0; column < 12; column++) {
        row_init(&row, &result, 0);
        assert_true(row_is_null(&row, column));
        assert_false(row_failed(&row));
    }
    row_int4(&row, 2);
    assert_int_equal(row_fault(&row), ROW_UNEXPECTED_NULL);
    session_result_fini(&result);
}

/* The server's idea of a moment is ours: not off by a zone, an epoch or a factor. */
static void types_timestamptz_is_the_servers_moment(void **state)
{
    static const struct statement moment = {
        .name = "moment",
        .sql = "SELECT timestamptz '2038-01-19 03:14:07.123456+00', 'infinity'::timestamptz"};
    struct row row;
    (void)state;

    struct session_result result = execute(&moment, NULL);
    row_init(&row, &result, 0);
    assert_true(row_timestamptz(&row, 0) == INT64_C(2147483647123456));
    assert_int_equal(row_fault(&row), ROW_SOUND);
    row_timestamptz(&row, 1);
    assert_int_equal(row_fault(&row), ROW_OUT_OF_RANGE);
    session_result_fini(&result);
}

struct array_values {
    int32_t middle[ELEMENTS_MAX];
    int64_t large[ELEMENTS_MAX], time_us[ELEMENTS_MAX];
    int16_t small[ELEMENTS_MAX];
    struct uuid uuid[ELEMENTS_MAX];
    struct sql_text text[ELEMENTS_MAX];
    char room[ELEMENTS_MAX][24];
};

static void fill(struct array_values *values)
{
    for (int i = 0; i < ELEMENTS_MAX; i++) {
        values->middle[i] = i - 250;
        values->large[i] = (i - 250) * (INT64_C(1) << 40);
        values->time_us[i] = INT64_C(1700000000000000) + i;
        values->small[i] = (int16_t)(i * 60);
        memset(values->uuid[i].bytes, i, UUID_BYTES);
        snprintf(values->room[i], sizeof(values->room[i]), "text %d", i);
        /* Some elements are NULL and some are empty. */
        values->text[i] = (struct sql_text){.bytes = i % 7 == 3 ? NULL : values->room[i],
                                            .length = i % 5 == 0 ? 0 : strlen(values->room[i])};
    }
}

static void assert_element(const struct array_values *values, const struct session_result *result,
                           size_t i)
{
    struct row row;
    row_init(&row, result, i);
    assert_int_equal(row_int8(&row, 0), i + 1);
    assert_int_equal(row_int4(&row, 1), values->middle[i]);
    assert_true(row_int8(&row, 2) == values->large[i]);
    struct uuid uuid = row_uuid(&row, 3);
    assert_true(uuid_equal(&uuid, &values->uuid[i]));
    if (values->text[i].bytes == NULL) {
        assert_true(row_is_null(&row, 4));
    } else {
        struct sql_text text = row_text(&row, 4);
        assert_int_equal(text.length, values->text[i].length);
        assert_memory_equal(text.bytes, values->text[i].bytes, text.length);
    }
    assert_true(row_timestamptz(&row, 5) == values->time_us[i]);
    assert_int_equal(row_int2(&row, 6), values->small[i]);
    assert_int_equal(row_fault(&row), ROW_SOUND);
}

/* A batch of none, of one and of many is the same statement. */
static void types_arrays_return_element_by_element(void **state)
{
    static const size_t counts[] = {0, 1, 2, ELEMENTS_MAX};
    static struct array_values values;
    (void)state;

    fill(&values);
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct params params;
        arena_reset(&arena);
        params_init(&params, &arena);
        params_add_int4_array(&params, values.middle, counts[c]);
        params_add_int8_array(&params, values.large, counts[c]);
        params_add_uuid_array(&params, values.uuid, counts[c]);
        params_add_text_array(&params, values.text, counts[c]);
        params_add_timestamptz_array(&params, values.time_us, counts[c]);
        params_add_int2_array(&params, values.small, counts[c]);
        struct session_result result = execute(&arrays, &params);
        assert_int_equal(result.row_count, counts[c]);
        assert_int_equal(session_result_affected(&result), counts[c]);
        for (size_t i = 0; i < counts[c]; i++) {
            assert_element(&values, &result, i);
        }
        session_result_fini(&result);
    }
}

/* Bytes that are no text are the sender's fault (class 22), and cost neither session nor others. */
static void types_text_that_is_none_is_a_data_error(void **state)
{
    static const struct statement echo = {.name = "echo",
                                          .sql = "SELECT $1::text",
                                          .parameter_count = 1,
                                          .parameter_types = {SQL_TYPE_TEXT}};
    static const struct sql_text bad[] = {{"a\0b", 3}, {"\xff", 1}, {"\xed\xa0\x80", 3}};
    (void)state;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct params params;
        arena_reset(&arena);
        params_init(&params, &arena);
        params_add_text(&params, bad[i].bytes, bad[i].length);
        assert_int_equal(session_exec(&session, &echo, &params, session_fixture_deadline(), NULL),
                         DB_DATA);
        assert_string_equal(session_error(&session)->sqlstate, "22021");
        assert_int_equal(session_state(&session), SESSION_OPEN);
    }
}

/* A status that the schema does not know is a data error too. */
static void types_unknown_enum_label_is_a_data_error(void **state)
{
    static const struct statement echo = {.name = "echo_enum",
                                          .sql = "SELECT $1::colour",
                                          .parameter_count = 1,
                                          .parameter_types = {SQL_TYPE_ENUM}};
    struct params params;
    (void)state;

    arena_reset(&arena);
    params_init(&params, &arena);
    params_add_enum(&params, "blue");
    assert_int_equal(session_exec(&session, &echo, &params, session_fixture_deadline(), NULL),
                     DB_DATA);
}

/* A statement that returns rows of another shape than its reader expects is noticed. */
static void types_unexpected_column_type_is_a_fault(void **state)
{
    static const struct statement mixed = {.name = "mixed", .sql = "SELECT 1.5::numeric, 1::int4"};
    struct row row;
    (void)state;

    struct session_result result = execute(&mixed, NULL);
    row_init(&row, &result, 0);
    row_int4(&row, 0);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
    row_init(&row, &result, 0);
    row_int8(&row, 1);
    assert_int_equal(row_fault(&row), ROW_WRONG_TYPE);
    session_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_scalars_return_unchanged),
        cmocka_unit_test(types_nulls_return_as_nulls),
        cmocka_unit_test(types_timestamptz_is_the_servers_moment),
        cmocka_unit_test(types_arrays_return_element_by_element),
        cmocka_unit_test(types_text_that_is_none_is_a_data_error),
        cmocka_unit_test(types_unknown_enum_label_is_a_data_error),
        cmocka_unit_test(types_unexpected_column_type_is_a_fault),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
