#include "protojson/json_number.h"

/* Exponents beyond this are as good as it: no text that fits in memory has more digits. */
#define EXPONENT_MAX INT64_C(1000000000000)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(const char *text, size_t at, size_t length)
{
    while (at < length && is_digit(text[at])) {
        at++;
    }
    return at;
}

bool json_number_is_valid(const char *text, size_t length)
{
    size_t at = length > 0 && text[0] == '-' ? 1 : 0;
    size_t integer = at;
    at = skip_digits(text, at, length);
    if (at == integer || (text[integer] == '0' && at > integer + 1)) {
        return false;
    }
    if (at < length && text[at] == '.') {
        size_t fraction = ++at;
        at = skip_digits(text, at, length);
        if (at == fraction) {
            return false;
        }
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-')) {
            at++;
        }
        size_t exponent = at;
        at = skip_digits(text, at, length);
        if (at == exponent) {
            return false;
        }
    }
    return at == length;
}

/* The digits after 'e', or 0 at the end of the text. */
static int64_t read_exponent(const char *text, size_t at, size_t length)
{
    if (at == length) {
        return 0;
    }
    at++;
    bool negative = text[at] == '-';
    if (negative || text[at] == '+') {
        at++;
    }
    int64_t exponent = 0;
    for (; at < length; at++) {
        exponent = exponent * 10 + (text[at] - '0');
        if (exponent > EXPONENT_MAX) {
            exponent = EXPONENT_MAX;
        }
    }
    return negative ? -exponent : exponent;
}

/* Adds one decimal digit, or says that 64 bits do not hold the result. */
static bool push_digit(uint64_t *magnitude, unsigned digit)
{
    uint64_t shifted;
    return !__builtin_mul_overflow(*magnitude, 10, &shifted) &&
           !__builtin_add_overflow(shifted, digit, magnitude);
}

/*
 * The general form. Digits are taken left to right without their point; zeros are held back until a
 * digit follows them, so that what is held back at the end is a power of ten, to be weighed against
 * the exponent and the point.
 */
static bool convert(const char *text, size_t at, size_t length, uint64_t *ret_magnitude)
{
    uint64_t magnitude = 0;
    int64_t zeros = 0;
    int64_t fraction_digits = 0;
    bool in_fraction = false;
    for (; at < length && text[at] != 'e' && text[at] != 'E'; at++) {
        if (text[at] == '.') {
            in_fraction = true;
            continue;
        }
        fraction_digits += in_fraction;
        if (text[at] == '0') {
            zeros += magnitude > 0;
            continue;
        }
        for (; zeros > 0; zeros--) {
            if (!push_digit(&magnitude, 0)) {
                return false;
            }
        }
        if (!push_digit(&magnitude, (unsigned)(text[at] - '0'))) {
            return false;
        }
    }
    if (magnitude == 0) {
        *ret_magnitude = 0;
        return true;
    }
    int64_t power = read_exponent(text, at, length) + zeros - fraction_digits;
    if (power < 0) {
        return false;
    }
    for (; power > 0; power--) {
        if (!push_digit(&magnitude, 0)) {
            return false;
        }
    }
    *ret_magnitude = magnitude;
    return true;
}

bool json_number_to_integer(const char *text, size_t length, bool *ret_negative,
                            uint64_t *ret_magnitude)
{
    enum { DIGITS_THAT_ALWAYS_FIT = 19 };
    size_t start = text[0] == '-' ? 1 : 0;
    uint64_t magnitude = 0;
    size_t at = start;
    for (; at < length && is_digit(text[at]) && at - start < DIGITS_THAT_ALWAYS_FIT; at++) {
        magnitude = magnitude * 10 + (uint64_t)(text[at] - '0');
    }
    if (at < length && !convert(text, start, length, &magnitude)) {
        return false;
    }
    *ret_negative = start == 1;
    *ret_magnitude = magnitude;
    return true;
}
