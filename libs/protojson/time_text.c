#include "protojson/time_text.h"

#include <string.h>

#define SECONDS_PER_DAY INT64_C(86400)
#define NANO_DIGITS     9

/* A text that is consumed from the left; ok turns false at the first thing that does not fit. */
struct cursor {
    const char *at, *end;
    bool ok;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_char(struct cursor *cursor, char wanted)
{
    if (cursor->at < cursor->end && *cursor->at == wanted) {
        cursor->at++;
        return true;
    }
    return false;
}

static void expect_char(struct cursor *cursor, char wanted)
{
    cursor->ok = take_char(cursor, wanted) && cursor->ok;
}

/* Exactly count digits, whose value lies within min and max. */
static int expect_number(struct cursor *cursor, int count, int min, int max)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (cursor->at == cursor->end || !is_digit(*cursor->at)) {
            cursor->ok = false;
            return min;
        }
        value = value * 10 + (*cursor->at++ - '0');
    }
    cursor->ok = cursor->ok && value >= min && value <= max;
    return value;
}

/* Nothing, or a point and one to nine digits. */
static int32_t take_fraction(struct cursor *cursor)
{
    if (!take_char(cursor, '.')) {
        return 0;
    }
    int32_t nanos = 0;
    int digits = 0;
    for (; cursor->at < cursor->end && is_digit(*cursor->at) && digits < NANO_DIGITS; digits++) {
        nanos = nanos * 10 + (*cursor->at++ - '0');
    }
    cursor->ok = cursor->ok && digits > 0;
    for (; digits < NANO_DIGITS; digits++) {
        nanos *= 10;
    }
    return nanos;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/*
 * Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
 * the leap day is a year's last; 400 of them have 146,097 days.
 */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t month_from_march = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* Seconds that the local time is ahead of UTC. */
static int64_t expect_offset(struct cursor *cursor)
{
    if (take_char(cursor, 'Z')) {
        return 0;
    }
    bool west = take_char(cursor, '-');
    if (!west) {
        expect_char(cursor, '+');
    }
    int hours = expect_number(cursor, 2, 0, 23);
    expect_char(cursor, ':');
    int minutes = expect_number(cursor, 2, 0, 59);
    int64_t seconds = hours * INT64_C(3600) + minutes * INT64_C(60);
    return west ? -seconds : seconds;
}

bool time_text_parse_timestamp(const char *text, size_t length, int64_t *ret_seconds,
                               int32_t *ret_nanos)
{
    struct cursor cursor = {text, text + length, true};
    int year = expect_number(&cursor, 4, 1, 9999);
    expect_char(&cursor, '-');
    int month = expect_number(&cursor, 2, 1, 12);
    expect_char(&cursor, '-');
    int day = expect_number(&cursor, 2, 1, 31);
    expect_char(&cursor, 'T');
    int hour = expect_number(&cursor, 2, 0, 23);
    expect_char(&cursor, ':');
    int minute = expect_number(&cursor, 2, 0, 59);
    expect_char(&cursor, ':');
    int second = expect_number(&cursor, 2, 0, 59);
    int32_t nanos = take_fraction(&cursor);
    int64_t offset = expect_offset(&cursor);
    if (!cursor.ok || cursor.at != cursor.end || day > days_in_month(year, month)) {
        return false;
    }
    int64_t seconds = days_from_date(year, month, day) * SECONDS_PER_DAY + hour * INT64_C(3600) +
                      minute * INT64_C(60) + second - offset;
    if (seconds < TIME_TEXT_TIMESTAMP_SECONDS_MIN || seconds > TIME_TEXT_TIMESTAMP_SECONDS_MAX) {
        return false;
    }
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}

bool time_text_parse_duration(const char *text, size_t length, int64_t *ret_seconds,
                              int32_t *ret_nanos)
{
    struct cursor cursor = {text, text + length, true};
    bool negative = take_char(&cursor, '-');
    const char *digits = cursor.at;
    int64_t seconds = 0;
    while (cursor.at < cursor.end && is_digit(*cursor.at) &&
           seconds <= TIME_TEXT_DURATION_SECONDS_MAX) {
        seconds = seconds * 10 + (*cursor.at++ - '0');
    }
    bool leading_zero = cursor.at - digits > 1 && digits[0] == '0';
    if (cursor.at == digits || leading_zero) {
        return false;
    }
    int32_t nanos = take_fraction(&cursor);
    expect_char(&cursor, 's');
    if (!cursor.ok || cursor.at != cursor.end || seconds > TIME_TEXT_DURATION_SECONDS_MAX) {
        return false;
    }
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return true;
}

/* Writes count decimal digits and returns what is behind them. */
static char *put_digits(char *out, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

static char *put_fraction(char *out, int32_t nanos)
{
    if (nanos == 0) {
        return out;
    }
    *out++ = '.';
    if (nanos % 1000000 == 0) {
        return put_digits(out, nanos / 1000000, 3);
    }
    if (nanos % 1000 == 0) {
        return put_digits(out, nanos / 1000, 6);
    }
    return put_digits(out, nanos, NANO_DIGITS);
}

/* The reverse of days_from_date(); days lies within the years 0001 to 9999. */
static char *put_date(char *out, int64_t days)
{
    int64_t since_march_0000 = days + 719468;
    int64_t era = since_march_0000 / 146097;
    int64_t day_of_era = since_march_0000 % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    out = put_digits(out, era * 400 + year_of_era + (month <= 2 ? 1 : 0), 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    return put_digits(out, day, 2);
}

size_t time_text_format_timestamp(int64_t seconds, int32_t nanos,
                                  char ret_text[TIME_TEXT_CHARS_MAX])
{
    if (seconds < TIME_TEXT_TIMESTAMP_SECONDS_MIN || seconds > TIME_TEXT_TIMESTAMP_SECONDS_MAX ||
        nanos < 0 || nanos >= TIME_TEXT_NANOS_PER_SECOND) {
        return 0;
    }
    int64_t from_start =
        seconds - TIME_TEXT_TIMESTAMP_SECONDS_MIN; /* a whole day, never negative */
    int64_t second_of_day = from_start % SECONDS_PER_DAY;
    int64_t days = from_start / SECONDS_PER_DAY + TIME_TEXT_TIMESTAMP_SECONDS_MIN / SECONDS_PER_DAY;
    char *out = put_date(ret_text, days);
    *out++ = 'T';
    out = put_digits(out, second_of_day / 3600, 2);
    *out++ = ':';
    out = put_digits(out, second_of_day / 60 % 60, 2);
    *out++ = ':';
    out = put_digits(out, second_of_day % 60, 2);
    out = put_fraction(out, nanos);
    *out++ = 'Z';
    return (size_t)(out - ret_text);
}

size_t time_text_format_duration(int64_t seconds, int32_t nanos, char ret_text[TIME_TEXT_CHARS_MAX])
{
    bool negative = seconds < 0 || nanos < 0;
    bool same_sign = (seconds <= 0 && nanos <= 0) || (seconds >= 0 && nanos >= 0);
    if (!same_sign || seconds < -TIME_TEXT_DURATION_SECONDS_MAX ||
        seconds > TIME_TEXT_DURATION_SECONDS_MAX || nanos <= -TIME_TEXT_NANOS_PER_SECOND ||
        nanos >= TIME_TEXT_NANOS_PER_SECOND) {
        return 0;
    }
    int64_t whole = negative ? -seconds : seconds;
    int digits = 1;
    for (int64_t rest = whole / 10; rest > 0; rest /= 10) {
        digits++;
    }
    char *out = ret_text;
    if (negative) {
        *out++ = '-';
    }
    out = put_digits(out, whole, digits);
    out = put_fraction(out, negative ? -nanos : nanos);
    *out++ = 's';
    return (size_t)(out - ret_text);
}
