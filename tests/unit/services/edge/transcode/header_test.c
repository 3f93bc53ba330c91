#include "edge/transcode/header.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* A header given twice must be noticed, or two servers on the way may take different ones. */
static void header_find_counts_and_trims(void **state)
{
    const struct header entries[] = {{slice_of("a"), slice_of(" 1\t")},
                                     {slice_of("b"), slice_of("2")},
                                     {slice_of("a"), slice_of("3")}};
    const struct headers headers = {entries, COUNT_OF(entries)};
    struct slice value;
    (void)state;
    assert_int_equal(header_find(&headers, "a", &value), 2);
    assert_true(slice_equals(value, "1"));
    assert_int_equal(header_find(&headers, "b", &value), 1);
    assert_int_equal(header_find(&headers, "c", &value), 0);
}

static void assert_text(const char *value, const char *expected)
{
    char text[64];
    size_t length = 0;
    int error = header_text(slice_of(value), text, &length);
    if (expected == NULL) {
        assert_int_equal(error, -EINVAL);
        return;
    }
    assert_int_equal(error, 0);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

/* k and "k" are one key: else a client that changes its library orders twice. */
static void header_text_bare_and_quoted_are_the_same(void **state)
{
    (void)state;
    assert_text("k", "k");
    assert_text("\"k\"", "k");
    assert_text("\"a\\\"b\\\\c\"", "a\"b\\c");
    assert_text("a\"b", "a\"b");
    assert_text("a b", "a b");
}

/* What has no single reading is refused rather than guessed. */
static void header_text_broken_values_are_refused(void **state)
{
    static const char *const broken[] = {"",        "\"\"",     "\"",      "\"k",       "\"k\\",
                                         "\"\\x\"", "\"k\"; a", "\"k\"\"", "k\xc3\xa9", "k\tk"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_text(broken[i], NULL);
    }
}

/* Clients write the media type in many ways; other types and charsets would be read wrongly. */
static void header_is_json_knows_json_in_utf8(void **state)
{
    (void)state;
    assert_true(header_is_json(slice_of("application/json")));
    assert_true(header_is_json(slice_of("Application/JSON; charset=UTF-8")));
    assert_true(header_is_json(slice_of("application/json ;charset=\"utf-8\"")));
    assert_true(header_is_json(slice_of("application/json; profile=x")));
    assert_false(header_is_json(slice_of("application/json; charset=latin1")));
    assert_false(header_is_json(slice_of("text/json")));
    assert_false(header_is_json(slice_of("application/jsonp")));
    assert_false(header_is_json(slice_of("")));
}

/* A tag that matches by mistake shows a customer yesterday's stock. */
static void header_matches_etag_compares_weakly_and_whole(void **state)
{
    struct slice etag = slice_of("\"7-LIVE\"");
    (void)state;
    assert_true(header_matches_etag(slice_of("\"7-LIVE\""), etag));
    assert_true(header_matches_etag(slice_of("\"1\", W/\"7-LIVE\""), etag));
    assert_true(header_matches_etag(slice_of("*"), etag));
    assert_false(header_matches_etag(slice_of("\"7-LIV\""), etag));
    assert_false(header_matches_etag(slice_of("7-LIVE"), etag));
    assert_false(header_matches_etag((struct slice){NULL, 0}, etag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_find_counts_and_trims),
        cmocka_unit_test(header_text_bare_and_quoted_are_the_same),
        cmocka_unit_test(header_text_broken_values_are_refused),
        cmocka_unit_test(header_is_json_knows_json_in_utf8),
        cmocka_unit_test(header_matches_etag_compares_weakly_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
