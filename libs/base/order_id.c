#include "base/order_id.h"

#include <openssl/sha.h>
#include <string.h>

#define SCHEME_VERSION 1

struct uuid order_id_of(const struct uuid *sale_id, const char *customer, size_t customer_length,
                        const char *key, size_t key_length)
{
    uint8_t input[1 + UUID_BYTES + 1 + ORDER_ID_CUSTOMER_CHARS_MAX + 2 + ORDER_ID_KEY_CHARS_MAX];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    size_t used = 0;
    struct uuid id;

    CHECK(customer_length <= ORDER_ID_CUSTOMER_CHARS_MAX);
    CHECK(key_length <= ORDER_ID_KEY_CHARS_MAX);
    input[used++] = SCHEME_VERSION;
    memcpy(input + used, sale_id->bytes, UUID_BYTES);
    used += UUID_BYTES;
    input[used++] = (uint8_t)customer_length;
    memcpy(input + used, customer, customer_length);
    used += customer_length;
    input[used++] = (uint8_t)(key_length >> 8);
    input[used++] = (uint8_t)(key_length & 0xff);
    memcpy(input + used, key, key_length);
    used += key_length;

    SHA256(input, used, digest);
    memcpy(id.bytes, digest, UUID_BYTES);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}
