/*
 * The one place that names an order. An order is (sale, customer, idempotency key), so its id is a
 * hash of the three and the primary key of orders is the idempotency index: every retry, on any
 * replica or edge, computes the same id.
 */
#ifndef BASE_ORDER_ID_H
#define BASE_ORDER_ID_H

#include "base/uuid.h"

#define ORDER_ID_CUSTOMER_CHARS_MAX 64
#define ORDER_ID_KEY_CHARS_MAX      255

/*
 * UUIDv8 (RFC 9562, 5.8) of the first 16 bytes of SHA-256 over: the byte 1 (this scheme's version),
 * the sale id's 16 bytes, one byte customer length, the customer, two bytes key length (big
 * endian), the key without its quotes. The lengths keep ("a","bc") and ("ab","c") apart. Lengths
 * must be within the bounds above (asserted: callers validate first). Any thread.
 */
struct uuid order_id_of(const struct uuid *sale_id, const char *customer, size_t customer_length,
                        const char *key, size_t key_length);

#endif
