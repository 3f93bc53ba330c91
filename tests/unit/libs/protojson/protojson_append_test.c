#include "protojson/protojson_append.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct protojson_output output_of(struct fixture *fixture, size_t length_max)
{
    return (struct protojson_output){.length_max = length_max, .allocator = &fixture->allocator};
}

static void free_output(struct fixture *fixture, struct protojson_output *output)
{
    fixture->allocator.free(fixture, output->bytes);
}

static void check_string(struct fixture *fixture, const char *text, size_t length,
                         const char *expected)
{
    struct protojson_output output = output_of(fixture, 1000);
    protojson_append_string(&output, text, length);
    assert_false(output.overflowed);
    assert_int_equal(output.length, strlen(expected));
    assert_memory_equal(output.bytes, expected, output.length);
    free_output(fixture, &output);
}

/* What is written must be JSON whatever a title or a header held. */
static void protojson_append_string_is_escaped(void **state)
{
    check_string(*state, "", 0, "\"\"");
    check_string(*state, "plain text /", 12, "\"plain text /\"");
    check_string(*state, "\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
    check_string(*state, "\0\x01\x0b\x1f\x7f", 5, "\"\\u0000\\u0001\\u000b\\u001f\x7f\"");
    check_string(*state, "é\xf0\x9f\x98\x81", 6, "\"é\xf0\x9f\x98\x81\"");
    check_string(*state, "a\"b", 3, "\"a\\\"b\"");
}

/* Text is looked at eight bytes at a time: none may slip through anywhere in the eight. */
static void protojson_append_string_is_escaped_at_every_place(void **state)
{
    static const char marked[] = {'\x1f', '"', '\\', '\x01'};
    static const char *const escapes[] = {"\\u001f", "\\\"", "\\\\", "\\u0001"};
    for (size_t at = 0; at < 20; at++) {
        for (size_t i = 0; i < sizeof(marked); i++) {
            char text[] = "  !#[]~\x7f  !#[]~\x7f  !#";
            char expected[40];
            text[at] = marked[i];
            (void)snprintf(expected, sizeof(expected), "\"%.*s%s%s\"", (int)at, text, escapes[i],
                           text + at + 1);
            check_string(*state, text, strlen(text), expected);
        }
    }
}

/* Bytes that are no UTF-8 would make the whole reply unreadable; each becomes U+FFFD. */
static void protojson_append_string_is_mended(void **state)
{
    check_string(*state,
                 "a\xff"
                 "b",
                 3,
                 "\"a\xef\xbf\xbd"
                 "b\"");
    check_string(*state, "\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_string(*state, "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

/* An output grows to its bound exactly; past it everything is dropped, to be noticed once. */
static void protojson_append_over_the_bound_overflows(void **state)
{
    struct fixture *fixture = *state;
    for (size_t length_max = 0; length_max < 1200; length_max += 7) {
        struct protojson_output output = output_of(fixture, length_max);
        for (size_t i = 0; i < length_max; i++) {
            protojson_append(&output, "x", 1);
        }
        assert_false(output.overflowed);
        assert_int_equal(output.length, length_max);
        protojson_append(&output, "y", 1);
        assert_true(output.overflowed);
        protojson_append(&output, "", 0);
        protojson_append_string(&output, "a\n", 2);
        assert_int_equal(output.length, length_max);
        free_output(fixture, &output);
    }
}

/* A string that would just not fit is dropped, and what follows it too, though it would fit. */
static void protojson_append_after_an_overflow_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct protojson_output output = output_of(fixture, 10);
    protojson_append_string(&output, "12345678", 8);
    assert_false(output.overflowed);
    output.length = 0;
    protojson_append_string(&output, "123456789", 9);
    assert_true(output.overflowed);
    protojson_append(&output, "1", 1);
    assert_int_equal(output.length, 0);
    free_output(fixture, &output);
}

/* Memory that runs out is the same to the caller as the bound. */
static void protojson_append_without_memory_overflows(void **state)
{
    struct fixture *fixture = *state;
    for (size_t fail_at = 0; fail_at < 3; fail_at++) {
        struct protojson_output output = output_of(fixture, 100000);
        fixture->fail_at = fixture->allocations + fail_at;
        for (size_t i = 0; i < 500; i++) {
            protojson_append_string(&output, "0123456789\n", 11);
        }
        assert_true(output.overflowed);
        fixture->fail_at = SIZE_MAX;
        free_output(fixture, &output);
    }
}

/* The caller may give a first buffer; it is filled before anything is allocated. */
static void protojson_append_uses_the_given_buffer_first(void **state)
{
    struct fixture *fixture = *state;
    struct protojson_output output = output_of(fixture, 1000);
    output.bytes = fixture->allocator.alloc(fixture, 8);
    output.capacity = 8;
    protojson_append(&output, "12345678", 8);
    assert_int_equal(fixture->allocations, 1);
    protojson_append(&output, "9", 1);
    assert_int_equal(fixture->allocations, 2);
    assert_memory_equal(output.bytes, "123456789", 9);
    free_output(fixture, &output);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(protojson_append_string_is_escaped),
        TEST(protojson_append_string_is_escaped_at_every_place),
        TEST(protojson_append_string_is_mended),
        TEST(protojson_append_over_the_bound_overflows),
        TEST(protojson_append_after_an_overflow_is_dropped),
        TEST(protojson_append_without_memory_overflows),
        TEST(protojson_append_uses_the_given_buffer_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
