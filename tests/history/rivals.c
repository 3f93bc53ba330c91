#include "rivals.h"

#include "judge.h"
#include "player.h"
#include "postgres_stage.h"
#include "trial.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000

/* Between two ends of sessions. */
#define LOSS_PAUSE_MS 25

/* Orders are asked for and settled by keys of a window, which goes on through all keys. */
#define WINDOW_KEYS 4

/* So much stock that it lasts for a part of the match. */
static const struct history_shape shape = {
    .steps_max = 1, .customers = 8, .keys = WINDOW_KEYS, .stock_max = 40, .is_peaceful = true};

/* A step and what came of it. */
struct entry {
    struct history_step step;
    struct player_result result;
};

struct rival {
    struct postgres_stage *postgres;
    struct plant plant;
    struct player player;
    struct history_dice dice;
    struct history_shape shape;
    const struct history *history;
    size_t steps;
    struct entry *entries;
    pthread_t thread;
};

/* A transaction that counts, with the step that made it. */
struct turn {
    struct entry *entry;
    struct witness_transaction *transaction;
};

struct match {
    struct rivals *rivals;
    struct history history;
    struct rival members[RIVALS_MAX];
    struct model model;
    struct stage_view view;
    struct turn *turns;
    size_t turn_count;
    atomic_bool is_over;
};

/* --- Playing ----------------------------------------------------------------------------------*/

/* The step with its keys moved into the window; a key still mostly means one quantity. */
static void move_keys(struct history_step *step, size_t at, size_t steps)
{
    int moved = (int)(at * (MODEL_KEYS_MAX - WINDOW_KEYS) / steps);
    for (size_t i = 0; i < step->item_count; i++) {
        struct history_item *item = &step->items[i];
        bool is_usual = item->quantity == 1 + (item->customer + item->key) % 3;
        item->key = (int8_t)(item->key + moved);
        if (is_usual) {
            item->quantity = (int8_t)(1 + (item->customer + item->key) % 3);
        }
    }
}

static void *play(void *data)
{
    struct rival *rival = data;
    for (size_t i = 0; i < rival->steps; i++) {
        struct entry *entry = &rival->entries[i];
        history_generate_step(&entry->step, &rival->dice, rival->history, &rival->shape);
        move_keys(&entry->step, i, rival->steps);
        player_play(&rival->player, &entry->step, &entry->result);
    }
    return NULL;
}

/* Ends sessions of players, wherever they are. */
static void *interfere(void *data)
{
    const struct timespec pause = {.tv_nsec = LOSS_PAUSE_MS * NS_PER_MS};
    struct match *match = data;
    struct postgres_stage *postgres = match->members[0].postgres;

    while (!atomic_load(&match->is_over)) {
        postgres_stage_run(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                     "WHERE application_name = '" POSTGRES_STAGE_NAME "' "
                                     "AND usename <> current_user AND random() < 0.3");
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static bool begin(struct match *match, const struct scratch_postgres *server)
{
    struct rivals *rivals = match->rivals;
    struct history_dice dice = {rivals->seed};

    history_generate(&match->history, history_roll(&dice), &shape);
    match->history.customers = shape.customers;
    match->history.keys = shape.keys;
    match->history.hold_seconds = history_roll_of(&dice, 3); /* short, for no clock is moved */
    for (size_t i = 0; i < rivals->count; i++) {
        struct rival *rival = &match->members[i];
        rival->postgres = postgres_stage_create(server);
        rival->entries = calloc(rivals->steps, sizeof(*rival->entries));
        rival->dice.state = history_roll(&dice);
        rival->shape = shape;
        rival->shape.has_faults = rivals->has_faults;
        rival->history = &match->history;
        rival->steps = rivals->steps;
        if (rival->postgres == NULL) {
            snprintf(rivals->problem, MODEL_PROBLEM_CHARS, "no connection");
            return false;
        }
        CHECK(rival->entries != NULL);
        struct stage *stage = postgres_stage_of(rival->postgres);
        if (rivals->is_planted) {
            plant_init(&rival->plant, stage, rivals->mistake);
            stage = &rival->plant.stage;
        }
        player_init(&rival->player, stage);
    }
    return true;
}

static bool create_sale(struct match *match)
{
    struct rival *first = &match->members[0];
    struct model_sale sale;
    char key[64];

    trial_name_creation(key);
    if (!player_create(&first->player, &match->history, key, &sale, match->rivals->problem)) {
        return false;
    }
    model_init(&match->model, &sale, 0);
    for (size_t i = 1; i < match->rivals->count; i++) {
        match->members[i].player.sale_id = first->player.sale_id;
    }
    return true;
}

static void play_all(struct match *match)
{
    struct rivals *rivals = match->rivals;
    pthread_t interferer;

    for (size_t i = 0; i < rivals->count; i++) {
        CHECK(pthread_create(&match->members[i].thread, NULL, play, &match->members[i]) == 0);
    }
    if (rivals->loses_connections) {
        CHECK(pthread_create(&interferer, NULL, interfere, match) == 0);
    }
    for (size_t i = 0; i < rivals->count; i++) {
        CHECK(pthread_join(match->members[i].thread, NULL) == 0);
    }
    atomic_store(&match->is_over, true);
    if (rivals->loses_connections) {
        CHECK(pthread_join(interferer, NULL) == 0);
    }
}

/* --- Judging ----------------------------------------------------------------------------------*/

static bool has_moved(const struct witness_transaction *transaction)
{
    return transaction->after.version != transaction->version_before;
}

/* A COMMIT whose result was never heard of: the event of its version says whose that is, for no two
 * transactions of a sale are of the same microsecond and version. */
static void resolve(struct match *match, struct witness_transaction *transaction)
{
    int64_t version = transaction->after.version;
    bool is_there = has_moved(transaction) && version <= (int64_t)match->view.event_count &&
                    match->view.events[version - 1].time_us == transaction->now_us;
    transaction->end = is_there ? WITNESS_COMMITTED : WITNESS_ROLLED_BACK;
    match->rivals->resolved++;
}

static void collect(struct match *match)
{
    struct rivals *rivals = match->rivals;
    for (size_t i = 0; i < rivals->count; i++) {
        for (size_t k = 0; k < rivals->steps; k++) {
            struct entry *entry = &match->members[i].entries[k];
            entry->result.faults_made += rivals->loses_connections;
            for (size_t t = 0; t < entry->result.transaction_count; t++) {
                struct witness_transaction *transaction = &entry->result.transactions[t];
                if (transaction->end == WITNESS_IN_DOUBT) {
                    resolve(match, transaction);
                }
                if (transaction->end == WITNESS_COMMITTED) {
                    match->turns[match->turn_count++] = (struct turn){entry, transaction};
                }
            }
        }
    }
    rivals->transactions = match->turn_count;
}

/* Whether there was anything to get wrong. */
static void count_refusals(struct match *match)
{
    for (size_t i = 0; i < match->rivals->count; i++) {
        for (size_t k = 0; k < match->rivals->steps; k++) {
            const struct entry *entry = &match->members[i].entries[k];
            for (size_t t = 0; t < entry->step.item_count; t++) {
                match->rivals->placed += entry->result.verdicts[t] == VERDICT_PLACED;
                match->rivals->sold_out += entry->result.verdicts[t] == VERDICT_SOLD_OUT;
            }
        }
    }
}

/* By version; those that changed nothing come after the one that made what they saw. */
static int compare_turns(const void *a, const void *b)
{
    const struct witness_transaction *first = ((const struct turn *)a)->transaction;
    const struct witness_transaction *second = ((const struct turn *)b)->transaction;
    if (first->after.version != second->after.version) {
        return first->after.version < second->after.version ? -1 : 1;
    }
    if (has_moved(first) != has_moved(second)) {
        return has_moved(first) ? -1 : 1;
    }
    return first->now_us < second->now_us ? -1 : first->now_us > second->now_us;
}

static bool judge_turns(struct match *match)
{
    char *problem = match->rivals->problem, what[MODEL_PROBLEM_CHARS];

    qsort(match->turns, match->turn_count, sizeof(*match->turns), compare_turns);
    for (size_t i = 0; i < match->turn_count; i++) {
        struct turn *turn = &match->turns[i];
        if (!judge_transaction(&match->model, &turn->entry->step, &turn->entry->result,
                               turn->transaction, problem)) {
            memcpy(what, problem, sizeof(what));
            snprintf(problem, MODEL_PROBLEM_CHARS, "transaction to version %" PRId64 ": %.400s",
                     turn->transaction->after.version, what);
            return false;
        }
    }
    return true;
}

static bool judge_answers(struct match *match)
{
    for (size_t i = 0; i < match->rivals->count; i++) {
        for (size_t k = 0; k < match->rivals->steps; k++) {
            const struct entry *entry = &match->members[i].entries[k];
            if (!judge_step(&entry->step, &entry->result, match->rivals->problem)) {
                return false;
            }
        }
    }
    return true;
}

static bool judge_all(struct match *match)
{
    struct rivals *rivals = match->rivals;
    struct stage *stage = postgres_stage_of(match->members[0].postgres);
    const struct uuid *sale_id = &match->members[0].player.sale_id;

    if (!stage->store->wait_connected(stage->store->data, INT64_MAX) ||
        !stage->look(stage->data, sale_id, true, &match->view)) {
        snprintf(rivals->problem, MODEL_PROBLEM_CHARS, "the sale cannot be read");
        return false;
    }
    match->turns =
        calloc(rivals->count * rivals->steps * WITNESS_TRANSACTIONS_MAX, sizeof(*match->turns));
    CHECK(match->turns != NULL);
    collect(match);
    count_refusals(match);
    return judge_turns(match) && judge_answers(match) &&
           judge_view(&match->model, &match->view, sale_id, true, rivals->problem);
}

static void end(struct match *match)
{
    for (size_t i = 0; i < match->rivals->count; i++) {
        struct rival *rival = &match->members[i];
        if (rival->player.stage != NULL) {
            player_fini(&rival->player);
        }
        postgres_stage_destroy(rival->postgres);
        free(rival->entries);
    }
    free(match->turns);
    free(match);
}

bool rivals_run(struct rivals *rivals, const struct scratch_postgres *server)
{
    struct match *match = calloc(1, sizeof(*match));

    CHECK(match != NULL && rivals->count <= RIVALS_MAX && rivals->steps <= RIVALS_STEPS_MAX);
    match->rivals = rivals;
    rivals->transactions = rivals->resolved = rivals->placed = rivals->sold_out = 0;
    bool is_good = begin(match, server) && create_sale(match);
    if (is_good) {
        play_all(match);
        is_good = judge_all(match);
    }
    end(match);
    return is_good;
}
