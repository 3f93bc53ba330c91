/* Base64 (RFC 4648): read in the standard or the URL-safe alphabet, written in the standard one. */
#ifndef PROTOJSON_BASE64_H
#define PROTOJSON_BASE64_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At least the bytes that length characters decode to. */
#define BASE64_DECODED_BYTES_MAX(length) ((length) / 4 * 3 + 3)

/* Exactly the characters that length bytes encode to, padding included. */
#define BASE64_ENCODED_CHARS(length) (((length) + 2) / 3 * 4)

/*
 * Decodes text, with or without its padding, into ret_bytes, which holds at least
 * BASE64_DECODED_BYTES_MAX(length). False when text is not base64.
 */
bool base64_decode(const char *text, size_t length, uint8_t *ret_bytes,
                   size_t *ret_length) MUST_CHECK;

/* Encodes into ret_text, which holds BASE64_ENCODED_CHARS(length); no NUL is added. */
void base64_encode(const uint8_t *bytes, size_t length, char *ret_text);

#endif
