#include "protojson/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

/* The first and the last character of each length, and those beside the gap of the surrogates. */
static void utf8_well_formed_has_its_length(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence_length("a", 1), 1);
    assert_int_equal(utf8_sequence_length("\0", 1), 1);
    assert_int_equal(utf8_sequence_length("\x7f", 1), 1);
    assert_int_equal(utf8_sequence_length("\xc2\x80", 2), 2);
    assert_int_equal(utf8_sequence_length("\xdf\xbf", 2), 2);
    assert_int_equal(utf8_sequence_length("\xe0\xa0\x80", 3), 3);
    assert_int_equal(utf8_sequence_length("\xed\x9f\xbf", 3), 3);
    assert_int_equal(utf8_sequence_length("\xee\x80\x80", 3), 3);
    assert_int_equal(utf8_sequence_length("\xef\xbf\xbf", 3), 3);
    assert_int_equal(utf8_sequence_length("\xf0\x90\x80\x80", 4), 4);
    assert_int_equal(utf8_sequence_length("\xf4\x8f\xbf\xbf", 4), 4);
}

/* Overlong forms and surrogates are how filters were fooled for years. */
static void utf8_ill_formed_has_none(void **state)
{
    (void)state;
    static const char *const ill[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe1\x80",
        "\xe1\x80\x41",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x90\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < sizeof(ill) / sizeof(ill[0]); i++) {
        assert_int_equal(utf8_sequence_length(ill[i], strlen(ill[i])), 0);
    }
    assert_int_equal(utf8_sequence_length("", 0), 0);
}

/* A character that goes on past the end of the text must not be read there. */
static void utf8_cut_off_has_none(void **state)
{
    (void)state;
    const char *smile = "\xf0\x9f\x98\x81";
    for (size_t length = 1; length < 4; length++) {
        assert_int_equal(utf8_sequence_length(smile, length), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_well_formed_has_its_length),
        cmocka_unit_test(utf8_ill_formed_has_none),
        cmocka_unit_test(utf8_cut_off_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
