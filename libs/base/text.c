#include "base/text.h"

#include <stdint.h>
#include <string.h>

bool text_is_printable_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

/* The bytes that follow a lead byte, and the range of the first of them (RFC 3629, section 4). */
static int sequence_of(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 1;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 2;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 3 : -1;
}

/* How many of the bytes are ASCII for sure, eight at a time. */
static size_t ascii_length(const char *text, size_t length)
{
    size_t ascii = 0;
    uint64_t word;
    while (length - ascii >= sizeof(word)) {
        memcpy(&word, text + ascii, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        ascii += sizeof(word);
    }
    return ascii;
}

bool text_is_utf8(const char *text, size_t length)
{
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t i = ascii_length(text, length); i < length;) {
        uint8_t low, high;
        if (bytes[i] < 0x80) {
            i++;
            continue;
        }
        int following = sequence_of(bytes[i++], &low, &high);
        if (following < 0) {
            return false;
        }
        for (; following > 0; following--, i++, low = 0x80, high = 0xbf) {
            if (i == length || bytes[i] < low || bytes[i] > high) {
                return false;
            }
        }
    }
    return true;
}

size_t text_utf8_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += ((uint8_t)text[i] & 0xc0) != 0x80;
    }
    return count;
}
