/* SHA-256, as fingerprints of payloads use it. Any thread. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

/* The digest of length bytes. */
void digest_sha256(const void *bytes, size_t length, uint8_t ret_digest[DIGEST_BYTES]);

#endif
