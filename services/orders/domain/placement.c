/*
 * The flow: the batch is indexed first (which requests are copies of each other, which orders
 * exist, which customers they belong to), by sorting, so that no caller can make a look-up slow
 * with chosen names. Then one plain pass in arrival order decides.
 */
#include "orders/domain/placement.h"

#include "base/arena.h"
#include "orders/domain/settlement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY SIZE_MAX

/* What the decision keeps about each request while it goes through the batch. */
struct index {
    const struct placement_request *requests;
    size_t count;
    size_t *order_slot;            /* request -> slot shared by all its copies */
    const struct order **existing; /* order slot -> the order in the database, or NULL */
    size_t *placed_by;             /* order slot -> the request that placed it, or NOBODY */
    size_t *customer_slot;         /* request -> slot shared by the customer's requests */
    int64_t *units_held;           /* customer slot -> units held now */
};

/* --- Sorting: a permutation of the requests in which equals are neighbours ---------------------
 */

static int compare_ids(const void *a, const void *b, void *data)
{
    const struct placement_request *requests = data;
    return memcmp(requests[*(const size_t *)a].order_id.bytes,
                  requests[*(const size_t *)b].order_id.bytes, UUID_BYTES);
}

static int compare_texts(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int difference = memcmp(a, b, a_length < b_length ? a_length : b_length);
    if (difference != 0) {
        return difference;
    }
    return a_length < b_length ? -1 : a_length > b_length;
}

static int compare_customers(const void *a, const void *b, void *data)
{
    const struct placement_request *requests = data;
    const struct placement_request *first = &requests[*(const size_t *)a];
    const struct placement_request *second = &requests[*(const size_t *)b];
    return compare_texts(first->customer_id, first->customer_length, second->customer_id,
                         second->customer_length);
}

/*
 * Gives neighbours that compare equal one slot. ret_first[slot] is a request of that slot, in
 * ascending order of what was compared. Returns the number of slots.
 */
static size_t assign_slots(const struct index *index,
                           int (*compare)(const void *, const void *, void *), size_t *permutation,
                           size_t *ret_slot, size_t *ret_first)
{
    void *requests = (void *)(uintptr_t)index->requests;
    size_t slots = 0;

    for (size_t i = 0; i < index->count; i++) {
        permutation[i] = i;
    }
    qsort_r(permutation, index->count, sizeof(*permutation), compare, requests);
    for (size_t i = 0; i < index->count; i++) {
        if (i == 0 || compare(&permutation[i - 1], &permutation[i], requests) != 0) {
            ret_first[slots++] = permutation[i];
        }
        ret_slot[permutation[i]] = slots - 1;
    }
    return slots;
}

/* --- Indexing: what was read is brought to the slots by binary search ---------------------------
 */

static void index_existing(struct index *index, const struct placement_facts *facts,
                           const size_t *first, size_t slots)
{
    for (size_t i = 0; i < facts->existing_count; i++) {
        const struct order *order = &facts->existing[i];
        for (size_t low = 0, high = slots; low < high;) {
            size_t middle = low + (high - low) / 2;
            int difference = memcmp(order->order_id.bytes,
                                    index->requests[first[middle]].order_id.bytes, UUID_BYTES);
            if (difference == 0) {
                index->existing[middle] = order;
                break;
            }
            if (difference < 0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }
}

static void index_holdings(struct index *index, const struct placement_facts *facts,
                           const size_t *first, size_t slots)
{
    for (size_t i = 0; i < facts->holding_count; i++) {
        const struct placement_holding *holding = &facts->holdings[i];
        for (size_t low = 0, high = slots; low < high;) {
            size_t middle = low + (high - low) / 2;
            const struct placement_request *request = &index->requests[first[middle]];
            int difference = compare_texts(holding->customer_id, holding->customer_length,
                                           request->customer_id, request->customer_length);
            if (difference == 0) {
                index->units_held[middle] = holding->units;
                break;
            }
            if (difference < 0) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
    }
}

static int index_build(const struct placement_facts *facts,
                       const struct placement_request *requests, size_t count,
                       struct arena *scratch, struct index *ret)
{
    size_t *permutation = arena_calloc(scratch, count, sizeof(size_t));
    size_t *first = arena_calloc(scratch, count, sizeof(size_t));
    struct index index = {
        .requests = requests,
        .count = count,
        .order_slot = arena_calloc(scratch, count, sizeof(size_t)),
        .existing = arena_calloc(scratch, count, sizeof(struct order *)),
        .placed_by = arena_calloc(scratch, count, sizeof(size_t)),
        .customer_slot = arena_calloc(scratch, count, sizeof(size_t)),
        .units_held = arena_calloc(scratch, count, sizeof(int64_t)),
    };
    if (permutation == NULL || first == NULL || arena_overflowed(scratch)) {
        return -ENOMEM;
    }
    size_t slots = assign_slots(&index, compare_ids, permutation, index.order_slot, first);
    index_existing(&index, facts, first, slots);
    for (size_t slot = 0; slot < slots; slot++) {
        index.placed_by[slot] = NOBODY;
    }
    if (facts->sale.per_customer_limit > 0) {
        slots = assign_slots(&index, compare_customers, permutation, index.customer_slot, first);
        index_holdings(&index, facts, first, slots);
    }
    *ret = index;
    return 0;
}

/* --- Deciding ------------------------------------------------------------------------------------
 */

/* The order that this request asked for and that exists already, in the database or in this batch.
 */
static const struct order *find_earlier(const struct index *index, size_t request,
                                        const struct placement_decision *decision)
{
    size_t slot = index->order_slot[request];
    if (index->existing[slot] != NULL) {
        return index->existing[slot];
    }
    size_t placed_by = index->placed_by[slot];
    return placed_by == NOBODY ? NULL : &decision->orders[placed_by];
}

/* Why a new order cannot be placed, or PLACED. */
static enum outcome judge_new(const struct sale *sale, int64_t now_us, int32_t quantity,
                              int64_t units_held)
{
    switch (sale_state_at(sale, now_us)) {
    case SALE_SCHEDULED:
        return OUTCOME_SALE_NOT_STARTED;
    case SALE_ENDED:
        return OUTCOME_SALE_ENDED;
    case SALE_PAUSED:
        return OUTCOME_SALE_PAUSED;
    case SALE_SOLD_OUT:
        return OUTCOME_SOLD_OUT;
    case SALE_LIVE:
        break;
    }
    if (quantity > sale->stock_remaining) {
        return OUTCOME_SOLD_OUT;
    }
    if (sale->per_customer_limit > 0 && units_held + quantity > sale->per_customer_limit) {
        return OUTCOME_CUSTOMER_LIMIT_REACHED;
    }
    return OUTCOME_PLACED;
}

static struct order make_order(const struct sale *sale, const struct placement_request *request,
                               int64_t now_us)
{
    bool held = sale->hold_seconds > 0;
    return (struct order){
        .order_id = request->order_id,
        .number = sale->orders_count,
        .quantity = request->quantity,
        .status = held ? ORDER_RESERVED : ORDER_CONFIRMED,
        .create_us = now_us,
        .expire_us = held ? now_us + sale->hold_seconds * INT64_C(1000000) : ORDER_NEVER_EXPIRES,
    };
}

static void decide_one(struct index *index, size_t i, int64_t now_us,
                       struct placement_decision *decision)
{
    const struct placement_request *request = &index->requests[i];
    const struct order *earlier = find_earlier(index, i, decision);
    struct sale *sale = &decision->sale;

    if (earlier != NULL) {
        bool same = earlier->quantity == request->quantity;
        decision->outcomes[i] = same ? OUTCOME_REPLAYED : OUTCOME_IDEMPOTENCY_KEY_REUSED;
        decision->orders[i] = *earlier;
        return;
    }
    int64_t *units_held = &index->units_held[index->customer_slot[i]];
    decision->outcomes[i] = judge_new(sale, now_us, request->quantity, *units_held);
    if (decision->outcomes[i] != OUTCOME_PLACED) {
        return;
    }
    *units_held += request->quantity;
    sale_take(sale, request->quantity);
    sale->orders_count++;
    decision->orders[i] = make_order(sale, request, now_us);
    decision->placed_count++;
    decision->placed_units += request->quantity;
    index->placed_by[index->order_slot[i]] = i;
}

int placement_decide(const struct placement_facts *facts, const struct placement_request *requests,
                     size_t count, struct arena *scratch, struct placement_decision *ret)
{
    struct index index;

    CHECK(count >= 1 && count <= PLACEMENT_BATCH_MAX);
    CHECK(sale_is_consistent(&facts->sale));
    ret->sale = facts->sale;
    ret->placed_count = 0;
    ret->placed_units = 0;
    int result = settlement_return_expired(facts->expired, facts->expired_count, &ret->sale);
    if (result < 0) {
        return result;
    }
    result = index_build(facts, requests, count, scratch, &index);
    if (result < 0) {
        return result;
    }
    int32_t to_sell = ret->sale.stock_remaining;
    for (size_t i = 0; i < count; i++) {
        decide_one(&index, i, facts->now_us, ret);
    }
    if (ret->placed_count > 0 || facts->expired_count > 0) {
        sale_seal(&facts->sale, &ret->sale);
    }
    CHECK(sale_is_consistent(&ret->sale));
    CHECK(to_sell - ret->sale.stock_remaining == ret->placed_units);
    return 0;
}
