/*
 * Verdicts that were given under the lock of the lanes and are told outside it, because whoever
 * hears of one may submit again.
 */
#ifndef ORDERS_LANES_ANSWERS_H
#define ORDERS_LANES_ANSWERS_H

#include "orders/lanes/lanes.h"

struct answers {
    struct list _entries;
};

void answers_init(struct answers *answers);

/* Answers an entry that is on no list. retry_after_ms is for OVERLOADED. */
void answers_add(struct answers *answers, struct lane_entry *entry, enum verdict verdict,
                 int64_t retry_after_ms);

/* The same for all of a list, which is empty afterwards. */
void answers_add_all(struct answers *answers, struct list *entries, enum verdict verdict,
                     int64_t retry_after_ms);

/* Tells all of them; not under the lock. Whatever was answered is its owner's again. */
void answers_tell(struct answers *answers);

/* Tells orders that have their verdicts, whole batches at a time where they stand together. */
void answers_tell_orders(struct lane_order *const *orders, size_t count);

#endif
