#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK_BYTES 256
#define BYTES_MAX   1024

/* Callers put any struct into an arena, so every address must suit any type. */
static void arena_alloc_odd_sizes_are_aligned_and_apart(void **state)
{
    struct arena arena;
    unsigned char *previous = NULL;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    for (size_t size = 0; size < 20; size++) {
        unsigned char *bytes = arena_alloc(&arena, size);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        assert_ptr_not_equal(bytes, previous);
        memset(bytes, 0xa5, size);
        previous = bytes;
    }
    assert_false(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* A batch larger than a block must still be one allocation. */
static void arena_alloc_larger_than_a_block_succeeds(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    unsigned char *small = arena_alloc(&arena, 16);
    unsigned char *large = arena_alloc(&arena, 3 * BLOCK_BYTES);
    assert_non_null(small);
    assert_non_null(large);
    memset(large, 1, 3 * BLOCK_BYTES);
    assert_false(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* The bound is what protects the process: it is reached exactly, and not passed by one byte. */
static void arena_alloc_to_the_bound_succeeds_and_beyond_fails(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    for (size_t used = 0; used < BYTES_MAX; used += 64) {
        assert_non_null(arena_alloc(&arena, 64));
    }
    assert_false(arena_overflowed(&arena));
    assert_null(arena_alloc(&arena, 1));
    assert_true(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* The overflow is checked once at the end, so a later success must not hide it. */
static void arena_overflow_is_sticky_until_reset(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    assert_null(arena_alloc(&arena, BYTES_MAX + 1));
    assert_non_null(arena_alloc(&arena, 16));
    assert_true(arena_overflowed(&arena));
    arena_reset(&arena);
    assert_false(arena_overflowed(&arena));
    assert_non_null(arena_alloc(&arena, 16));
    assert_false(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* A worker resets its arena for every batch: the whole bound must be there again. */
static void arena_reset_gives_back_the_whole_bound(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    for (int round = 0; round < 3; round++) {
        void *first = arena_alloc(&arena, BLOCK_BYTES);
        assert_non_null(first);
        for (size_t used = BLOCK_BYTES; used < BYTES_MAX; used += BLOCK_BYTES) {
            assert_non_null(arena_alloc(&arena, BLOCK_BYTES));
        }
        assert_false(arena_overflowed(&arena));
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 1), first);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

/* Sizes come from counts that a peer chose: a wrapping product or sum must not become a small
 * block. */
static void arena_alloc_of_absurd_sizes_fails(void **state)
{
    struct arena arena;
    volatile size_t huge = SIZE_MAX; /* so that the compiler does not refuse it first */
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    assert_null(arena_alloc(&arena, huge));
    assert_null(arena_alloc(&arena, huge - 16));
    assert_null(arena_alloc(&arena, huge - 64));
    assert_null(arena_calloc(&arena, huge / 2, 3));
    assert_null(arena_strndup(&arena, "x", huge));
    assert_true(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* A reused block holds the previous request's bytes; calloc promises zeros all the same. */
static void arena_calloc_after_reset_is_zeroed(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    unsigned char *bytes = arena_alloc(&arena, 64);
    assert_non_null(bytes);
    memset(bytes, 0xff, 64);
    arena_reset(&arena);
    uint32_t *words = arena_calloc(&arena, 16, sizeof(*words));
    assert_ptr_equal(words, bytes);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(words[i], 0);
    }
    arena_fini(&arena);
}

/* Text from the wire has no NUL; its copy must, also when it is empty. */
static void arena_text_is_terminated(void **state)
{
    struct arena arena;
    (void)state;

    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    assert_string_equal(arena_strndup(&arena, "customer-1 and more", 10), "customer-1");
    assert_string_equal(arena_strndup(&arena, "x", 0), "");
    assert_string_equal(arena_printf(&arena, "%s=%d", "stock", 7), "stock=7");
    assert_string_equal(arena_printf(&arena, "%s", ""), "");
    assert_null(arena_printf(&arena, "%2000d", 1));
    assert_true(arena_overflowed(&arena));
    arena_fini(&arena);
}

/* Teardown runs on half-built things. */
static void arena_fini_of_unused_and_zeroed_is_harmless(void **state)
{
    struct arena arena = {0};
    (void)state;

    arena_fini(&arena);
    arena_init(&arena, BLOCK_BYTES, BYTES_MAX);
    arena_reset(&arena);
    arena_fini(&arena);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_alloc_odd_sizes_are_aligned_and_apart),
        cmocka_unit_test(arena_alloc_larger_than_a_block_succeeds),
        cmocka_unit_test(arena_alloc_to_the_bound_succeeds_and_beyond_fails),
        cmocka_unit_test(arena_overflow_is_sticky_until_reset),
        cmocka_unit_test(arena_reset_gives_back_the_whole_bound),
        cmocka_unit_test(arena_alloc_of_absurd_sizes_fails),
        cmocka_unit_test(arena_calloc_after_reset_is_zeroed),
        cmocka_unit_test(arena_text_is_terminated),
        cmocka_unit_test(arena_fini_of_unused_and_zeroed_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
