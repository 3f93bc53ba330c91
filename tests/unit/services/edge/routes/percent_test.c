#include "edge/routes/percent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int decode(const char *encoded, bool plus_is_space, char *ret_text)
{
    size_t length = 0;
    int error = percent_decode(slice_of(encoded), plus_is_space, ret_text, &length);
    if (error == 0) {
        assert_int_equal(length, strlen(ret_text));
    }
    return error;
}

/* Clients write ids in any spelling that RFC 3986 allows; they mean the same. */
static void percent_decode_escapes_become_bytes(void **state)
{
    char text[64];
    (void)state;
    assert_int_equal(decode("a%2Fb%c3%A9", false, text), 0);
    assert_string_equal(text, "a/b\xc3\xa9");
    assert_int_equal(decode("a+b%2B", false, text), 0);
    assert_string_equal(text, "a+b+");
    assert_int_equal(decode("a+b%2B", true, text), 0);
    assert_string_equal(text, "a b+");
}

/* A zero byte would cut a C string short and turn one customer into another. */
static void percent_decode_broken_or_dangerous_escapes_are_refused(void **state)
{
    static const char *const broken[] = {"%", "%2", "%zz", "%2x", "a%00b", "%ff", "%ed%a0%80"};
    char text[64];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_int_equal(decode(broken[i], false, text), -EINVAL);
    }
}

/* A literal of a route is matched by what it decodes to, whole and nothing more. */
static void percent_spells_compares_decoded_text(void **state)
{
    (void)state;
    assert_true(percent_spells(slice_of("sales"), "sales"));
    assert_true(percent_spells(slice_of("%73ales"), "sales"));
    assert_false(percent_spells(slice_of("sale"), "sales"));
    assert_false(percent_spells(slice_of("saless"), "sales"));
    assert_false(percent_spells(slice_of("%7"), "sales"));
    assert_false(percent_spells(slice_of(""), "sales"));
}

/* A Location must lead to the same order when it is sent back. */
static void percent_encode_round_trips(void **state)
{
    const char *text = "c 1/\xc3\xa9?&=%+~";
    char encoded[64];
    char decoded[64];
    (void)state;
    size_t length = percent_encode(slice_of(text), encoded);
    encoded[length] = '\0';
    assert_string_equal(encoded, "c%201%2F%C3%A9%3F%26%3D%25%2B~");
    assert_int_equal(decode(encoded, true, decoded), 0);
    assert_string_equal(decoded, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_decode_escapes_become_bytes),
        cmocka_unit_test(percent_decode_broken_or_dangerous_escapes_are_refused),
        cmocka_unit_test(percent_spells_compares_decoded_text),
        cmocka_unit_test(percent_encode_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
