#include "protojson/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

struct time_case {
    const char *text;
    int64_t seconds;
    int32_t nanos;
    const char *written;
};

/* Offsets, fractions and the ends of the calendar; a sale must open when the client meant it to. */
static void time_text_timestamp_is_read_and_written(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
        {"0001-01-01T00:00:00Z", TIME_TEXT_TIMESTAMP_SECONDS_MIN, 0, "0001-01-01T00:00:00Z"},
        {"9999-12-31T23:59:59.999999999Z", TIME_TEXT_TIMESTAMP_SECONDS_MAX, 999999999,
         "9999-12-31T23:59:59.999999999Z"},
        {"1970-01-01T08:00:01+08:00", 1, 0, "1970-01-01T00:00:01Z"},
        {"1969-12-31T16:00:01-08:00", 1, 0, "1970-01-01T00:00:01Z"},
        {"1970-01-01T00:00:00+00:00", 0, 0, "1970-01-01T00:00:00Z"},
        {"1970-01-01T05:45:00+05:45", 0, 0, "1970-01-01T00:00:00Z"},
        {"1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.500Z"},
        {"2024-02-29T12:00:00.010Z", 1709208000, 10000000, "2024-02-29T12:00:00.010Z"},
        {"2000-02-29T00:00:00.00001Z", 951782400, 10000, "2000-02-29T00:00:00.000010Z"},
        {"2000-03-01T00:00:00.000000010Z", 951868800, 10, "2000-03-01T00:00:00.000000010Z"},
        {"2026-12-31T23:59:59.000000000Z", 1798761599, 0, "2026-12-31T23:59:59Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t seconds;
        int32_t nanos;
        char text[TIME_TEXT_CHARS_MAX];
        assert_true(
            time_text_parse_timestamp(cases[i].text, strlen(cases[i].text), &seconds, &nanos));
        assert_true(seconds == cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        size_t length = time_text_format_timestamp(seconds, nanos, text);
        assert_int_equal(length, strlen(cases[i].written));
        assert_memory_equal(text, cases[i].written, length);
    }
}

/* What is not RFC 3339, does not exist, or lies outside the range is refused. */
static void time_text_timestamp_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01t00:00:00Z",
        "2026-01-01T00:00:00z",
        "2026-01-01T00:00Z",
        "2026-1-01T00:00:00Z",
        "26-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2016-12-31T23:59:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.0000000001Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00ZZ",
        "2026-01-01T00:00:00Z ",
        " 2026-01-01T00:00:00Z",
        "+2026-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t seconds = 42;
        int32_t nanos = 42;
        assert_false(time_text_parse_timestamp(bad[i], strlen(bad[i]), &seconds, &nanos));
        assert_int_equal(seconds, 42);
    }
}

/* Every day of the calendar there and back, against the C library's own reckoning now and then. */
static void time_text_every_day_survives_a_round_trip(void **state)
{
    (void)state;
    for (int64_t seconds = TIME_TEXT_TIMESTAMP_SECONDS_MIN;
         seconds <= TIME_TEXT_TIMESTAMP_SECONDS_MAX; seconds += 86400) {
        char text[TIME_TEXT_CHARS_MAX];
        int64_t again = 0;
        int32_t nanos;
        size_t length = time_text_format_timestamp(seconds, 0, text);
        assert_int_equal(length, 20);
        assert_true(time_text_parse_timestamp(text, length, &again, &nanos));
        assert_true(again == seconds);
        if (seconds / 86400 % 97 == 0) {
            struct tm date;
            char expected[40];
            time_t time = (time_t)seconds;
            assert_non_null(gmtime_r(&time, &date));
            /* %Y does not pad the years before 1000. */
            size_t year = strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%SZ", &date);
            assert_memory_equal(text + 4, expected, year);
            assert_int_equal((text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 +
                                 (text[3] - '0'),
                             date.tm_year + 1900);
        }
    }
}

/* A message from a peer may hold anything; what has no text is said to have none. */
static void time_text_timestamp_out_of_range_has_no_text(void **state)
{
    (void)state;
    char text[TIME_TEXT_CHARS_MAX];
    assert_int_equal(time_text_format_timestamp(TIME_TEXT_TIMESTAMP_SECONDS_MIN - 1, 0, text), 0);
    assert_int_equal(time_text_format_timestamp(TIME_TEXT_TIMESTAMP_SECONDS_MAX + 1, 0, text), 0);
    assert_int_equal(time_text_format_timestamp(INT64_MIN, 0, text), 0);
    assert_int_equal(time_text_format_timestamp(INT64_MAX, 0, text), 0);
    assert_int_equal(time_text_format_timestamp(0, -1, text), 0);
    assert_int_equal(time_text_format_timestamp(0, TIME_TEXT_NANOS_PER_SECOND, text), 0);
}

/* The sign belongs to both parts, also when there are no whole seconds to carry it. */
static void time_text_duration_is_read_and_written(void **state)
{
    (void)state;
    static const struct time_case cases[] = {
        {"0s", 0, 0, "0s"},
        {"-0s", 0, 0, "0s"},
        {"1s", 1, 0, "1s"},
        {"1.000000000s", 1, 0, "1s"},
        {"1.5s", 1, 500000000, "1.500s"},
        {"1.01s", 1, 10000000, "1.010s"},
        {"1.00001s", 1, 10000, "1.000010s"},
        {"1.000000001s", 1, 1, "1.000000001s"},
        {"-0.5s", 0, -500000000, "-0.500s"},
        {"-1.5s", -1, -500000000, "-1.500s"},
        {"315576000000.999999999s", TIME_TEXT_DURATION_SECONDS_MAX, 999999999,
         "315576000000.999999999s"},
        {"-315576000000.999999999s", -TIME_TEXT_DURATION_SECONDS_MAX, -999999999,
         "-315576000000.999999999s"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t seconds;
        int32_t nanos;
        char text[TIME_TEXT_CHARS_MAX];
        assert_true(
            time_text_parse_duration(cases[i].text, strlen(cases[i].text), &seconds, &nanos));
        assert_true(seconds == cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
        size_t length = time_text_format_duration(seconds, nanos, text);
        assert_int_equal(length, strlen(cases[i].written));
        assert_memory_equal(text, cases[i].written, length);
    }
}

/* A duration without its unit is a guess. */
static void time_text_duration_of_another_form_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "s",
        "1",
        "-s",
        ".5s",
        "1.s",
        "+1s",
        "1 s",
        "1S",
        "1ms",
        "1m",
        "--1s",
        "01s",
        "1.0000000001s",
        "1.-5s",
        "1s ",
        "315576000001s",
        "-315576000001s",
        "99999999999999999999999s",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t seconds;
        int32_t nanos;
        assert_false(time_text_parse_duration(bad[i], strlen(bad[i]), &seconds, &nanos));
    }
}

/* As for timestamps; seconds and nanos that point different ways mean nothing either. */
static void time_text_duration_out_of_range_has_no_text(void **state)
{
    (void)state;
    char text[TIME_TEXT_CHARS_MAX];
    assert_int_equal(time_text_format_duration(TIME_TEXT_DURATION_SECONDS_MAX + 1, 0, text), 0);
    assert_int_equal(time_text_format_duration(-TIME_TEXT_DURATION_SECONDS_MAX - 1, 0, text), 0);
    assert_int_equal(time_text_format_duration(INT64_MIN, 0, text), 0);
    assert_int_equal(time_text_format_duration(1, -1, text), 0);
    assert_int_equal(time_text_format_duration(-1, 1, text), 0);
    assert_int_equal(time_text_format_duration(0, TIME_TEXT_NANOS_PER_SECOND, text), 0);
    assert_int_equal(time_text_format_duration(0, INT32_MIN, text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_text_timestamp_is_read_and_written),
        cmocka_unit_test(time_text_timestamp_of_another_form_is_refused),
        cmocka_unit_test(time_text_every_day_survives_a_round_trip),
        cmocka_unit_test(time_text_timestamp_out_of_range_has_no_text),
        cmocka_unit_test(time_text_duration_is_read_and_written),
        cmocka_unit_test(time_text_duration_of_another_form_is_refused),
        cmocka_unit_test(time_text_duration_out_of_range_has_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
