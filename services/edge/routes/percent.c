#include "edge/routes/percent.h"

#include "base/text.h"

#include <errno.h>

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

int percent_decode(struct slice encoded, bool plus_is_space, char *ret_text, size_t *ret_length)
{
    size_t length = 0;
    for (size_t at = 0; at < encoded.length;) {
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
    for (size_t at = 0; at < encoded.length; matched++) {
        int byte = next_byte(encoded, &at);
        if (byte <= 0 || text[matched] == '\0' || byte != (unsigned char)text[matched]) {
            return false;
        }
    }
    return text[matched] == '\0';
}

static bool is_unreserved(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '.' ||
           character == '_' || character == '~';
}

size_t percent_encode(struct slice text, char *ret_encoded)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        if (is_unreserved(text.bytes[at])) {
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
