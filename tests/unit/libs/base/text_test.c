#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* On the heap and without a NUL, so that a sanitizer sees a read past the end. */
static bool is_utf8(const char *text, size_t length)
{
    char *copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, text, length);
    bool result = text_is_utf8(copy, length);
    free(copy);
    return result;
}

#define IS_UTF8(literal) is_utf8(literal, sizeof(literal) - 1)

/* Customer ids and keys are printable ASCII; a byte more or less is another order. */
static void text_printable_ascii_is_space_to_tilde(void **state)
{
    (void)state;
    assert_true(text_is_printable_ascii("", 0));
    assert_true(text_is_printable_ascii(" az~", 4));
    assert_false(text_is_printable_ascii("a\x1f", 2));
    assert_false(text_is_printable_ascii("a\x7f", 2));
    assert_false(text_is_printable_ascii("a\0b", 3));
    assert_false(text_is_printable_ascii("\xc3\xa4", 2));
}

/* The bounds of RFC 3629's table, each from both sides. */
static void text_utf8_of_well_formed_sequences_is_true(void **state)
{
    (void)state;
    assert_true(IS_UTF8(""));
    assert_true(IS_UTF8("a\0b"));
    assert_true(IS_UTF8("\x7f\xc2\x80\xdf\xbf"));
    assert_true(IS_UTF8("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    assert_true(IS_UTF8("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

/* PostgreSQL refuses these with an error that would fail a whole batch. */
static void text_utf8_of_malformed_sequences_is_false(void **state)
{
    (void)state;
    assert_false(IS_UTF8("\x80"));
    assert_false(IS_UTF8("\xc0\xaf"));         /* overlong, two bytes */
    assert_false(IS_UTF8("\xc1\xbf"));         /* overlong, two bytes */
    assert_false(IS_UTF8("\xe0\x9f\xbf"));     /* overlong, three bytes */
    assert_false(IS_UTF8("\xf0\x8f\xbf\xbf")); /* overlong, four bytes */
    assert_false(IS_UTF8("\xed\xa0\x80"));     /* surrogate */
    assert_false(IS_UTF8("\xf4\x90\x80\x80")); /* above U+10FFFF */
    assert_false(IS_UTF8("\xf5\x80\x80\x80")); /* no such lead byte */
    assert_false(IS_UTF8("a\xff"));
    assert_false(IS_UTF8("\xe2\x82"));     /* cut short */
    assert_false(IS_UTF8("\xf0\x90\x80")); /* cut short */
    assert_false(IS_UTF8("\xc3"));         /* cut short */
    assert_false(IS_UTF8("\xe2\x82\x41")); /* broken off */
    assert_false(IS_UTF8("\xe2\x41\xac")); /* broken off */
    /* Behind the eight bytes that are looked at together, and as the last of them. */
    assert_false(IS_UTF8("abcdefgh\x80"));
    assert_false(IS_UTF8("abcdefg\x80"));
    assert_false(IS_UTF8("abcdefghabcdefg\xc3"));
}

/* A title is 1 to 200 characters, not bytes. */
static void text_utf8_count_counts_code_points(void **state)
{
    (void)state;
    assert_int_equal(text_utf8_count("", 0), 0);
    assert_int_equal(text_utf8_count("abc", 3), 3);
    assert_int_equal(text_utf8_count("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8e", 9), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_printable_ascii_is_space_to_tilde),
        cmocka_unit_test(text_utf8_of_well_formed_sequences_is_true),
        cmocka_unit_test(text_utf8_of_malformed_sequences_is_false),
        cmocka_unit_test(text_utf8_count_counts_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
