/*
 * Memory of one run of the generator: everything lives until main() ends, in one bounded arena. A
 * build tool has nothing better to do than to stop when memory is gone, so these never return NULL:
 * they end the process with one line on standard error. One thread.
 */
#ifndef PROTOC_GEN_CONTRACT_SCRATCH_H
#define PROTOC_GEN_CONTRACT_SCRATCH_H

#include "base/arena.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#define SCRATCH_BLOCK_BYTES (1024u * 1024u)
#define SCRATCH_BYTES_MAX   (256u * 1024u * 1024u)

/* count * size zeroed bytes. */
void *scratch_calloc(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of length bytes. */
char *scratch_strndup(struct arena *arena, const char *text, size_t length);

/* A NUL-terminated copy of length bytes in ASCII lower case. */
char *scratch_lower(struct arena *arena, const char *text, size_t length);

/* first, then second, as one string. */
char *scratch_concat(struct arena *arena, const char *first, const char *second);

/* An allocator for protobuf-c whose memory is the arena's; freeing does nothing. */
ProtobufCAllocator scratch_allocator(struct arena *arena);

#endif
