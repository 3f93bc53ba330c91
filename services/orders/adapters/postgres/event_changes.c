#include "orders/adapters/postgres/event_changes.h"

#include "base/arena.h"
#include "orders/adapters/postgres/translate.h"

#include <stdlib.h>
#include <string.h>

static int compare_numbers(const void *a, const void *b)
{
    const struct order_change *first = a, *second = b;
    return (first->number > second->number) - (first->number < second->number);
}

/* Readers get an event's orders by number, so they are stored by number. */
static struct order_change *merge(const struct order_change *expired, size_t expired_count,
                                  const struct order_change *changes, size_t change_count,
                                  struct arena *arena)
{
    size_t count = expired_count + change_count;
    struct order_change *all = arena_alloc(arena, count * sizeof(*all));
    if (all == NULL) {
        return NULL;
    }
    if (expired_count > 0) {
        memcpy(all, expired, expired_count * sizeof(*all));
    }
    if (change_count > 0) {
        memcpy(all + expired_count, changes, change_count * sizeof(*all));
    }
    if (count > 1) {
        qsort(all, count, sizeof(*all), compare_numbers);
    }
    return all;
}

bool event_changes_collect(const struct order_change *expired, size_t expired_count,
                           const struct order_change *changes, size_t change_count,
                           struct arena *arena, struct event_changes *ret)
{
    size_t count = expired_count + change_count;
    const struct order_change *all = merge(expired, expired_count, changes, change_count, arena);
    int64_t *numbers = arena_alloc(arena, count * sizeof(*numbers));
    struct sql_text *statuses = arena_alloc(arena, count * sizeof(*statuses));

    if (all == NULL || numbers == NULL || statuses == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(i == 0 || all[i - 1].number < all[i].number);
        numbers[i] = all[i].number;
        statuses[i] = translate_sql_text(order_status_name(all[i].to));
    }
    *ret = (struct event_changes){.numbers = numbers, .statuses = statuses, .count = count};
    return true;
}

bool event_changes_status(struct sql_text label, enum order_status *ret)
{
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        const char *name = order_status_name(status);
        if (label.bytes != NULL && label.length == strlen(name) &&
            memcmp(label.bytes, name, label.length) == 0) {
            *ret = status;
            return true;
        }
    }
    return false;
}
