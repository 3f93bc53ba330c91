#include "protojson/protojson_append.h"

#include "protojson/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CAPACITY_MIN 512

/* A capacity that holds needed bytes, twice the old one if the bound allows that. */
static size_t larger_capacity(const struct protojson_output *output, size_t needed)
{
    size_t capacity = output->capacity < CAPACITY_MIN ? CAPACITY_MIN : output->capacity;
    while (capacity < needed && capacity <= output->length_max / 2) {
        capacity *= 2;
    }
    return capacity < needed || capacity > output->length_max ? output->length_max : capacity;
}

char *protojson_append_reserve(struct protojson_output *output, size_t length)
{
    if (output->overflowed) {
        return NULL;
    }
    if (length <= output->capacity - output->length) {
        return output->bytes + output->length;
    }
    ProtobufCAllocator *allocator = output->allocator;
    char *bytes = NULL;
    size_t capacity = 0;
    if (length <= output->length_max - output->length) {
        capacity = larger_capacity(output, output->length + length);
        bytes = allocator->alloc(allocator->allocator_data, capacity);
    }
    if (bytes == NULL) {
        output->overflowed = true;
        return NULL;
    }
    if (output->bytes != NULL) {
        memcpy(bytes, output->bytes, output->length);
        allocator->free(allocator->allocator_data, output->bytes);
    }
    output->bytes = bytes;
    output->capacity = capacity;
    return bytes + output->length;
}

void protojson_append(struct protojson_output *output, const char *text, size_t length)
{
    char *at = protojson_append_reserve(output, length);
    if (at != NULL && length > 0) {
        memcpy(at, text, length);
        output->length += length;
    }
}

/* Writes the escape of a character below 0x20, of a quote or of a backslash; at most 6 bytes. */
static char *put_escape(char *out, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[] = "btn?fr"; /* 0x08 to 0x0d; 0x0b has none */
    *out++ = '\\';
    if (byte == '"' || byte == '\\') {
        *out++ = (char)byte;
    } else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b) {
        *out++ = letters[byte - 0x08];
    } else {
        memcpy(out, "u00", 3);
        out[3] = digits[byte >> 4];
        out[4] = digits[byte & 15];
        out += 5;
    }
    return out;
}

/* Eight bytes that are all the same. */
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of the lowest byte of word that is below bound, at most 0x80, is set; those above it
 * may be set without cause. */
static uint64_t bytes_below(uint64_t word, uint64_t bound)
{
    return (word - EIGHT(bound)) & ~word & EIGHT(0x80);
}

/* Whether eight bytes are plain for sure. */
static bool are_plain(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof(word));
    return ((word & EIGHT(0x80)) | bytes_below(word, 0x20) | bytes_below(word ^ EIGHT('"'), 1) |
            bytes_below(word ^ EIGHT('\\'), 1)) == 0;
}

/* How many characters from text on stand for themselves: ASCII but controls, quote, backslash. */
static size_t plain_length(const char *text, size_t length)
{
    size_t plain = 0;
    while (length - plain >= sizeof(uint64_t) && are_plain(text + plain)) {
        plain += sizeof(uint64_t);
    }
    while (plain < length) {
        unsigned char byte = (unsigned char)text[plain];
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') {
            break;
        }
        plain++;
    }
    return plain;
}

/* Appends the one character that text begins with and that is not plain; returns its bytes. */
static size_t append_special(struct protojson_output *output, const char *text, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    unsigned char byte = (unsigned char)text[0];
    if (byte < 0x80) {
        char escape[6];
        char *end = put_escape(escape, byte);
        protojson_append(output, escape, (size_t)(end - escape));
        return 1;
    }
    size_t taken = utf8_sequence_length(text, length);
    if (taken == 0) {
        protojson_append(output, replacement, sizeof(replacement) - 1);
        return 1;
    }
    protojson_append(output, text, taken);
    return taken;
}

/* Most strings hold nothing to escape: those are copied whole. */
void protojson_append_string(struct protojson_output *output, const char *text, size_t length)
{
    size_t plain = plain_length(text, length);
    if (plain == length) {
        char *at = protojson_append_reserve(output, length + 2);
        if (at != NULL) {
            at[0] = '"';
            memcpy(at + 1, text, length);
            at[length + 1] = '"';
            output->length += length + 2;
        }
        return;
    }
    protojson_append(output, "\"", 1);
    while (length > 0) {
        protojson_append(output, text, plain);
        text += plain;
        length -= plain;
        if (length > 0) {
            size_t taken = append_special(output, text, length);
            text += taken;
            length -= taken;
        }
        plain = plain_length(text, length);
    }
    protojson_append(output, "\"", 1);
}
