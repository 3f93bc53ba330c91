#include "base/digest.h"

#include <openssl/sha.h>

_Static_assert(DIGEST_BYTES == SHA256_DIGEST_LENGTH, "SHA-256 has 32 bytes");

void digest_sha256(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_BYTES])
{
    SHA256(bytes, length, ret_digest);
}
