#include "campaign.h"

#include "base/clock.h"
#include "shrink.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct history_shape campaign_memory_shape = {
    .steps_max = 48, .customers = 4, .keys = 5, .stock_max = 12, .has_faults = true};
const struct history_shape campaign_postgres_shape = {
    .steps_max = 16, .customers = 4, .keys = 4, .stock_max = 8, .has_faults = true};

/* --- A failed assertion of the program's ends the process: its seed is told all the same ------*/

static volatile uint64_t current_seed;

static void tell_seed(int signal_number)
{
    static const char words[] = "\nin the history of seed ";
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t seed = current_seed;

    (void)signal_number;
    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    ssize_t written = write(STDERR_FILENO, words, sizeof(words) - 1);
    written += write(STDERR_FILENO, digits + at, sizeof(digits) - at);
    (void)written;
    /* The handler is gone by then (SA_RESETHAND), and abort() ends the process. */
}

static void watch_for_assertions(void)
{
    struct sigaction action = {.sa_handler = tell_seed, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGABRT, &action, NULL);
}

/* --- Histories --------------------------------------------------------------------------------*/

struct retrial {
    struct trial *trial;
    char *problem;
};

static bool still_fails(const struct history *history, void *data)
{
    struct retrial *retrial = data;
    char problem[MODEL_PROBLEM_CHARS];
    if (trial_run(retrial->trial, history, problem)) {
        return false;
    }
    memcpy(retrial->problem, problem, sizeof(problem));
    return true;
}

static void report(struct campaign *campaign, struct trial *trial, const struct history *history)
{
    struct retrial retrial = {trial, campaign->problem};
    char first_problem[MODEL_PROBLEM_CHARS];

    memcpy(first_problem, campaign->problem, sizeof(first_problem));
    campaign->smallest = *history;
    size_t runs =
        shrink_history(&campaign->smallest, campaign->shrink_runs_max, still_fails, &retrial);
    if (campaign->report != NULL) {
        fprintf(campaign->report,
                "%s: the history of seed %" PRIu64 " (%zu steps) fails: %s\n"
                "after %zu runs it is as small as it gets, and fails: %s\n",
                campaign->name, history->seed, history->step_count, first_problem, runs,
                campaign->problem);
        history_print(campaign->report, &campaign->smallest);
        fprintf(campaign->report, "to run it again: ./dev soak --seed %" PRIu64 "\n",
                history->seed);
    }
}

bool campaign_run(struct campaign *campaign, struct stage *stage)
{
    struct trial *trial = trial_create(stage);
    bool is_good = true;

    watch_for_assertions();
    campaign->histories = 0;
    while (is_good && campaign->histories < campaign->histories_max &&
           (campaign->histories < campaign->histories_min ||
            clock_monotonic_ns() < campaign->deadline_ns) &&
           (campaign->is_over == NULL || !campaign->is_over())) {
        struct history history;
        current_seed = campaign->first_seed + campaign->histories++;
        history_generate(&history, current_seed, &campaign->shape);
        is_good = trial_run(trial, &history, campaign->problem);
        if (!is_good) {
            report(campaign, trial, &history);
        }
    }
    campaign->tally = *trial_tally(trial);
    trial_destroy(trial);
    return is_good;
}

uint64_t campaign_seed(uint64_t by_default)
{
    const char *text = getenv("HISTORY_SEED");
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : by_default;
}
