/*
 * The orders that an event says were moved from one status to another, as its row has them. Private
 * to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_EVENT_CHANGES_H
#define ORDERS_ADAPTERS_POSTGRES_EVENT_CHANGES_H

#include "base/check.h"
#include "orders/domain/order.h"
#include "postgres/sql_type.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Two arrays of count elements in an arena, by number. */
struct event_changes {
    const int64_t *numbers;
    const struct sql_text *statuses;
    size_t count;
};

/* What expired and what else changed in one transaction, in one list. False: the arena is full. */
bool event_changes_collect(const struct order_change *expired, size_t expired_count,
                           const struct order_change *changes, size_t change_count,
                           struct arena *arena, struct event_changes *ret) MUST_CHECK;

/* The status of a label; false when there is none of this name. */
bool event_changes_status(struct sql_text label, enum order_status *ret) MUST_CHECK;

#endif
