#include "protojson/json_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* The grammar of RFC 8259 to the letter: a client that sends more is told so. */
static void json_number_of_the_grammar_is_valid(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "0",     "-0",  "1",    "10",    "0.5",
        "-0.50", "1e5", "1E+5", "1e-05", "123456789012345678901234567890",
        "0e0"};
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        assert_true(json_number_is_valid(valid[i], strlen(valid[i])));
    }
}

/* Each of these is a number to some library. */
static void json_number_of_another_grammar_is_invalid(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "",   "-",  "+1",  "01",  "-01", "00", ".5",  "1.",  "1.e1", "1e",  "1e+",
        " 1", "1 ", "0x1", "1_0", "1,0", "١",  "NaN", "inf", "1a",   "--1", "1e5.0",
    };
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        assert_false(json_number_is_valid(invalid[i], strlen(invalid[i])));
    }
}

struct whole_case {
    const char *text;
    bool negative;
    uint64_t magnitude;
};

/* A whole number may be written with a point or an exponent; its value must not pass a double. */
static void json_number_whole_is_exact(void **state)
{
    (void)state;
    static const struct whole_case cases[] = {
        {"0", false, 0},
        {"-0", true, 0},
        {"-0.000", true, 0},
        {"0e999999999999999999999", false, 0},
        {"0.0e-999999999999999999999", false, 0},
        {"7", false, 7},
        {"-7", true, 7},
        {"1e5", false, 100000},
        {"1E+5", false, 100000},
        {"100000.000", false, 100000},
        {"1.5e1", false, 15},
        {"150e-1", false, 15},
        {"0.0000015e7", false, 15},
        {"1200.00e-2", false, 12},
        {"9007199254740993", false, UINT64_C(9007199254740993)},
        {"9223372036854775807", false, UINT64_C(9223372036854775807)},
        {"-9223372036854775808", true, UINT64_C(9223372036854775808)},
        {"18446744073709551615", false, UINT64_MAX},
        {"18446744073709551615.0", false, UINT64_MAX},
        {"1844674407370955161.5e1", false, UINT64_MAX},
        {"10000000000000000000", false, UINT64_C(10000000000000000000)},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool negative = !cases[i].negative;
        uint64_t magnitude = ~cases[i].magnitude;
        assert_true(json_number_is_valid(cases[i].text, strlen(cases[i].text)));
        assert_true(
            json_number_to_integer(cases[i].text, strlen(cases[i].text), &negative, &magnitude));
        assert_int_equal(negative, cases[i].negative);
        assert_true(magnitude == cases[i].magnitude);
    }
}

/* Nothing is rounded and nothing wraps: a price of 0.5 is refused, not taken for 0. */
static void json_number_broken_or_too_large_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "0.5",
        "1e-1",
        "15e-1",
        "1.0000000000000000000001",
        "18446744073709551616",
        "99999999999999999999",
        "1e20",
        "1e999999999999999999999",
        "1e-999999999999999999999",
        "184467440737095516150e-1000",
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        bool negative;
        uint64_t magnitude;
        assert_false(json_number_to_integer(refused[i], strlen(refused[i]), &negative, &magnitude));
    }
}

/* A body may be one long number; it must cost no more than its length. */
static void json_number_of_many_digits_is_read(void **state)
{
    (void)state;
    enum { DIGITS = 100000 };
    char *text = malloc(DIGITS + 8);
    assert_non_null(text);
    memset(text, '0', DIGITS);
    memcpy(text, "0.", 2);
    memcpy(text + DIGITS, "1e99999", 7);
    bool negative;
    uint64_t magnitude;
    assert_true(json_number_to_integer(text, DIGITS + 7, &negative, &magnitude));
    assert_int_equal(magnitude, 1); /* 99,998 zeros and a 1 behind the point */
    memset(text, '9', DIGITS);
    assert_false(json_number_to_integer(text, DIGITS, &negative, &magnitude));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_number_of_the_grammar_is_valid),
        cmocka_unit_test(json_number_of_another_grammar_is_invalid),
        cmocka_unit_test(json_number_whole_is_exact),
        cmocka_unit_test(json_number_broken_or_too_large_is_refused),
        cmocka_unit_test(json_number_of_many_digits_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
