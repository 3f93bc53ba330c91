/*
 * A bounded arena: the scratch memory of one request, call or batch. Everything in it dies
 * together.
 *
 * It grows by blocks up to bytes_max and then returns NULL; from then on arena_overflowed() is true
 * until the next reset, so a caller may allocate many times and check once at the end. Memory is
 * aligned for any type and not cleared. One thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *_first;   /* kept by reset */
    struct arena_block *_current; /* where the next allocation is tried */
    size_t _block_bytes, _bytes_max, _bytes_reserved;
    bool _overflowed;
};

/*
 * Makes an empty arena on the caller's memory; allocates nothing yet. Sizes are in bytes; a
 * bound that no machine could hold is refused (asserted).
 */
void arena_init(struct arena *arena, size_t block_bytes, size_t bytes_max);

/* Frees every block. A zeroed arena is fine. */
void arena_fini(struct arena *arena);

/* Forgets every allocation but keeps the first block, so that a reused arena mallocs rarely. */
void arena_reset(struct arena *arena);

/* size bytes, or NULL (sticky) when the bound or the heap is exhausted. Size 0 gives a valid
 * pointer. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;

/* count * size zeroed bytes, or NULL; the multiplication is checked. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) MUST_CHECK;

/* A NUL-terminated copy of length bytes, or NULL. */
char *arena_strndup(struct arena *arena, const char *text, size_t length) MUST_CHECK;

/* A formatted string, or NULL. */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* Whether any allocation failed since the last reset. */
bool arena_overflowed(const struct arena *arena);

#endif
