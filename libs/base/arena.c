#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t block_bytes, size_t bytes_max)
{
    CHECK(block_bytes > 0 && bytes_max >= block_bytes);
    CHECK(bytes_max <= PTRDIFF_MAX - sizeof(struct arena_block)); /* so that no sum in grow wraps */
    *arena = (struct arena){._block_bytes = block_bytes, ._bytes_max = bytes_max};
}

static void free_chain(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_fini(struct arena *arena)
{
    free_chain(arena->_first);
    *arena = (struct arena){0};
}

void arena_reset(struct arena *arena)
{
    arena->_overflowed = false;
    if (arena->_first == NULL) {
        return;
    }
    free_chain(arena->_first->next);
    arena->_first->next = NULL;
    arena->_first->used = 0;
    arena->_current = arena->_first;
    arena->_bytes_reserved = arena->_first->size;
}

/* Adds a block that holds at least size bytes, or marks the overflow. */
static struct arena_block *grow(struct arena *arena, size_t size)
{
    size_t block_bytes = size > arena->_block_bytes ? size : arena->_block_bytes;
    if (block_bytes > arena->_bytes_max - arena->_bytes_reserved) {
        block_bytes = size; /* the last block may be smaller than the usual one */
    }
    struct arena_block *block = NULL;
    if (block_bytes <= arena->_bytes_max - arena->_bytes_reserved) {
        block = malloc(sizeof(*block) + block_bytes);
    }
    if (block == NULL) {
        arena->_overflowed = true;
        return NULL;
    }
    *block = (struct arena_block){.size = block_bytes};
    if (arena->_current != NULL) {
        arena->_current->next = block;
    } else {
        arena->_first = block;
    }
    arena->_current = block;
    arena->_bytes_reserved += block_bytes;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t alignment = _Alignof(max_align_t);
    if (size > SIZE_MAX - alignment) {
        arena->_overflowed = true;
        return NULL;
    }
    size_t rounded = size == 0 ? alignment : (size + alignment - 1) & ~(alignment - 1);
    struct arena_block *block = arena->_current;
    if (block == NULL || block->size - block->used < rounded) {
        block = grow(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    void *result = block->bytes + block->used;
    block->used += rounded;
    return result;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        arena->_overflowed = true;
        return NULL;
    }
    void *result = arena_alloc(arena, total);
    if (result != NULL) {
        memset(result, 0, total);
    }
    return result;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : arena_alloc(arena, length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    if (text != NULL) {
        va_start(arguments, format);
        vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    return text;
}

bool arena_overflowed(const struct arena *arena)
{
    return arena->_overflowed;
}
