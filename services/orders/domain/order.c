#include "orders/domain/order.h"

#include "base/text.h"

const char *order_status_name(enum order_status status)
{
    static const char *const names[ORDER_STATUS_COUNT] = {
#define ORDER_STATUS_NAME(name) [ORDER_##name] = #name,
        ORDER_STATUS_TABLE(ORDER_STATUS_NAME)
#undef ORDER_STATUS_NAME
    };
    CHECK(status < ORDER_STATUS_COUNT);
    return names[status];
}

void order_key_validate(const char *key, size_t length, struct violations *violations)
{
    if (length < 1 || length > ORDER_KEY_CHARS_MAX || !text_is_printable_ascii(key, length)) {
        violations_add(violations, "idempotency_key",
                       "must be 1 to 255 printable ASCII characters");
    }
}

void order_customer_validate(const char *customer_id, size_t length, struct violations *violations)
{
    if (length < 1 || length > ORDER_CUSTOMER_CHARS_MAX ||
        !text_is_printable_ascii(customer_id, length)) {
        violations_add(violations, "customer_id", "must be 1 to 64 printable ASCII characters");
    }
}

void order_request_validate(const struct order_request *request, struct violations *violations)
{
    order_key_validate(request->key, request->key_length, violations);
    order_customer_validate(request->customer_id, request->customer_length, violations);
    if (request->quantity < 1 || request->quantity > ORDER_QUANTITY_MAX) {
        violations_add(violations, "quantity", "must be 1 to 1000");
    }
}
