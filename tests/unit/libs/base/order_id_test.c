#include "base/order_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SALE "018f4e5c-9a3b-7c2d-8e1f-0123456789ab"

/*
 * Made with sha256sum in a shell, not with this code: SHA-256 of the bytes in the comment, its
 * first 16 bytes, the nibble after the second dash set to 8 and the two bits after the third to 10.
 * They may never change: orders in databases have these ids.
 */
static const struct {
    const char *sale, *customer, *key, *id;
} vectors[] = {
    /* 01 018f4e5c9a3b7c2d8e1f0123456789ab 03 632d31 0003 6b2d31 */
    {SALE, "c-1", "k-1", "2a3ff46b-805e-84b7-9331-fa644f0e44d8"},
    /* 01 018f4e5c9a3b7c2d8e1f0123456789ab 01 61 0002 6263 */
    {SALE, "a", "bc", "0ed45d1a-9e41-86a1-8ff5-b05ecb1620b7"},
    /* 01 018f4e5c9a3b7c2d8e1f0123456789ab 02 6162 0001 63 */
    {SALE, "ab", "c", "cb0cfedd-5cc5-8631-b3d8-d0dbc9c02a2b"},
    /* 01 018f4e5c9a3b7c2d8e1f0123456789ab 00 0000 */
    {SALE, "", "", "f46888d1-2581-89f5-9567-ed9ff7972f98"},
};

static struct uuid parsed(const char *text)
{
    struct uuid uuid;
    assert_true(uuid_parse(text, strlen(text), &uuid));
    return uuid;
}

static void assert_id(struct uuid id, const char *expected)
{
    char text[UUID_TEXT_CHARS + 1];
    uuid_format(&id, text);
    assert_string_equal(text, expected);
}

/* Every replica and edge, of every release, must name the same order alike. */
static void order_id_of_fixed_vectors_is_theirs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct uuid sale = parsed(vectors[i].sale);
        assert_id(order_id_of(&sale, vectors[i].customer, strlen(vectors[i].customer),
                              vectors[i].key, strlen(vectors[i].key)),
                  vectors[i].id);
    }
}

/* The longest customer and key fit: 01, 16 zero bytes, 40 and 64 x 78, 00ff and 255 x 7e. */
static void order_id_of_the_longest_parts_is_the_vector(void **state)
{
    struct uuid sale = {0};
    char customer[ORDER_ID_CUSTOMER_CHARS_MAX], key[ORDER_ID_KEY_CHARS_MAX];
    (void)state;

    memset(customer, 'x', sizeof(customer));
    memset(key, '~', sizeof(key));
    assert_id(order_id_of(&sale, customer, sizeof(customer), key, sizeof(key)),
              "7f3ae504-9a2b-866f-9249-7814950b4ade");
}

/* Each of the three parts counts, or two different orders would be one. */
static void order_id_of_other_parts_differs(void **state)
{
    struct uuid sale = parsed(SALE), other_sale = sale;
    (void)state;

    other_sale.bytes[15] ^= 1;
    struct uuid id = order_id_of(&sale, "c", 1, "k", 1);
    struct uuid of_other_sale = order_id_of(&other_sale, "c", 1, "k", 1);
    struct uuid of_other_customer = order_id_of(&sale, "C", 1, "k", 1);
    struct uuid of_other_key = order_id_of(&sale, "c", 1, "K", 1);
    assert_false(uuid_equal(&id, &of_other_sale));
    assert_false(uuid_equal(&id, &of_other_customer));
    assert_false(uuid_equal(&id, &of_other_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_id_of_fixed_vectors_is_theirs),
        cmocka_unit_test(order_id_of_the_longest_parts_is_the_vector),
        cmocka_unit_test(order_id_of_other_parts_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
