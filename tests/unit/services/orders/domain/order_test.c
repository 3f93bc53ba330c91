#include "orders/domain/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

static size_t violations_of(const char *customer, const char *key, int32_t quantity,
                            const char **ret_field)
{
    struct violations violations = {0};
    struct order_request request = {customer, strlen(customer), key, strlen(key), quantity};
    order_request_validate(&request, &violations);
    *ret_field = violations.count > 0 ? violations.items[0].field : NULL;
    return violations.count;
}

/* What the contract allows, at its edges, passes. */
static void order_request_at_the_bounds_is_valid(void **state)
{
    (void)state;
    char customer[65] = "", key[256] = "";
    const char *field;
    memset(customer, 'c', 64);
    memset(key, '~', 255);
    assert_int_equal(violations_of(customer, key, 1000, &field), 0);
    assert_int_equal(violations_of("c", "k", 1, &field), 0);
}

/* What it does not allow names its field. */
static void order_request_out_of_bounds_names_the_field(void **state)
{
    (void)state;
    char customer[66] = "", key[257] = "";
    const char *field;
    memset(customer, 'c', 65);
    memset(key, 'k', 256);
    assert_int_equal(violations_of(customer, "k", 1, &field), 1);
    assert_string_equal(field, "customer_id");
    assert_int_equal(violations_of("", "k", 1, &field), 1);
    assert_string_equal(field, "customer_id");
    assert_int_equal(violations_of("c\x80", "k", 1, &field), 1);
    assert_int_equal(violations_of("c", key, 1, &field), 1);
    assert_string_equal(field, "idempotency_key");
    assert_int_equal(violations_of("c", "", 1, &field), 1);
    assert_int_equal(violations_of("c", "k\n", 1, &field), 1);
    assert_int_equal(violations_of("c", "k", 0, &field), 1);
    assert_string_equal(field, "quantity");
    assert_int_equal(violations_of("c", "k", -1, &field), 1);
    assert_int_equal(violations_of("c", "k", 1001, &field), 1);
    assert_int_equal(violations_of("", "", 0, &field), 3);
}

/* Status names are the database's labels and the proto's values. */
static void order_status_names_are_the_labels(void **state)
{
    (void)state;
    assert_string_equal(order_status_name(ORDER_RESERVED), "RESERVED");
    assert_string_equal(order_status_name(ORDER_EXPIRED), "EXPIRED");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_request_at_the_bounds_is_valid),
        cmocka_unit_test(order_request_out_of_bounds_names_the_field),
        cmocka_unit_test(order_status_names_are_the_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
