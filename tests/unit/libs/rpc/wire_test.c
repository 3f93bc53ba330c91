/* The walk over untrusted bytes: what it lets through, protobuf-c must survive. */
#include "rpc/wire.h"

#include <echo.pb-c.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTE (&echo__v1__note__descriptor)

enum { DEPTH_MAX = 8 };

/* A copy of exactly length bytes, so that AddressSanitizer sees any step beyond them. */
static int check(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    int error = rpc_wire_check(NOTE, copy, length, DEPTH_MAX);
    free(copy);
    return error;
}

#define CHECK_BYTES(...)                                                                           \
    check((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Newer callers send fields that we do not know; they are none of our business. */
static void wire_unknown_fields_of_every_type_are_accepted(void **state)
{
    (void)state;
    assert_int_equal(check("", 0), 0);
    assert_int_equal(CHECK_BYTES(0x0a, 2, 'h', 'i', 0x28, 7), 0);
    assert_int_equal(CHECK_BYTES(0xf8, 0x01, 0x96, 0x01), 0);             /* 31: varint */
    assert_int_equal(CHECK_BYTES(0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8), 0); /* 64 bits */
    assert_int_equal(CHECK_BYTES(0xfd, 0x01, 1, 2, 3, 4), 0);             /* 32 bits */
    assert_int_equal(CHECK_BYTES(0xfa, 0x01, 2, 0xff, 0xff), 0);          /* bytes */
    assert_int_equal(CHECK_BYTES(0x12, 2, 0xff, 0), 0);                   /* known bytes */
}

/* Each is a way to make a careless parser read beyond the end. */
static void wire_broken_framing_is_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK_BYTES(0x0a), -EBADMSG);              /* no length */
    assert_int_equal(CHECK_BYTES(0x0a, 3, 'h', 'i'), -EBADMSG); /* cut short */
    assert_int_equal(CHECK_BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff), -EBADMSG);
    assert_int_equal(CHECK_BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
                     -EBADMSG);                          /* near 2^64 */
    assert_int_equal(CHECK_BYTES(0x28), -EBADMSG);       /* no varint */
    assert_int_equal(CHECK_BYTES(0x28, 0x80), -EBADMSG); /* unfinished */
    assert_int_equal(
        CHECK_BYTES(0x28, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0),
        -EBADMSG);                                                               /* eleven bytes */
    assert_int_equal(CHECK_BYTES(0xf9, 0x01, 1, 2, 3), -EBADMSG);                /* 64 bits, cut */
    assert_int_equal(CHECK_BYTES(0xfd, 0x01, 1), -EBADMSG);                      /* 32 bits, cut */
    assert_int_equal(CHECK_BYTES(0x02, 0), -EBADMSG);                            /* field 0 */
    assert_int_equal(CHECK_BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0x01), -EBADMSG); /* field 2^32 */
    assert_int_equal(CHECK_BYTES(0x0b, 0x0c), -EBADMSG);                         /* a group */
    assert_int_equal(CHECK_BYTES(0x0f), -EBADMSG);                               /* wire type 7 */
}

/* proto3 strings are UTF-8; a C string ends at its first NUL. Lists and inner messages too. */
static void wire_strings_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_int_equal(CHECK_BYTES(0x0a, 2, 0xc3, 0xbc), 0);
    assert_int_equal(CHECK_BYTES(0x0a, 1, 0xc3), -EILSEQ);
    assert_int_equal(CHECK_BYTES(0x0a, 3, 'a', 0, 'b'), -EILSEQ);
    assert_int_equal(CHECK_BYTES(0x1a, 1, 'a', 0x1a, 1, 0xff), -EILSEQ);
    assert_int_equal(CHECK_BYTES(0x22, 3, 0x0a, 1, 0xff), -EILSEQ);
}

/* protobuf-c takes about a kilobyte of stack a level and has no bound of its own. */
static void wire_nesting_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[2 * DEPTH_MAX];
    size_t length = 0;
    for (int levels = 1; levels <= DEPTH_MAX; levels++) {
        assert_int_equal(check(bytes + sizeof(bytes) - length, length), 0);
        length += 2;
        bytes[sizeof(bytes) - length] = 0x22;
        bytes[sizeof(bytes) - length + 1] = (uint8_t)(length - 2);
    }
    assert_int_equal(check(bytes, length), -ELOOP);
}

/* Anything at all may come in; it is read or refused, and never read beyond. */
static void wire_random_bytes_never_read_beyond_the_end(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[48];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525u + 1013904223u;
            static const uint8_t likely[] = {0x0a, 0x22, 0x1a, 0x28, 0, 1, 2, 4};
            bytes[i] = seed >> 31 ? likely[seed >> 20 & 7] : (uint8_t)(seed >> 16);
        }
        size_t length = seed % (sizeof(bytes) + 1);
        if (check(bytes, length) == 0) {
            ProtobufCMessage *message = protobuf_c_message_unpack(NOTE, NULL, length, bytes);
            if (message != NULL) {
                protobuf_c_message_free_unpacked(message, NULL);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_unknown_fields_of_every_type_are_accepted),
        cmocka_unit_test(wire_broken_framing_is_refused),
        cmocka_unit_test(wire_strings_that_are_none_are_refused),
        cmocka_unit_test(wire_nesting_is_bounded),
        cmocka_unit_test(wire_random_bytes_never_read_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
