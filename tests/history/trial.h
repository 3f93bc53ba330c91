/*
 * One history on one stage from beginning to end, judged after every step.
 */
#ifndef HISTORY_TRIAL_H
#define HISTORY_TRIAL_H

#include "history.h"
#include "stage.h"

struct trial;

/* The stage must outlive it. Never NULL. */
struct trial *trial_create(struct stage *stage);
void trial_destroy(struct trial *trial);

/* Whether all was as it should be; else problem says what was not, and after which step. */
bool trial_run(struct trial *trial, const struct history *history,
               char problem[MODEL_PROBLEM_CHARS]);

/* What came about in all its runs: whether they were worth it. */
struct trial_tally {
    uint64_t transactions;            /* committed and judged */
    uint64_t verdicts[VERDICT_COUNT]; /* told to callers */
    uint64_t expired, matured;        /* holds and units, of sweeps that were answered */
};

const struct trial_tally *trial_tally(const struct trial *trial);

/* A key for a sale's creation that no other trial has. */
void trial_name_creation(char ret_key[64]);

#endif
