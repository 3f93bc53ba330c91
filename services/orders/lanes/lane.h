/*
 * The lane of one sale: what waits for it, in queues by kind, and whose turn is next.
 *
 *   idle ──something waits──▶ ready ──taken──▶ owned ──given back──▶ ready, or idle
 *
 * Not thread-safe: the lock of the lanes guards it.
 */
#ifndef ORDERS_LANES_LANE_H
#define ORDERS_LANES_LANE_H

#include "base/hash_table.h"
#include "orders/lanes/lane_rate.h"
#include "orders/lanes/lanes.h"
#include "orders/lanes/rotation.h"

/* Being in a state is being on its list: idle and ready lanes are; an owned lane is on none. */
struct lane {
    struct uuid sale_id;
    struct list queues[LANE_QUEUES]; /* of struct lane_entry */
    bool wants_sweep;
    int64_t mature_up_to; /* of the sweep */
    bool is_owned;
    int64_t ready_since_ns; /* where it is ready: since when */
    struct lane_rate rate;  /* of orders and changes */
    struct lane_rate act_rate;
    struct list_link link;
    UT_hash_handle by_id;
    struct rotation _rotation; /* of the kinds */
};

void lane_init(struct lane *lane, const struct uuid *sale_id);

bool lane_is_empty(const struct lane *lane);

/* Orders and changes that wait: what the rate is about. */
size_t lane_depth(const struct lane *lane);

/* How long an entry of a kind that this lane refuses should wait: an act for the acts before it,
 * the others for both of theirs. */
int64_t lane_retry_after_ms(const struct lane *lane, enum lane_kind kind, int64_t now_ns);

/* There is work again, after a time without any. */
void lane_resume_rates(struct lane *lane, int64_t now_ns);

/* A turn has ended in which so many orders or changes, or acts, were answered. */
void lane_note_answered(struct lane *lane, int64_t now_ns, size_t answered, size_t acts_answered);

/* Wishes are as one: they mature what any of them would. */
void lane_want_sweep(struct lane *lane, int64_t mature_up_to);

void lane_drop_wish(struct lane *lane);

/* Gives a turn to a kind that waits, in the order of the enum and as rotation.h says. The lane is
 * not empty (asserted). */
enum lane_kind lane_turn(struct lane *lane);

/* Moves up to count entries of a queue to the end of to; returns how many. */
size_t lane_move(struct lane *lane, enum lane_kind kind, size_t count, struct list *to);

#endif
