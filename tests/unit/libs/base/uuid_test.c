#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LOWER "018f4e5c-9a3b-7c2d-8e1f-0123456789ab"

static const uint8_t lower_bytes[UUID_BYTES] = {0x01, 0x8f, 0x4e, 0x5c, 0x9a, 0x3b, 0x7c, 0x2d,
                                                0x8e, 0x1f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab};

/* Text and bytes are two forms of one thing. */
static void uuid_parse_and_format_are_inverse(void **state)
{
    struct uuid uuid;
    char text[UUID_TEXT_CHARS + 1];
    (void)state;

    assert_true(uuid_parse(LOWER, strlen(LOWER), &uuid));
    assert_memory_equal(uuid.bytes, lower_bytes, UUID_BYTES);
    uuid_format(&uuid, text);
    assert_string_equal(text, LOWER);
}

/* An upper-case id in a path is the same sale: rule B8 hashes bytes, not text. */
static void uuid_parse_of_upper_case_is_the_same(void **state)
{
    struct uuid uuid;
    (void)state;

    assert_true(uuid_parse("018F4E5C-9A3B-7C2D-8E1F-0123456789AB", UUID_TEXT_CHARS, &uuid));
    assert_memory_equal(uuid.bytes, lower_bytes, UUID_BYTES);
}

/* Anything but the 8-4-4-4-12 form is somebody's mistake, and must leave the output alone. */
static void uuid_parse_of_other_forms_is_refused(void **state)
{
    static const char *const others[] = {
        "",
        "018f4e5c-9a3b-7c2d-8e1f-0123456789a",
        "018f4e5c-9a3b-7c2d-8e1f-0123456789abc",
        "018f4e5c9a3b7c2d8e1f0123456789ab",
        "018f4e5c-9a3b-7c2d-8e1f00123456789ab",
        "018f4e5c-9a3b-7c2d-8e1-f0123456789ab",
        "018f4e5g-9a3b-7c2d-8e1f-0123456789ab",
        "018f4e5c-9a3b-7c2d-8e1f-01234567 9ab",
        "{18f4e5c-9a3b-7c2d-8e1f-0123456789a}",
        "-018f4e5-9a3b-7c2d-8e1f-0123456789ab",
        "018f4e5c-9a3b-7c2d-8e1f-0123456789+b",
    };
    struct uuid untouched;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct uuid uuid;
        memset(&uuid, 0x5a, sizeof(uuid));
        untouched = uuid;
        assert_false(uuid_parse(others[i], strlen(others[i]), &uuid));
        assert_true(uuid_equal(&uuid, &untouched));
    }
}

/* The example of RFC 9562, appendix A.6: time-ordered ids are what keeps the index local. */
static void uuid_v7_of_the_rfc_example_is_the_rfcs(void **state)
{
    /* rand_a 0xCC3 behind the version, rand_b 0x18C4DC0C0C07398F behind the variant. */
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    char text[UUID_TEXT_CHARS + 1];
    (void)state;

    struct uuid uuid = uuid_v7(UINT64_C(0x017f22e279b0), random);
    uuid_format(&uuid, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

/* Whatever the random bytes, version and variant are right and the rest of them is kept. */
static void uuid_v7_of_extreme_random_keeps_version_and_variant(void **state)
{
    uint8_t ones[10], zeros[10] = {0};
    (void)state;

    memset(ones, 0xff, sizeof(ones));
    struct uuid high = uuid_v7(UINT64_C(0xffffffffffff), ones);
    struct uuid low = uuid_v7(0, zeros);
    assert_int_equal(high.bytes[6], 0x7f);
    assert_int_equal(high.bytes[8], 0xbf);
    assert_int_equal(low.bytes[6], 0x70);
    assert_int_equal(low.bytes[8], 0x80);
    assert_int_equal(high.bytes[15], 0xff);
    assert_false(uuid_equal(&high, &low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuid_parse_and_format_are_inverse),
        cmocka_unit_test(uuid_parse_of_upper_case_is_the_same),
        cmocka_unit_test(uuid_parse_of_other_forms_is_refused),
        cmocka_unit_test(uuid_v7_of_the_rfc_example_is_the_rfcs),
        cmocka_unit_test(uuid_v7_of_extreme_random_keeps_version_and_variant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
