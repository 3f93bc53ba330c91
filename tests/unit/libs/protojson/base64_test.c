#include "protojson/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

struct vector {
    const char *bytes;
    size_t length;
    const char *text;
};

/* RFC 4648, 10, and bytes that need the two letters in which the alphabets differ. */
static const struct vector vectors[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xfb\xff\xfe", 3, "+//+"},
    {"\0\0", 2, "AAA="},
};

/* What is written must be what every other reader expects. */
static void base64_encode_matches_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char text[16];
        size_t length = BASE64_ENCODED_CHARS(vectors[i].length);
        assert_int_equal(length, strlen(vectors[i].text));
        base64_encode((const uint8_t *)vectors[i].bytes, vectors[i].length, text);
        assert_memory_equal(text, vectors[i].text, length);
    }
}

static void check_decode(const char *text, size_t text_length, const struct vector *vector)
{
    uint8_t bytes[16];
    size_t length = SIZE_MAX;
    assert_true(BASE64_DECODED_BYTES_MAX(text_length) <= sizeof(bytes));
    assert_true(base64_decode(text, text_length, bytes, &length));
    assert_int_equal(length, vector->length);
    assert_memory_equal(bytes, vector->bytes, length);
}

/* proto3 JSON readers take both alphabets, with padding or without. */
static void base64_decode_takes_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        check_decode(vectors[i].text, strlen(vectors[i].text), &vectors[i]);
        check_decode(vectors[i].text, strcspn(vectors[i].text, "="), &vectors[i]);
    }
    check_decode("-__-", 4, &vectors[7]);
}

/* Damaged data is refused rather than silently shortened. */
static void base64_decode_refuses_what_is_not_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {"A",     "AAAAA",    "A===",    "====", "=",
                                      "==",    "A=A=",     "Zg=",     "Z g=", "Zg\n",
                                      "Zm9v=", "Zg==Zg==", "\xc3\xa9"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t bytes[16];
        size_t length;
        assert_false(base64_decode(bad[i], strlen(bad[i]), bytes, &length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_encode_matches_the_rfc),
        cmocka_unit_test(base64_decode_takes_every_form),
        cmocka_unit_test(base64_decode_refuses_what_is_not_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
