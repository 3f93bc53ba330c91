/* Numbers in the form that JSON gives them (RFC 8259, 6). Any thread; nothing is kept. */
#ifndef PROTOJSON_JSON_NUMBER_H
#define PROTOJSON_JSON_NUMBER_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether text is one JSON number and nothing else: no plus sign, no leading zero, no space. */
bool json_number_is_valid(const char *text, size_t length) MUST_CHECK;

/*
 * The exact value of a valid number if it is whole, written as it may be: 100, 1e2, 100.0. False if
 * it has a fraction or its magnitude is over 2^64 - 1; the results are then untouched.
 */
bool json_number_to_integer(const char *text, size_t length, bool *ret_negative,
                            uint64_t *ret_magnitude) MUST_CHECK;

#endif
