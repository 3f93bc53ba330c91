/*
 * The flow: the orders that were read are copied and sorted by id, so that each request finds its
 * own quickly and what one request does the next one sees. One plain pass in arrival order decides;
 * what differs from what was read afterwards has changed.
 */
#include "orders/domain/settlement.h"

#include "base/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An order on its way through the batch. */
struct entry {
    struct settlement_order now;
    enum order_status before;
};

struct batch {
    struct entry *entries; /* by id */
    size_t count;
    int64_t now_us;
    struct sale *sale;
};

bool settlement_is_due(const struct order *order, int64_t now_us)
{
    return order->status == ORDER_RESERVED && order->expire_us != ORDER_NEVER_EXPIRES &&
           order->expire_us <= now_us;
}

int settlement_return_expired(const struct order_change *expired, size_t count, struct sale *sale)
{
    for (size_t i = 0; i < count; i++) {
        if (expired[i].quantity < 1 || !sale_may_give_back(sale, expired[i].quantity)) {
            return -EBADMSG;
        }
        sale_give_back(sale, expired[i].quantity);
    }
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    return memcmp(((const struct entry *)a)->now.order.order_id.bytes,
                  ((const struct entry *)b)->now.order.order_id.bytes, UUID_BYTES);
}

static int batch_build(const struct settlement_facts *facts, struct arena *scratch,
                       struct sale *sale, struct batch *ret)
{
    struct entry *entries = arena_calloc(scratch, facts->order_count, sizeof(*entries));
    if (entries == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < facts->order_count; i++) {
        entries[i].now = facts->orders[i];
        entries[i].before = facts->orders[i].order.status;
    }
    if (facts->order_count > 0) {
        qsort(entries, facts->order_count, sizeof(*entries), compare_entries);
    }
    *ret = (struct batch){entries, facts->order_count, facts->now_us, sale};
    return 0;
}

/* The order that a request means, if it is that customer's; else NULL. */
static struct entry *find_entry(const struct batch *batch, const struct settlement_request *request)
{
    for (size_t low = 0, high = batch->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        struct entry *entry = &batch->entries[middle];
        int difference =
            memcmp(request->order_id.bytes, entry->now.order.order_id.bytes, UUID_BYTES);
        if (difference == 0) {
            bool is_theirs = request->customer_length == 0 ||
                             (request->customer_length == entry->now.customer_length &&
                              memcmp(request->customer_id, entry->now.customer_id,
                                     request->customer_length) == 0);
            return is_theirs ? entry : NULL;
        }
        if (difference < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* Moves an order to a status that its own allows; -EBADMSG where its units cannot come back. */
static int move(struct batch *batch, struct order *order, enum order_status to)
{
    if (transition_holds_units(order->status) && !transition_holds_units(to)) {
        if (order->quantity < 1 || !sale_may_give_back(batch->sale, order->quantity)) {
            return -EBADMSG;
        }
        sale_give_back(batch->sale, order->quantity);
    }
    order->status = to;
    return 0;
}

static int decide_one(struct batch *batch, const struct settlement_request *request,
                      enum outcome *ret_outcome, struct settlement_order *ret_order)
{
    CHECK(request->act < ORDER_ACT_COUNT && request->act != ORDER_ACT_EXPIRE);
    struct entry *entry = find_entry(batch, request);
    if (entry == NULL) {
        *ret_outcome = OUTCOME_ORDER_NOT_FOUND;
        return 0;
    }
    struct order *order = &entry->now.order;
    if (settlement_is_due(order, batch->now_us)) {
        int result = move(batch, order, transition_of(order->status, ORDER_ACT_EXPIRE));
        if (result < 0) {
            return result;
        }
    }
    enum order_status to = transition_of(order->status, request->act);
    *ret_outcome = to == ORDER_STATUS_COUNT ? OUTCOME_ILLEGAL_TRANSITION : OUTCOME_DONE;
    int result = to == ORDER_STATUS_COUNT ? 0 : move(batch, order, to);
    *ret_order = entry->now;
    return result;
}

static void collect_changes(const struct batch *batch, struct settlement_decision *ret)
{
    ret->change_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct order *order = &batch->entries[i].now.order;
        if (order->status != batch->entries[i].before) {
            ret->changes[ret->change_count++] = (struct order_change){
                .order_id = order->order_id,
                .number = order->number,
                .quantity = order->quantity,
                .from = batch->entries[i].before,
                .to = order->status,
            };
        }
    }
}

int settlement_decide(const struct settlement_facts *facts,
                      const struct settlement_request *requests, size_t count,
                      struct arena *scratch, struct settlement_decision *ret)
{
    struct batch batch;

    CHECK(count >= 1 && count <= SETTLEMENT_BATCH_MAX);
    CHECK(sale_is_consistent(&facts->sale));
    ret->sale = facts->sale;
    int result = facts->order_count > count ? -EBADMSG : 0;
    if (result == 0) {
        result = settlement_return_expired(facts->expired, facts->expired_count, &ret->sale);
    }
    if (result == 0) {
        result = batch_build(facts, scratch, &ret->sale, &batch);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        result = decide_one(&batch, &requests[i], &ret->outcomes[i], &ret->orders[i]);
    }
    if (result < 0) {
        return result;
    }
    collect_changes(&batch, ret);
    if (facts->expired_count + ret->change_count > 0) {
        sale_seal(&facts->sale, &ret->sale);
    }
    CHECK(sale_is_consistent(&ret->sale));
    return 0;
}
