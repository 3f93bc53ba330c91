/*
 * UUIDs as 16 bytes in network order (RFC 9562), their text form, and the versions in use here:
 * version 7 (time-ordered) for sales. Orders have version 8, see order_id.h.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_BYTES      16
#define UUID_TEXT_CHARS 36 /* without the terminating NUL */

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

/* Parses exactly the 8-4-4-4-12 form, either case; false and ret untouched for anything else. */
bool uuid_parse(const char *text, size_t length, struct uuid *ret) MUST_CHECK;

/* Writes 36 lower-case characters and a NUL. */
void uuid_format(const struct uuid *uuid, char ret_text[UUID_TEXT_CHARS + 1]);

/* A version 7 UUID of wall_ms (milliseconds since 1970) and ten random bytes (RFC 9562, 5.7). */
struct uuid uuid_v7(uint64_t wall_ms, const uint8_t random[10]);

bool uuid_equal(const struct uuid *a, const struct uuid *b);

#endif
