/*
 * The same histories on a real PostgreSQL, through the program's own SQL, one after the other and
 * side by side; at the end the operator's audit looks over all of it.
 */
#include "base/clock.h"
#include "campaign.h"
#include "plant.h"
#include "postgres_stage.h"
#include "rivals.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As many as there is time for: a slow machine does fewer. */
#define HISTORIES_MAX 3000
#define TIME_MAX_MS   12000

#define RIVALS_STEPS 100

/* Of a planted mistake's history, at most. */
#define STEPS_LEFT 8

static struct scratch_postgres server;

static int start(void **state)
{
    (void)state;
    return scratch_postgres_start(&server, true, false);
}

static int stop(void **state)
{
    (void)state;
    scratch_postgres_stop(&server);
    return 0;
}

/* What holds in memory holds in SQL: rows, events, pages, clocks and rollbacks are the real ones.
 */
static void histories_on_postgres_are_the_models(void **state)
{
    struct postgres_stage *postgres = postgres_stage_create(&server);
    struct campaign campaign = {
        .name = "on PostgreSQL",
        .shape = campaign_postgres_shape,
        .first_seed = campaign_seed(UINT64_C(5000000)),
        .histories_max = HISTORIES_MAX,
        .deadline_ns = clock_deadline_in_ms(TIME_MAX_MS),
        .shrink_runs_max = 1500,
        .report = stderr,
    };
    (void)state;

    assert_non_null(postgres);
    bool is_good = campaign_run(&campaign, postgres_stage_of(postgres));
    postgres_stage_destroy(postgres);
    print_message("%zu histories, %" PRIu64 " transactions, first seed %" PRIu64 "\n",
                  campaign.histories, campaign.tally.transactions, campaign.first_seed);
    assert_true(is_good);
    assert_true(campaign.histories > 0);
}

static void run_rivals(struct rivals rivals)
{
    rivals.seed = campaign_seed(rivals.seed);
    rivals.steps = RIVALS_STEPS;
    bool is_good = rivals_run(&rivals, &server);
    print_message("%zu rivals of seed %" PRIu64 ": %zu transactions, %zu of them resolved; %zu "
                  "orders placed, %zu sold out\n",
                  rivals.count, rivals.seed, rivals.transactions, rivals.resolved, rivals.placed,
                  rivals.sold_out);
    if (!is_good) {
        fail_msg("rivals of seed %" PRIu64 ": %s", rivals.seed, rivals.problem);
    }
}

/* Replicas on one sale: what they did at once is what one alone could have done in some order, and
 * the events are that order. */
static void rivals_of_one_sale_are_a_sequence(void **state)
{
    (void)state;
    run_rivals((struct rivals){.seed = 11, .count = 2});
    run_rivals((struct rivals){.seed = 12, .count = 4});
}

/* The same where calls of the store go wrong. */
static void rivals_with_faults_are_a_sequence(void **state)
{
    (void)state;
    run_rivals((struct rivals){.seed = 21, .count = 3, .has_faults = true});
    run_rivals((struct rivals){.seed = 22, .count = 4, .has_faults = true});
}

/* The same while their sessions are ended, in the middle of a COMMIT too. */
static void rivals_that_lose_connections_are_a_sequence(void **state)
{
    (void)state;
    run_rivals((struct rivals){.seed = 31, .count = 3, .loses_connections = true});
    run_rivals((struct rivals){.seed = 32, .count = 4, .loses_connections = true});
}

/* An operator would find nothing either. */
static void audit_after_all_histories_finds_nothing(void **state)
{
    (void)state;
    assert_true(postgres_stage_audit(&server));
}

/* --- They can fail: mistakes that are made on purpose, and so last -----------------------------*/

/* A mistake on the real database is found, and what is left of its history is short. */
static void histories_on_postgres_find_planted_mistakes(void **state)
{
    static const enum plant_mistake mistakes[] = {PLANT_RETURNED_AT_ONCE, PLANT_LIMIT_FORGETS};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct postgres_stage *postgres = postgres_stage_create(&server);
        struct plant plant;
        struct campaign campaign = {
            .name = plant_name(mistakes[i]),
            .shape = campaign_postgres_shape,
            .first_seed = UINT64_C(77000000),
            .histories_max = HISTORIES_MAX,
            .deadline_ns = CLOCK_DEADLINE_NEVER,
            .shrink_runs_max = 300,
            .report = stdout,
        };
        assert_non_null(postgres);
        plant_init(&plant, postgres_stage_of(postgres), mistakes[i]);
        bool is_good = campaign_run(&campaign, &plant.stage);
        postgres_stage_destroy(postgres);
        assert_false(is_good);
        assert_in_range(campaign.smallest.step_count, 1, STEPS_LEFT);
    }
}

/* Rivals who sell one unit too many are found out by the replay, and by the audit. */
static void rivals_with_a_planted_mistake_are_no_sequence(void **state)
{
    struct rivals rivals = {.seed = 41,
                            .count = 3,
                            .steps = RIVALS_STEPS,
                            .is_planted = true,
                            .mistake = PLANT_ONE_UNIT_TOO_MANY};
    (void)state;
    assert_false(rivals_run(&rivals, &server));
    print_message("%s\n", rivals.problem);
    assert_false(postgres_stage_audit(&server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_on_postgres_are_the_models),
        cmocka_unit_test(rivals_of_one_sale_are_a_sequence),
        cmocka_unit_test(rivals_with_faults_are_a_sequence),
        cmocka_unit_test(rivals_that_lose_connections_are_a_sequence),
        cmocka_unit_test(audit_after_all_histories_finds_nothing),
        cmocka_unit_test(histories_on_postgres_find_planted_mistakes),
        cmocka_unit_test(rivals_with_a_planted_mistake_are_no_sequence),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
