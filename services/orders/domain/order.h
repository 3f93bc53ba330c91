/*
 * An order: one customer's claim on units of a sale, named by (sale, customer, idempotency key).
 * Pure values; times are microseconds since 1970 by the database's clock.
 */
#ifndef ORDERS_DOMAIN_ORDER_H
#define ORDERS_DOMAIN_ORDER_H

#include "base/order_id.h"
#include "base/uuid.h"
#include "orders/domain/violation.h"

#include <stdint.h>

#define ORDER_CUSTOMER_CHARS_MAX ORDER_ID_CUSTOMER_CHARS_MAX
#define ORDER_KEY_CHARS_MAX      ORDER_ID_KEY_CHARS_MAX
#define ORDER_QUANTITY_MAX       1000

/* expire_us of an order that is not held. */
#define ORDER_NEVER_EXPIRES INT64_C(0)

/* X(name): in the database the label, in the proto the value of the same name. */
#define ORDER_STATUS_TABLE(X) X(RESERVED) X(CONFIRMED) X(CANCELLED) X(EXPIRED)

enum order_status {
#define ORDER_STATUS_VALUE(name) ORDER_##name,
    ORDER_STATUS_TABLE(ORDER_STATUS_VALUE)
#undef ORDER_STATUS_VALUE
        ORDER_STATUS_COUNT
};

struct order {
    struct uuid order_id;
    int64_t number; /* 1, 2, 3, ... within its sale */
    int32_t quantity;
    enum order_status status;
    int64_t create_us;
    int64_t expire_us; /* ORDER_NEVER_EXPIRES unless it was held */
};

/* An order's move from one status to another, as it is stored and told. */
struct order_change {
    struct uuid order_id;
    int64_t number;
    int32_t quantity;
    enum order_status from, to;
};

/* What a customer sends to buy. */
struct order_request {
    const char *customer_id;
    size_t customer_length;
    const char *key; /* the idempotency key, without quotes */
    size_t key_length;
    int32_t quantity;
};

/* "RESERVED"; constant. */
const char *order_status_name(enum order_status status);

/* Adds a violation for every field that is out of bounds. */
void order_request_validate(const struct order_request *request, struct violations *violations);

/* Adds a violation when key is not 1 to 255 printable ASCII characters. */
void order_key_validate(const char *key, size_t length, struct violations *violations);

/* Adds a violation when the customer is not 1 to 64 printable ASCII characters. */
void order_customer_validate(const char *customer_id, size_t length, struct violations *violations);

#endif
