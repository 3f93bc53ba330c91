#include "edge/routes/percent.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static int hex_value(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

/* The byte of the escape that begins at *at, or a negative number; *at moves behind it. */
static int next_byte(struct slice encoded, size_t *at)
{
    char character = encoded.bytes[*at];
    if (character != '%') {
        *at += 1;
        return (unsigned char)character;
    }
    if (encoded.length - *at < 3) {
        return -1;
    }
    int high = hex_value(encoded.bytes[*at + 1]);
    int low = hex_value(encoded.bytes[*at + 2]);
    if (high < 0 || low < 0) {
        return -1;
    }
    *at += 3;
    return high * 16 + low;
}

/* Whether the text has the character; an empty one may have no bytes. */
static bool holds(struct slice text, char character)
{
    return text.length > 0 && memchr(text.bytes, character, text.length) != NULL;
}

/* Nearly every text stands for itself. */
static bool is_literal(struct slice encoded, bool plus_is_space)
{
    return !holds(encoded, '%') && !holds(encoded, '\0') && !(plus_is_space && holds(encoded, '+'));
}

int percent_decode(struct slice encoded, bool plus_is_space, char *ret_text, size_t *ret_length)
{
    size_t length = 0;
    size_t first = 0;
    if (encoded.length > 0 && is_literal(encoded, plus_is_space)) {
        memcpy(ret_text, encoded.bytes, encoded.length);
        length = first = encoded.length;
    }
    for (size_t at = first; at < encoded.length;) {
        bool is_plus = plus_is_space && encoded.bytes[at] == '+';
        int byte = next_byte(encoded, &at);
        if (byte <= 0) {
            return -EINVAL;
        }
        ret_text[length++] = is_plus ? ' ' : (char)byte;
    }
    ret_text[length] = '\0';
    if (!text_is_utf8(ret_text, length)) {
        return -EINVAL;
    }
    *ret_length = length;
    return 0;
}

bool percent_spells(struct slice encoded, const char *text)
{
    size_t matched = 0;
    if (encoded.length > 0 && !holds(encoded, '%')) {
        return slice_equals(encoded, text);
    }
    for (size_t at = 0; at < encoded.length; matched++) {
        int byte = next_byte(encoded, &at);
        if (byte <= 0 || text[matched] == '\0' || byte != (unsigned char)text[matched]) {
            return false;
        }
    }
    return text[matched] == '\0';
}

/* Indexed by character: letters, digits, - . _ ~ */
static const bool unreserved[256] = {
    ['-'] = true, ['.'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true,
    ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
    ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true,
    ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true,
    ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true, ['Q'] = true, ['R'] = true,
    ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true, ['W'] = true, ['X'] = true,
    ['Y'] = true, ['Z'] = true, ['_'] = true, ['a'] = true, ['b'] = true, ['c'] = true,
    ['d'] = true, ['e'] = true, ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true,
    ['j'] = true, ['k'] = true, ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true,
    ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true, ['~'] = true,
};

size_t percent_encode(struct slice text, char *ret_encoded)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        if (unreserved[(unsigned char)text.bytes[at]]) {
            ret_encoded[length++] = text.bytes[at];
            continue;
        }
        unsigned char byte = (unsigned char)text.bytes[at];
        ret_encoded[length++] = '%';
        ret_encoded[length++] = digits[byte >> 4];
        ret_encoded[length++] = digits[byte & 15];
    }
    return length;
}
