#include "orders/lanes/rotation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants these first */
#include <cmocka.h>

/* Where nothing else was passed over, the lower number goes first. */
static void rotation_rested_goes_by_number(void **state)
{
    (void)state;
    for (unsigned waiting = 1; waiting < 1U << ROTATION_MAX; waiting++) {
        struct rotation rotation = {0};
        unsigned lowest = 0;
        while ((waiting & 1U << lowest) == 0) {
            lowest++;
        }
        assert_int_equal(rotation_turn(&rotation, waiting), lowest);
    }
}

/* What always waits has every turn of one, then every other's: nobody starves in any combination.
 */
static void rotation_all_waiting_have_one_turn_each(void **state)
{
    (void)state;
    for (unsigned waiting = 1; waiting < 1U << ROTATION_MAX; waiting++) {
        struct rotation rotation = {0};
        for (unsigned round = 0; round < 10; round++) {
            unsigned seen = 0;
            while (seen != waiting) {
                unsigned turn = rotation_turn(&rotation, waiting);
                assert_int_equal(seen & 1U << turn, 0);
                seen |= 1U << turn;
            }
        }
    }
}

/* However others come and go, nobody passes one who waits more than once. */
static void rotation_random_arrivals_pass_nobody_twice(void **state)
{
    (void)state;
    struct rotation rotation = {0};
    unsigned passes[ROTATION_MAX][ROTATION_MAX] = {{0}}; /* [who waits][who passed] */
    uint32_t seed = 12345;
    unsigned waiting = 0;

    for (int step = 0; step < 200000; step++) {
        seed = seed * 1664525U + 1013904223U;
        waiting |= seed >> 20 & seed >> 24 & ((1U << ROTATION_MAX) - 1);
        if (waiting == 0) {
            continue;
        }
        unsigned turn = rotation_turn(&rotation, waiting);
        assert_true((waiting & 1U << turn) != 0);
        for (unsigned other = 0; other < ROTATION_MAX; other++) {
            passes[turn][other] = 0;
            if (other != turn && (waiting & 1U << other) != 0) {
                passes[other][turn]++;
                assert_true(passes[other][turn] <= 1);
            }
        }
        if ((seed >> 16 & 3) != 0) {
            waiting &= ~(1U << turn); /* it had all it wanted */
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotation_rested_goes_by_number),
        cmocka_unit_test(rotation_all_waiting_have_one_turn_each),
        cmocka_unit_test(rotation_random_arrivals_pass_nobody_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
