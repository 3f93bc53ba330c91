#include "postgres/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Half of the ceiling at least, or a pool hammers a server that is just starting. */
static void backoff_next_doubles_up_to_the_cap(void **state)
{
    static const int64_t ceilings_ms[] = {50, 100, 200, 400, 800, 800, 800};
    struct backoff backoff;
    (void)state;

    for (uint64_t seed = 0; seed < 200; seed++) {
        backoff_init(&backoff, seed);
        for (size_t i = 0; i < COUNT_OF(ceilings_ms); i++) {
            int64_t wait_ms = backoff_next_ms(&backoff);
            assert_true(wait_ms >= ceilings_ms[i] / 2 && wait_ms <= ceilings_ms[i]);
        }
    }
}

/* After a success the next loss is a new story. */
static void backoff_reset_starts_short_again(void **state)
{
    struct backoff backoff;
    (void)state;

    backoff_init(&backoff, 7);
    for (int i = 0; i < 10; i++) {
        assert_true(backoff_next_ms(&backoff) > 0);
    }
    backoff_reset(&backoff);
    assert_true(backoff_next_ms(&backoff) <= BACKOFF_MIN_MS);
}

/* Workers that lost the server together must not come back together. */
static void backoff_next_with_other_seeds_differs(void **state)
{
    int different = 0;
    (void)state;

    for (uint64_t seed = 0; seed < 100; seed++) {
        struct backoff a, b;
        backoff_init(&a, seed);
        backoff_init(&b, seed + 1);
        different += backoff_next_ms(&a) != backoff_next_ms(&b);
    }
    assert_true(different > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_next_doubles_up_to_the_cap),
        cmocka_unit_test(backoff_reset_starts_short_again),
        cmocka_unit_test(backoff_next_with_other_seeds_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
