#include "protojson/utf8.h"

#include <stdbool.h>

static bool is_continuation(const unsigned char *bytes, size_t length, size_t at)
{
    return at < length && (bytes[at] & 0xc0) == 0x80;
}

size_t utf8_sequence_length(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (length == 0 || bytes[0] < 0x80) {
        return length == 0 ? 0 : 1;
    }
    if (!is_continuation(bytes, length, 1) || bytes[0] < 0xc2) {
        return 0; /* a continuation byte by itself, or two bytes for what one would hold */
    }
    if (bytes[0] < 0xe0) {
        return 2;
    }
    if (!is_continuation(bytes, length, 2)) {
        return 0;
    }
    if (bytes[0] < 0xf0) {
        bool overlong = bytes[0] == 0xe0 && bytes[1] < 0xa0;
        bool surrogate = bytes[0] == 0xed && bytes[1] >= 0xa0;
        return overlong || surrogate ? 0 : 3;
    }
    bool overlong = bytes[0] == 0xf0 && bytes[1] < 0x90;
    bool too_large = bytes[0] > 0xf4 || (bytes[0] == 0xf4 && bytes[1] >= 0x90);
    return overlong || too_large || !is_continuation(bytes, length, 3) ? 0 : 4;
}
