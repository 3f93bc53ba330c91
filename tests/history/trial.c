#include "trial.h"

#include "judge.h"
#include "player.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct trial {
    struct stage *stage;
    struct player player;
    struct model model;
    struct player_result result;
    struct stage_view view;
    struct trial_tally tally;
};

void trial_name_creation(char ret_key[64])
{
    static atomic_uint_least64_t next;
    snprintf(ret_key, 64, "history-%ld-%" PRIu64, (long)getpid(), atomic_fetch_add(&next, 1));
}

struct trial *trial_create(struct stage *stage)
{
    struct trial *trial = calloc(1, sizeof(*trial));
    CHECK(trial != NULL);
    trial->stage = stage;
    player_init(&trial->player, stage);
    return trial;
}

void trial_destroy(struct trial *trial)
{
    if (trial != NULL) {
        player_fini(&trial->player);
        free(trial);
    }
}

const struct trial_tally *trial_tally(const struct trial *trial)
{
    return &trial->tally;
}

static void count(struct trial_tally *tally, const struct history_step *step,
                  const struct player_result *result)
{
    if (step->act == HISTORY_PLACE || step->act == HISTORY_SETTLE) {
        for (size_t i = 0; i < step->item_count; i++) {
            tally->verdicts[result->verdicts[i]]++;
        }
    } else if (step->act == HISTORY_SWEEP) {
        tally->expired += result->expired;
        tally->matured += (uint64_t)result->matured;
    } else if (step->act != HISTORY_NOTE && step->act != HISTORY_CLOCK) {
        tally->verdicts[result->verdict]++;
    }
}

static bool begin(struct trial *trial, const struct history *history,
                  char problem[MODEL_PROBLEM_CHARS])
{
    struct stage *stage = trial->stage;
    struct model_sale sale;
    char key[64];

    if (stage->begin != NULL) {
        stage->begin(stage->data);
    }
    trial_name_creation(key);
    if (!player_create(&trial->player, history, key, &sale, problem)) {
        return false;
    }
    model_init(&trial->model, &sale, stage->now_us(stage->data));
    return true;
}

static void step_clock(struct trial *trial, const struct history_step *step)
{
    struct stage *stage = trial->stage;
    int64_t us = player_leap_us(&trial->player, step);
    if (us > 0) {
        stage->leap(stage->data, &trial->player.sale_id, us);
        if (stage->leap_shifts) {
            model_shift(&trial->model, us);
        }
    }
}

/* The transactions in the order in which they were made, which with one player is that of the
 * versions. */
static bool judge_transactions(struct trial *trial, const struct history_step *step,
                               char problem[MODEL_PROBLEM_CHARS])
{
    struct player_result *result = &trial->result;
    for (size_t i = 0; i < result->transaction_count; i++) {
        struct witness_transaction *transaction = &result->transactions[i];
        if (transaction->end == WITNESS_COMMITTED) {
            trial->tally.transactions++;
            if (!judge_transaction(&trial->model, step, result, transaction, problem)) {
                return false;
            }
        } else if (transaction->end == WITNESS_ABANDONED && result->faults_made == 0) {
            snprintf(problem, MODEL_PROBLEM_CHARS, "a transaction was abandoned");
            return false;
        }
    }
    return true;
}

static bool take_step(struct trial *trial, const struct history_step *step, bool is_last,
                      char problem[MODEL_PROBLEM_CHARS])
{
    struct stage *stage = trial->stage;
    struct player *player = &trial->player;
    const struct uuid *sale_id = &player->sale_id;
    bool whole = stage->looks_are_cheap || is_last;

    player->start_us = trial->model.start_us;
    player->end_us = trial->model.end_us;
    player->next_expiry_us = model_next_expiry(&trial->model);
    player_play(player, step, &trial->result);
    if (step->act == HISTORY_CLOCK) {
        step_clock(trial, step);
    }
    if (!judge_transactions(trial, step, problem) || !judge_step(step, &trial->result, problem)) {
        return false;
    }
    count(&trial->tally, step, &trial->result);
    if (!stage->look(stage->data, sale_id, whole, &trial->view)) {
        snprintf(problem, MODEL_PROBLEM_CHARS, "the sale cannot be read");
        return false;
    }
    return judge_view(&trial->model, &trial->view, sale_id, whole, problem);
}

bool trial_run(struct trial *trial, const struct history *history,
               char problem[MODEL_PROBLEM_CHARS])
{
    char what[MODEL_PROBLEM_CHARS - 64];

    if (!begin(trial, history, problem)) {
        return false;
    }
    for (size_t i = 0; i < history->step_count; i++) {
        if (!take_step(trial, &history->steps[i], i + 1 == history->step_count, problem)) {
            snprintf(what, sizeof(what), "%s", problem);
            snprintf(problem, MODEL_PROBLEM_CHARS, "after step %zu: %s", i + 1, what);
            return false;
        }
    }
    return true;
}
