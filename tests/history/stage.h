/*
 * Where a history is played: a store and the database behind it, as the judge sees that from
 * outside, with a clock that can be moved. One thread at a time.
 */
#ifndef HISTORY_STAGE_H
#define HISTORY_STAGE_H

#include "model.h"
#include "orders/ports/store.h"

#define STAGE_TITLE_BYTES 32

/* What the database holds, read beside the store. */
struct stage_order {
    struct order order;
    char customer[ORDER_CUSTOMER_CHARS_MAX + 1];
};

struct stage_event {
    int64_t sequence, time_us;
    int64_t placed_from;
    int placed_count;
    enum order_status placed_status;   /* when placed_count > 0 */
    size_t change_first, change_count; /* in changes */
};

struct stage_view {
    struct sale sale; /* its texts are not set */
    char title[STAGE_TITLE_BYTES];
    bool limit_lowered;
    size_t order_count, event_count, change_count;
    struct stage_order orders[MODEL_ORDERS_MAX]; /* by number */
    struct stage_event events[MODEL_EVENTS_MAX]; /* by sequence */
    struct model_change changes[MODEL_CHANGES_MAX];
};

struct stage {
    void *data; /* passed to every function */
    struct store *store;

    /* Another history begins; nothing of the last one matters any more. May be NULL. */
    void (*begin)(void *data);

    /* The database's clock, microseconds. */
    int64_t (*now_us)(void *data);

    /* The clock goes on by us. Where it cannot, all times of the sale go back by as much, which
     * leap_shifts says. */
    void (*leap)(void *data, const struct uuid *sale_id, int64_t us);
    bool leap_shifts;

    /* Reads the sale; with its orders and events where whole. False: there is none, or it cannot be
     * read, which fails the history. */
    bool (*look)(void *data, const struct uuid *sale_id, bool whole, struct stage_view *ret);

    /* Whether look(whole) costs so little that it is done after every step. */
    bool looks_are_cheap;

    /* Monotonic nanoseconds by which deadlines are taken. */
    int64_t (*monotonic_ns)(void *data);
};

#endif
