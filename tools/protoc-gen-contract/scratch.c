#include "protoc-gen-contract/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_exit(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "protoc-gen-contract: out of memory (at most %u bytes are used)\n",
                SCRATCH_BYTES_MAX);
        exit(EXIT_FAILURE);
    }
    return memory;
}

void *scratch_calloc(struct arena *arena, size_t count, size_t size)
{
    return or_exit(arena_calloc(arena, count, size));
}

char *scratch_strndup(struct arena *arena, const char *text, size_t length)
{
    return or_exit(arena_strndup(arena, text, length));
}

char *scratch_lower(struct arena *arena, const char *text, size_t length)
{
    char *copy = scratch_strndup(arena, text, length);
    for (char *c = copy; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    return copy;
}

char *scratch_concat(struct arena *arena, const char *first, const char *second)
{
    size_t first_length = strlen(first);
    size_t second_length = strlen(second);
    char *text = or_exit(arena_alloc(arena, first_length + second_length + 1));
    memcpy(text, first, first_length);
    memcpy(text + first_length, second, second_length + 1);
    return text;
}

static void *allocate(void *arena, size_t size)
{
    return or_exit(arena_alloc(arena, size));
}

static void do_not_free(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

ProtobufCAllocator scratch_allocator(struct arena *arena)
{
    return (ProtobufCAllocator){.alloc = allocate, .free = do_not_free, .allocator_data = arena};
}
