/*
 * The program's logic on a database in memory: whatever happens in whatever order, and whatever
 * goes wrong, each caller is told the truth and the sale is what a plain model says.
 */
#include "base/clock.h"
#include "campaign.h"
#include "memory_stage.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HISTORIES 20000

/* Slow machines do fewer, but so many that every verdict comes up. */
#define HISTORIES_MIN 2000
#define TIME_MAX_MS   15000

static struct trial_tally run(bool has_faults, uint64_t seed, size_t histories, int64_t time_ms)
{
    struct memory_stage *memory = memory_stage_create();
    struct campaign campaign = {
        .name = "in memory",
        .shape = campaign_memory_shape,
        .first_seed = campaign_seed(seed),
        .histories_min = HISTORIES_MIN,
        .histories_max = histories,
        .deadline_ns = clock_deadline_in_ms(time_ms),
        .shrink_runs_max = 20000,
        .report = stderr,
    };

    campaign.shape.has_faults = has_faults;
    bool is_good = campaign_run(&campaign, memory_stage_of(memory));
    memory_stage_destroy(memory);
    print_message("%zu histories, %" PRIu64 " transactions, first seed %" PRIu64 "\n",
                  campaign.histories, campaign.tally.transactions, campaign.first_seed);
    assert_true(is_good);
    assert_true(campaign.histories > 0);
    return campaign.tally;
}

/* Without faults every answer is exact: the rules of sections 3 and 4, in every order. */
static void histories_in_memory_are_the_models(void **state)
{
    (void)state;
    run(false, 1, HISTORIES / 4, TIME_MAX_MS / 4);
}

/* With faults at every call of the store, nothing is done twice, lost, or wrongly denied. */
static void histories_with_faults_in_memory_are_the_models(void **state)
{
    (void)state;
    struct trial_tally tally = run(true, UINT64_C(1000000), HISTORIES, TIME_MAX_MS);
    /* None of these is right because it never came up. */
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        bool cannot_be = verdict == VERDICT_SALE_NOT_FOUND || verdict == VERDICT_INVALID_FIELD ||
                         verdict == VERDICT_DRAINING;
        print_message("  %s %" PRIu64 "\n", verdict_name(verdict), tally.verdicts[verdict]);
        assert_int_equal(tally.verdicts[verdict] == 0, cannot_be);
    }
    assert_true(tally.expired > 0 && tally.matured > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_in_memory_are_the_models),
        cmocka_unit_test(histories_with_faults_in_memory_are_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
