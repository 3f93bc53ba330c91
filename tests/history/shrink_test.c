/*
 * The histories can fail: every mistake that is planted is found, and what is printed is so short
 * that a person sees what went wrong.
 */
#include "base/clock.h"
#include "campaign.h"
#include "memory_stage.h"
#include "plant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HISTORIES_MAX 5000
#define STEPS_LEFT    8

static void find(enum plant_mistake mistake)
{
    struct memory_stage *memory = memory_stage_create();
    struct plant plant;
    struct campaign campaign = {
        .name = plant_name(mistake),
        .shape = campaign_memory_shape,
        .first_seed = UINT64_C(77000000),
        .histories_max = HISTORIES_MAX,
        .deadline_ns = CLOCK_DEADLINE_NEVER,
        .shrink_runs_max = 20000,
        .report = stdout,
    };

    plant_init(&plant, memory_stage_of(memory), mistake);
    bool is_good = campaign_run(&campaign, &plant.stage);
    memory_stage_destroy(memory);
    assert_false(is_good);
    assert_in_range(campaign.smallest.step_count, 1, STEPS_LEFT);
}

/* A history that fails for a known reason must be found, and must end up small. */
static void shrink_of_each_planted_mistake_leaves_few_steps(void **state)
{
    (void)state;
    for (enum plant_mistake mistake = 0; mistake < PLANT_MISTAKE_COUNT; mistake++) {
        find(mistake);
    }
}

/* The same seed is the same history, or nobody could run one again. */
static void history_of_a_seed_is_always_the_same(void **state)
{
    const struct history_shape shape = {
        .steps_max = 48, .customers = 4, .keys = 5, .stock_max = 12, .has_faults = true};
    static struct history first, second;
    (void)state;

    history_generate(&first, 42, &shape);
    history_generate(&second, 42, &shape);
    assert_memory_equal(&first, &second, sizeof(first));
    history_generate(&second, 43, &shape);
    assert_memory_not_equal(&first, &second, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrink_of_each_planted_mistake_leaves_few_steps),
        cmocka_unit_test(history_of_a_seed_is_always_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
