/*
 * The JSON text of google.protobuf.Timestamp (RFC 3339) and Duration ("1.5s"). Any thread.
 */
#ifndef PROTOJSON_TIME_TEXT_H
#define PROTOJSON_TIME_TEXT_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_NANOS_PER_SECOND 1000000000

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970. */
#define TIME_TEXT_TIMESTAMP_SECONDS_MIN INT64_C(-62135596800)
#define TIME_TEXT_TIMESTAMP_SECONDS_MAX INT64_C(253402300799)
/* Ten thousand years, either way; up to 999,999,999 nanoseconds may come on top. */
#define TIME_TEXT_DURATION_SECONDS_MAX INT64_C(315576000000)

/* The longest: "9999-12-31T23:59:59.999999999Z". */
#define TIME_TEXT_CHARS_MAX 32

/*
 * Parses YYYY-MM-DDThh:mm:ss with 0 to 9 fraction digits and Z or an offset (RFC 3339, 5.6; capital
 * T and Z). False for anything else, a day that does not exist, a leap second, and a moment outside
 * the years 0001 to 9999 UTC.
 */
bool time_text_parse_timestamp(const char *text, size_t length, int64_t *ret_seconds,
                               int32_t *ret_nanos) MUST_CHECK;

/* Parses "-1.5s": nanos then have the sign of seconds. False for anything else or out of range. */
bool time_text_parse_duration(const char *text, size_t length, int64_t *ret_seconds,
                              int32_t *ret_nanos) MUST_CHECK;

/*
 * Writes the text with Z and 0, 3, 6 or 9 fraction digits; returns its length, or 0 for a moment
 * that is out of range.
 */
size_t time_text_format_timestamp(int64_t seconds, int32_t nanos,
                                  char ret_text[TIME_TEXT_CHARS_MAX]) MUST_CHECK;

/* As above for a duration; 0 also when seconds and nanos differ in sign. */
size_t time_text_format_duration(int64_t seconds, int32_t nanos,
                                 char ret_text[TIME_TEXT_CHARS_MAX]) MUST_CHECK;

#endif
