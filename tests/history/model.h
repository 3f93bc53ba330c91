/*
 * One sale, as plainly as it can be said: what ARCHITECTURE sections 3 and 4 promise, written from
 * there and from CORRECTNESS, not from the program. It goes through arrays from end to end, knows
 * no batch, no lock and no database, and shares nothing with what it judges but the names of
 * statuses and verdicts. One transaction of the real thing is one turn here.
 *
 * Orders are named by small numbers: customer 3 with key 5. Times are microseconds.
 */
#ifndef HISTORY_MODEL_H
#define HISTORY_MODEL_H

#include "orders/domain/order.h"
#include "orders/logic/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_CUSTOMERS_MAX 40
#define MODEL_KEYS_MAX      40
#define MODEL_ORDERS_MAX    (MODEL_CUSTOMERS_MAX * MODEL_KEYS_MAX)
#define MODEL_RESTOCKS_MAX  64 /* keys of restocks */
#define MODEL_EVENTS_MAX    4096
#define MODEL_CHANGES_MAX   (3 * MODEL_ORDERS_MAX)
#define MODEL_PROBLEM_CHARS 512

struct model_order {
    int customer, key;
    int32_t quantity;
    enum order_status status;
    int64_t create_us, expire_us; /* expire_us is 0 for an order that was never held */
};

struct model_change {
    int64_t number;
    enum order_status to;
};

/* What one transaction did. */
struct model_event {
    int64_t time_us;
    int64_t placed_from; /* number of the first placed order; 0: none */
    int placed_count;
    enum order_status placed_status;
    size_t change_first, change_count; /* in the model's changes */
};

struct model {
    int64_t start_us, end_us;
    int32_t total, remaining, returning, limit, hold_seconds;
    int64_t returned, sold_out_since;
    bool paused, ended, limit_lowered;
    int title; /* the title's number */

    int32_t restocks[MODEL_RESTOCKS_MAX]; /* by key: the units of a restock that was done, or 0 */
    struct {
        bool moved;
        int32_t remaining;
        struct model_event event;
    } turn; /* the transaction that is being done */

    int order_count;
    int64_t version; /* also the number of events */
    size_t change_count;
    /* From here on only so many count as the three say. */
    struct model_order orders[MODEL_ORDERS_MAX]; /* number n is at n - 1 */
    struct model_event events[MODEL_EVENTS_MAX]; /* sequence n is at n - 1 */
    struct model_change changes[MODEL_CHANGES_MAX];
};

struct model_sale {
    int64_t start_us, end_us;
    int32_t total, limit, hold_seconds;
};

struct model_placement {
    int customer, key;
    int32_t quantity;
};

struct model_settlement {
    int customer, key; /* the order */
    int by;            /* the customer who says so, or MODEL_ANYBODY */
    enum model_act { MODEL_CONFIRM, MODEL_CANCEL, MODEL_CANCEL_SOLD } act;
};

#define MODEL_ANYBODY (-1)

/* A sale is made: version 1. */
void model_init(struct model *model, const struct model_sale *sale, int64_t now_us);

/* --- One transaction: begin, any of the acts, end ---------------------------------------------*/

/* now_us is when its business is judged; holds that end at or before expire_us have run out. */
void model_begin(struct model *model, int64_t now_us, int64_t expire_us);

/* The verdict on one order; its now is that of the transaction. */
enum verdict model_place(struct model *model, int64_t now_us,
                         const struct model_placement *placement);

enum verdict model_settle(struct model *model, const struct model_settlement *settlement);

enum verdict model_pause(struct model *model, int64_t now_us, bool paused);
enum verdict model_end(struct model *model, int64_t now_us);
enum verdict model_set_end(struct model *model, int64_t now_us, int64_t end_us);
enum verdict model_set_limit(struct model *model, int32_t limit);
enum verdict model_set_title(struct model *model, int title);
enum verdict model_restock(struct model *model, int64_t now_us, int key, int32_t units);

/* The units that had come back when returned of them were counted can be sold. */
int32_t model_mature(struct model *model, int64_t returned);

/* Gives the transaction its version and its event, if it changed anything; whether it did. */
bool model_finish(struct model *model, int64_t now_us);

/* --- Looking ----------------------------------------------------------------------------------*/

/* The order, or NULL. */
const struct model_order *model_find(const struct model *model, int customer, int key);

int64_t model_number(const struct model *model, const struct model_order *order);

/* When the next hold runs out; 0 where nothing is held. */
int64_t model_next_expiry(const struct model *model);

/* All that was and will be happened us earlier. */
void model_shift(struct model *model, int64_t us);

/* Whether what must always hold holds; else says what does not. */
bool model_is_sound(const struct model *model, char problem[MODEL_PROBLEM_CHARS]);

#endif
