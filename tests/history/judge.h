/*
 * Holds what happened against the model. Every transaction that was really committed is one turn of
 * the model, in the order of the sale's versions; then each caller must have been told what the
 * last answered transaction about it came to, and the database must hold what the model holds.
 */
#ifndef HISTORY_JUDGE_H
#define HISTORY_JUDGE_H

#include "history.h"
#include "model.h"
#include "player.h"
#include "stage.h"

/*
 * Takes one transaction of a step over into the model, and writes down in it what should have come
 * of it. False, with the problem, when it decided otherwise.
 */
bool judge_transaction(struct model *model, const struct history_step *step,
                       const struct player_result *result, struct witness_transaction *transaction,
                       char problem[MODEL_PROBLEM_CHARS]);

/* Whether the step's caller was told the truth; all its transactions have been judged. */
bool judge_step(const struct history_step *step, const struct player_result *result,
                char problem[MODEL_PROBLEM_CHARS]);

/* Whether the database agrees with the model: its row of the sale, and the rest where whole. */
bool judge_view(const struct model *model, const struct stage_view *view,
                const struct uuid *sale_id, bool whole, char problem[MODEL_PROBLEM_CHARS]);

#endif
