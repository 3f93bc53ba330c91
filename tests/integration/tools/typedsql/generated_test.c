/* Generated code against a real server: values there and back, and what it refuses. */
#include "base/arena.h"
#include "base/clock.h"
#include "orders/domain/order.h"
#include "postgres/session.h"
#include "postgres/sql_array.h"
#include "queries/close_work.h"
#include "queries/count_rows.h"
#include "queries/count_up.h"
#include "queries/echo_arrays.h"
#include "queries/echo_nullables.h"
#include "queries/echo_values.h"
#include "queries/find_number.h"
#include "queries/integration_tools_typedsql_generated_test_queries.h"
#include "queries/open_work.h"
#include "queries/read_version.h"
#include "queries/touch_sales.h"
#include "support/scratch_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define QUERIES_ALL    integration_tools_typedsql_generated_test_queries_all
#define QUERIES_COUNT  INTEGRATION_TOOLS_TYPEDSQL_GENERATED_TEST_QUERIES_COUNT
#define PATIENCE_MS    20000
#define STREAMED_ROWS  1000
#define SUM_OF_LENGTHS 500500

/* One server, connection and arena for all tests. */
static struct {
    struct scratch_postgres server;
    struct session_config config;
    struct session session;
    struct arena arena;
} world;

static int64_t soon(void)
{
    return clock_deadline_in_ms(PATIENCE_MS);
}

static void assert_ok(enum db_status status)
{
    if (status != DB_OK) {
        fail_msg("%s: %s", sqlstate_status_label(status), session_error(&world.session)->message);
    }
}

static struct sql_text text_of(const char *text)
{
    return (struct sql_text){.bytes = text, .length = strlen(text)};
}

static void assert_text(struct sql_text text, const char *expected)
{
    assert_non_null(text.bytes);
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.length);
}

static int set_up_world(void **state)
{
    (void)state;
    if (scratch_postgres_start(&world.server, true, false) != 0) {
        return -1;
    }
    world.config = (struct session_config){.conninfo = world.server.service_url,
                                           .application_name = "generated_test",
                                           .lock_timeout_ms = 2000,
                                           .statement_timeout_ms = 10000,
                                           .idle_in_transaction_timeout_ms = 10000,
                                           .tcp_user_timeout_ms = 10000,
                                           .statements = QUERIES_ALL,
                                           .statement_count = QUERIES_COUNT};
    arena_init(&world.arena, 65536, 1048576);
    session_init(&world.session, &world.config);
    return session_open(&world.session, soon()) == DB_OK ? 0 : -1;
}

static int tear_down_world(void **state)
{
    (void)state;
    session_fini(&world.session);
    arena_fini(&world.arena);
    scratch_postgres_stop(&world.server);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    arena_reset(&world.arena);
    return 0;
}

/* What goes in as C comes out as C: a wrong byte order or epoch would sell at the wrong time. */
static void generated_values_of_every_type_come_back(void **state)
{
    (void)state;
    static const struct uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}};
    const struct echo_values_params params = {
        .flag = true,
        .small = INT16_MIN,
        .number = INT32_MIN,
        .large = INT64_MIN,
        .words = text_of("Grüße\n\"'\\"),
        .bytes = {.bytes = "\0\1\xff", .length = 3},
        .id = id,
        .moment_us = INT64_C(1700000000123456),
        .status = ORDER_CANCELLED,
        .label = text_of("EXPIRED"),
    };
    struct session_result result;
    struct echo_values_row row;
    assert_ok(echo_values_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_true(row.flag);
    assert_int_equal(row.small, INT16_MIN);
    assert_int_equal(row.number, INT32_MIN);
    assert_int_equal(row.large, INT64_MIN);
    assert_text(row.words, "Grüße\n\"'\\");
    assert_int_equal(row.bytes.length, 3);
    assert_memory_equal(row.bytes.bytes, "\0\1\xff", 3);
    assert_true(uuid_equal(&row.id, &id));
    assert_int_equal(row.moment_us, params.moment_us);
    assert_int_equal(row.status, ORDER_CANCELLED);
    assert_text(row.label, "EXPIRED");
    session_result_fini(&result);
}

/* Empty is not NULL: the two must not be mixed up on the way. */
static void generated_empty_text_is_not_null(void **state)
{
    (void)state;
    const struct echo_nullables_params params = {
        .flag_is_null = true,
        .small_is_null = true,
        .number_is_null = true,
        .large_is_null = true,
        .words = text_of(""),
        .bytes = text_of(""),
        .id_is_null = true,
        .moment_is_null = true,
        .status_is_null = true,
        .label = {0},
        .numbers = &(const int32_t){0},
        .numbers_count = 0,
        .spoken_is_null = true,
    };
    struct session_result result;
    struct echo_nullables_row row;
    assert_ok(echo_nullables_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_text(row.words, "");
    assert_text(row.bytes, "");
    assert_non_null(row.numbers.bytes);
    assert_int_equal(row.numbers.count, 0);
    assert_null(row.label.bytes);
    session_result_fini(&result);
}

/* Every kind of NULL goes and comes; fields beside the flag are zero, never what was there before.
 */
static void generated_nulls_come_back_as_nulls(void **state)
{
    (void)state;
    const struct echo_nullables_params params = {
        .flag_is_null = true,
        .small_is_null = true,
        .number_is_null = true,
        .large_is_null = true,
        .id_is_null = true,
        .moment_is_null = true,
        .status_is_null = true,
        .spoken_is_null = true,
    };
    struct session_result result;
    struct echo_nullables_row row;
    memset(&row, 0xff, sizeof(row));
    assert_ok(echo_nullables_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_true(row.flag_is_null && row.small_is_null && row.number_is_null && row.large_is_null);
    assert_true(row.id_is_null && row.moment_is_null && row.status_is_null && row.spoken_is_null);
    assert_null(row.words.bytes);
    assert_null(row.bytes.bytes);
    assert_null(row.label.bytes);
    assert_null(row.numbers.bytes);
    assert_int_equal(row.moment_us, 0);
    session_result_fini(&result);
}

/* A nullable field that has a value is read like any other. */
static void generated_nullables_with_values_come_back(void **state)
{
    (void)state;
    static const int32_t numbers[] = {7, -7};
    const struct echo_nullables_params params = {
        .flag = true,
        .small = 1,
        .number = 2,
        .large = 3,
        .words = text_of("w"),
        .bytes = text_of("b"),
        .id = {{9}},
        .moment_us = -1,
        .status = ORDER_EXPIRED,
        .label = text_of("CONFIRMED"),
        .numbers = numbers,
        .numbers_count = COUNT_OF(numbers),
        .spoken = ORDER_CONFIRMED,
    };
    struct session_result result;
    struct echo_nullables_row row;
    int32_t number;
    assert_ok(echo_nullables_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_true(!row.flag_is_null && row.flag);
    assert_int_equal(row.large, 3);
    assert_int_equal(row.moment_us, -1);
    assert_int_equal(row.status, ORDER_EXPIRED);
    assert_int_equal(row.spoken, ORDER_CONFIRMED);
    assert_text(row.label, "CONFIRMED");
    assert_int_equal(row.numbers.count, 2);
    assert_true(sql_array_next_int4(&row.numbers, &number) && number == 7);
    assert_true(sql_array_next_int4(&row.numbers, &number) && number == -7);
    assert_false(sql_array_next_int4(&row.numbers, &number));
    session_result_fini(&result);
}

static void assert_arrays(struct echo_arrays_row *row, const struct echo_arrays_params *expected)
{
    int16_t small;
    int32_t number;
    int64_t large, moment_us;
    struct sql_text words;
    struct uuid id;
    for (size_t i = 0; i < expected->element_count; i++) {
        assert_true(sql_array_next_int2(&row->smalls, &small) && small == expected->smalls[i]);
        assert_true(sql_array_next_int4(&row->numbers, &number) && number == expected->numbers[i]);
        assert_true(sql_array_next_int8(&row->larges, &large) && large == expected->larges[i]);
        assert_true(sql_array_next_text(&row->words, &words));
        assert_int_equal(words.length, expected->words[i].length);
        assert_int_equal(words.bytes == NULL, expected->words[i].bytes == NULL);
        assert_true(sql_array_next_uuid(&row->ids, &id) && uuid_equal(&id, &expected->ids[i]));
        assert_true(sql_array_next_timestamptz(&row->moments_us, &moment_us));
        assert_int_equal(moment_us, expected->moments_us[i]);
    }
    assert_false(sql_array_next_int2(&row->smalls, &small));
    assert_false(sql_array_next_text(&row->words, &words));
    assert_false(sql_array_next_timestamptz(&row->moments_us, &moment_us));
}

/* A batch travels as arrays, with empty and NULL elements in them. */
static void generated_arrays_come_back_in_order(void **state)
{
    (void)state;
    static const int16_t smalls[] = {1, -2, INT16_MAX};
    static const int32_t numbers[] = {INT32_MIN, 0, 3};
    static const int64_t larges[] = {INT64_MIN, 0, INT64_MAX};
    static const struct sql_text words[] = {{"a", 1}, {NULL, 0}, {"", 0}};
    static const struct uuid ids[] = {{{1}}, {{2}}, {{3}}};
    static const int64_t moments_us[] = {0, INT64_C(1700000000000001), -1};
    static const enum order_status statuses[] = {ORDER_RESERVED, ORDER_EXPIRED};
    const struct echo_arrays_params params = {
        .element_count = COUNT_OF(smalls),
        .smalls = smalls,
        .numbers = numbers,
        .larges = larges,
        .words = words,
        .ids = ids,
        .moments_us = moments_us,
        .statuses = statuses,
        .statuses_count = COUNT_OF(statuses),
    };
    struct session_result result;
    struct echo_arrays_row row;
    struct sql_text status;
    assert_ok(echo_arrays_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_arrays(&row, &params);
    assert_true(sql_array_next_text(&row.statuses, &status));
    assert_text(status, "RESERVED");
    assert_true(sql_array_next_text(&row.statuses, &status));
    assert_text(status, "EXPIRED");
    assert_false(sql_array_next_text(&row.statuses, &status));
    session_result_fini(&result);
}

/* An empty batch is legal SQL. */
static void generated_empty_arrays_come_back_empty(void **state)
{
    (void)state;
    const struct echo_arrays_params params = {.element_count = 0};
    struct session_result result;
    struct echo_arrays_row row;
    assert_ok(echo_arrays_exec(&world.session, &world.arena, &params, soon(), &result, &row));
    assert_non_null(row.smalls.bytes);
    assert_arrays(&row, &params);
    session_result_fini(&result);
}

/* A full arena must refuse the batch before anything is sent, not send half of it. */
static void generated_params_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct arena tiny;
    static enum order_status statuses[1000];
    const struct echo_arrays_params params = {.statuses = statuses, .statuses_count = 1000};
    struct session_result result;
    struct echo_arrays_row row;
    arena_init(&tiny, 1024, 2048);
    assert_int_equal(echo_arrays_exec(&world.session, &tiny, &params, soon(), &result, &row),
                     DB_OUT_OF_MEMORY);
    arena_fini(&tiny);
    assert_int_equal(session_pending(&world.session), 0);
}

/* Many queries share a round trip: the hot path does nothing else. */
static void generated_queries_in_one_group_come_in_order(void **state)
{
    (void)state;
    struct session_result result;
    struct find_number_row number;
    int64_t affected = -1;
    bool found = false;
    assert_ok(open_work_send(&world.session));
    assert_ok(touch_sales_send(&world.session, &world.arena,
                               &(struct touch_sales_params){.title = text_of("none")}));
    assert_ok(count_up_send(&world.session, &world.arena, &(struct count_up_params){.last = 3}));
    assert_ok(find_number_send(&world.session, &world.arena,
                               &(struct find_number_params){.number = 5, .copies = 1}));
    assert_ok(close_work_send(&world.session));
    assert_ok(session_sync(&world.session));

    assert_ok(open_work_receive(&world.session, soon(), NULL));
    assert_ok(touch_sales_receive(&world.session, soon(), &affected));
    assert_int_equal(affected, 0);
    assert_ok(count_up_receive(&world.session, soon(), &result));
    assert_int_equal(result.row_count, 3);
    for (size_t i = 0; i < result.row_count; i++) {
        struct count_up_row row;
        assert_ok(count_up_read(&world.session, &result, i, &row));
        assert_int_equal(row.number, i + 1);
        assert_int_equal(row.words.length, i + 1);
    }
    session_result_fini(&result);
    assert_ok(find_number_receive(&world.session, soon(), &found, &number));
    assert_true(found);
    assert_int_equal(number.number, 5);
    assert_ok(close_work_receive(&world.session, soon(), NULL));
}

/* Five million rows must not have to be in memory at once. */
static void generated_rows_can_be_streamed(void **state)
{
    (void)state;
    const struct count_up_params params = {.last = STREAMED_ROWS};
    struct session_result result;
    size_t rows = 0, letters = 0;
    bool more = true;
    assert_ok(count_up_send_streamed(&world.session, &world.arena, &params));
    assert_ok(session_sync(&world.session));
    while (more) {
        assert_ok(count_up_receive(&world.session, soon(), &result));
        more = result.more;
        if (more) {
            struct count_up_row row;
            assert_ok(count_up_read(&world.session, &result, 0, &row));
            letters += row.words.length;
            rows++;
        }
        session_result_fini(&result);
    }
    assert_int_equal(rows, STREAMED_ROWS);
    assert_int_equal(letters, SUM_OF_LENGTHS);
}

/* "optional" tells none from one, and takes two for the mistake that it is. */
static void generated_optional_tells_none_from_one_from_two(void **state)
{
    (void)state;
    struct find_number_row row = {.number = 42};
    bool found = true;
    assert_ok(find_number_exec(&world.session, &world.arena,
                               &(struct find_number_params){.number = 1, .copies = 0}, soon(),
                               &found, &row));
    assert_false(found);
    assert_int_equal(find_number_exec(&world.session, &world.arena,
                                      &(struct find_number_params){.number = 1, .copies = 2},
                                      soon(), &found, &row),
                     DB_PROTOCOL);
    assert_string_equal(session_error(&world.session)->message,
                        "query find_number: 2 rows came, not at most one");
    assert_int_equal(session_state(&world.session), SESSION_OPEN);
}

/* "one" promises a row to its caller: without one there is nothing to return. */
static void generated_one_without_its_row_is_an_error(void **state)
{
    (void)state;
    struct count_rows_row row = {.number = 42};
    assert_int_equal(count_rows_exec(&world.session, &world.arena,
                                     &(struct count_rows_params){.rows = 0}, soon(), &row),
                     DB_PROTOCOL);
    assert_int_equal(count_rows_exec(&world.session, &world.arena,
                                     &(struct count_rows_params){.rows = 2}, soon(), &row),
                     DB_PROTOCOL);
    assert_int_equal(row.number, 42);
    assert_ok(count_rows_exec(&world.session, &world.arena, &(struct count_rows_params){.rows = 1},
                              soon(), &row));
    assert_int_equal(row.number, 1);
}

/* An author's "not null" that proves wrong is an error with the column's name, not a zero. */
static void generated_null_against_the_authors_word_is_an_error(void **state)
{
    (void)state;
    struct count_rows_row row = {.number = 42};
    assert_int_equal(count_rows_exec(&world.session, &world.arena,
                                     &(struct count_rows_params){.rows = -1}, soon(), &row),
                     DB_PROTOCOL);
    assert_string_equal(session_error(&world.session)->message,
                        "query count_rows, column \"number\": a value is NULL that may not be");
    assert_int_equal(row.number, 42);
    assert_int_equal(session_state(&world.session), SESSION_OPEN);
}

/* A program that meets another schema than it was built for must notice, not misread. */
static void generated_query_on_another_schema_is_refused(void **state)
{
    (void)state;
    struct session other;
    struct read_version_row row;
    assert_ok(read_version_exec(&world.session, soon(), &row));
    assert_int_equal(
        scratch_postgres_execute(world.server.owner_url,
                                 "ALTER TABLE schema_version ALTER COLUMN version TYPE bigint"),
        0);
    session_init(&other, &world.config);
    assert_int_equal(session_open(&other, soon()), DB_OK);
    assert_int_equal(read_version_exec(&other, soon(), &row), DB_STATEMENT);
    assert_string_equal(session_error(&other)->message,
                        "query read_version: column \"version\" came with type 20, it was built "
                        "for 23");
    session_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(generated_values_of_every_type_come_back, set_up),
        cmocka_unit_test_setup(generated_empty_text_is_not_null, set_up),
        cmocka_unit_test_setup(generated_nulls_come_back_as_nulls, set_up),
        cmocka_unit_test_setup(generated_nullables_with_values_come_back, set_up),
        cmocka_unit_test_setup(generated_arrays_come_back_in_order, set_up),
        cmocka_unit_test_setup(generated_empty_arrays_come_back_empty, set_up),
        cmocka_unit_test_setup(generated_params_that_do_not_fit_are_refused, set_up),
        cmocka_unit_test_setup(generated_queries_in_one_group_come_in_order, set_up),
        cmocka_unit_test_setup(generated_rows_can_be_streamed, set_up),
        cmocka_unit_test_setup(generated_optional_tells_none_from_one_from_two, set_up),
        cmocka_unit_test_setup(generated_one_without_its_row_is_an_error, set_up),
        cmocka_unit_test_setup(generated_null_against_the_authors_word_is_an_error, set_up),
        cmocka_unit_test_setup(generated_query_on_another_schema_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_world, tear_down_world);
}
