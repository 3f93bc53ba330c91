#include "base/uuid.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool dash_belongs_at(size_t index)
{
    return index == 8 || index == 13 || index == 18 || index == 23;
}

bool uuid_parse(const char *text, size_t length, struct uuid *ret)
{
    struct uuid uuid;
    size_t byte = 0;

    if (length != UUID_TEXT_CHARS) {
        return false;
    }
    for (size_t i = 0; i < length;) {
        if (dash_belongs_at(i)) {
            if (text[i++] != '-') {
                return false;
            }
            continue;
        }
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        uuid.bytes[byte++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    CHECK(byte == UUID_BYTES);
    *ret = uuid;
    return true;
}

void uuid_format(const struct uuid *uuid, char ret_text[UUID_TEXT_CHARS + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *out = ret_text;

    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (dash_belongs_at((size_t)(out - ret_text))) {
            *out++ = '-';
        }
        *out++ = digits[uuid->bytes[i] >> 4];
        *out++ = digits[uuid->bytes[i] & 15];
    }
    *out = '\0';
    CHECK(out == ret_text + UUID_TEXT_CHARS);
}

struct uuid uuid_v7(uint64_t wall_ms, const uint8_t random[10])
{
    struct uuid uuid;

    for (size_t i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)(wall_ms >> (40 - 8 * i));
    }
    memcpy(uuid.bytes + 6, random, 10);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x70);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, UUID_BYTES) == 0;
}
