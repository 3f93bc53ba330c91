#include "protojson/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits of a character, or -1. */
static int bits_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(const char *text, size_t length, uint8_t *ret_bytes, size_t *ret_length)
{
    if (length % 4 == 0 && length > 0 && text[length - 1] == '=') {
        length -= text[length - 2] == '=' ? 2 : 1;
    }
    if (length % 4 == 1) {
        return false;
    }
    uint32_t pending = 0;
    unsigned pending_bits = 0;
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        int bits = bits_of(text[i]);
        if (bits < 0) {
            return false;
        }
        pending = pending << 6 | (uint32_t)bits;
        pending_bits += 6;
        if (pending_bits >= 8) {
            pending_bits -= 8;
            ret_bytes[count++] = (uint8_t)(pending >> pending_bits);
        }
    }
    *ret_length = count;
    return true;
}

void base64_encode(const uint8_t *bytes, size_t length, char *ret_text)
{
    char *out = ret_text;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes[i + 2] : 0;
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[group & 63] : '=';
    }
}
