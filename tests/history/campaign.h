/*
 * Many histories, one seed after the other, until there are enough, time is up or one fails; the
 * one that fails is made small and printed with its seed.
 */
#ifndef HISTORY_CAMPAIGN_H
#define HISTORY_CAMPAIGN_H

#include "history.h"
#include "stage.h"
#include "trial.h"

struct campaign {
    const char *name; /* of the stage, for people */
    struct history_shape shape;
    uint64_t first_seed;
    size_t histories_min; /* played on the slowest machine too, whatever the deadline */
    size_t histories_max;
    int64_t deadline_ns;   /* monotonic; CLOCK_DEADLINE_NEVER for none */
    bool (*is_over)(void); /* asked between histories; may be NULL */
    size_t shrink_runs_max;
    FILE *report; /* where a failure is told; NULL: nowhere */

    /* out */
    size_t histories;
    struct trial_tally tally;
    struct history smallest; /* of a failure */
    char problem[MODEL_PROBLEM_CHARS];
};

/* What the tests and ./dev soak both use, so that a seed is the same history in both. */
extern const struct history_shape campaign_memory_shape, campaign_postgres_shape;

/* True when none failed. */
bool campaign_run(struct campaign *campaign, struct stage *stage);

/*
 * The seed to begin with: that of the environment variable HISTORY_SEED, else by default. Every
 * history prints its own when it fails, also by an assertion (SIGABRT), so that it can be run
 * alone.
 */
uint64_t campaign_seed(uint64_t by_default);

#endif
