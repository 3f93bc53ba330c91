/*
 * Plays the steps of a history through the program's own logic, as the service would: one player is
 * one connection with its worker. What each step was told is kept for the judge.
 */
#ifndef HISTORY_PLAYER_H
#define HISTORY_PLAYER_H

#include "base/arena.h"
#include "history.h"
#include "orders/ports/system.h"
#include "stage.h"
#include "witness.h"

#define PLAYER_NAME_BYTES 32

/* What a step was told. */
struct player_result {
    enum verdict verdicts[HISTORY_ITEMS_MAX]; /* PLACE, SETTLE */
    struct order orders[HISTORY_ITEMS_MAX];
    enum verdict verdict; /* acts on the sale */
    struct sale sale;     /* where verdict is a success; without texts */
    int64_t end_us;       /* what SET_END asked for */
    enum store_result swept;
    int64_t mature_up_to; /* what SWEEP was asked for */
    size_t expired;
    int32_t matured;
    unsigned faults_made;
    bool was_late;
    size_t transaction_count;
    struct witness_transaction transactions[WITNESS_TRANSACTIONS_MAX];
};

struct player {
    struct stage *stage;
    struct witness witness;
    struct system_port system;
    int64_t clock_ahead_ns; /* of the stage's monotonic clock: slept, or used up by a late fault */
    struct arena arena;
    struct uuid sale_id;
    int64_t noted;                            /* stock_returned as NOTE read it last */
    int64_t next_expiry_us, start_us, end_us; /* where clock steps go: the judge's knowledge */
    char names[HISTORY_ITEMS_MAX][PLAYER_NAME_BYTES];
};

/* The player must not move; the stage must outlive it. */
void player_init(struct player *player, struct stage *stage);
void player_fini(struct player *player);

/*
 * Makes the history's sale, with faults, until it is made; some seeds ask for it again and with
 * another draft. creation_key names it. False with the problem where an answer is wrong.
 */
bool player_create(struct player *player, const struct history *history, const char *creation_key,
                   struct model_sale *ret_sale, char problem[MODEL_PROBLEM_CHARS]);

void player_play(struct player *player, const struct history_step *step,
                 struct player_result *ret_result);

/* How far a CLOCK step goes from here, microseconds; not below 0. */
int64_t player_leap_us(const struct player *player, const struct history_step *step);

/* "c3", and the id of its order with a key. */
void player_name_customer(int customer, char ret_name[PLAYER_NAME_BYTES]);
struct uuid player_order_id(const struct uuid *sale_id, int customer, int key);

#endif
