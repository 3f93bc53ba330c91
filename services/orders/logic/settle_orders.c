#include "orders/logic/settle_orders.h"

#include "base/arena.h"
#include "orders/logic/batch.h"

#include <string.h>

_Static_assert(BATCH_ITEMS_MAX >= SETTLEMENT_BATCH_MAX, "a settlement fits into a batch");

struct run {
    const struct store *store;
    const struct uuid *sale_id;
    struct settle_orders_item *const *items;
    struct arena *arena;
};

/* Where one attempt works; all of it lives in the run's arena. */
struct work {
    struct settlement_request *requests;
    struct uuid *order_ids;
    struct settlement_decision *decision;
};

static void answer_all(const struct run *run, const size_t *positions, size_t count,
                       enum verdict verdict)
{
    for (size_t i = 0; i < count; i++) {
        run->items[positions[i]]->verdict = verdict;
    }
}

/* The facts die with the arena, so whose order it is is copied where the item does not say it. */
static void take_order(struct settle_orders_item *item, const struct settlement_order *order)
{
    item->order = *order;
    if (item->in.customer_length > 0) {
        item->order.customer_id = item->in.customer_id;
        return;
    }
    memcpy(item->customer_text, order->customer_id, order->customer_length);
    item->customer_text[order->customer_length] = '\0';
    item->order.customer_id = item->customer_text;
}

static void take_decision(const struct run *run, const size_t *positions, size_t count,
                          const struct settlement_decision *decision)
{
    for (size_t i = 0; i < count; i++) {
        struct settle_orders_item *item = run->items[positions[i]];
        item->verdict = verdict_of_outcome(decision->outcomes[i]);
        item->unit_price = decision->sale.unit_price;
        if (decision->outcomes[i] != OUTCOME_ORDER_NOT_FOUND) {
            take_order(item, &decision->orders[i]);
        }
    }
}

static bool names_fit(const struct settlement_facts *facts)
{
    for (size_t i = 0; i < facts->order_count; i++) {
        if (facts->orders[i].customer_length > ORDER_CUSTOMER_CHARS_MAX) {
            return false;
        }
    }
    return true;
}

/* Decides what was loaded and stores it: the transaction is over afterwards. */
static enum store_result decide_and_store(const struct run *run,
                                          const struct store_change_facts *facts,
                                          const struct work *work, size_t count,
                                          int64_t deadline_ns)
{
    const struct store *store = run->store;
    if (!names_fit(&facts->settlement) ||
        settlement_decide(&facts->settlement, work->requests, count, run->arena, work->decision) <
            0) {
        store->abandon(store->data, deadline_ns);
        return STORE_BROKEN;
    }
    struct store_change change = {
        .sale = work->decision->sale,
        .changes = work->decision->changes,
        .change_count = work->decision->change_count,
    };
    return store->store_change(store->data, facts, &change, deadline_ns, run->arena);
}

static bool prepare(const struct run *run, const size_t *positions, size_t count, struct work *ret)
{
    arena_reset(run->arena);
    ret->requests = arena_alloc(run->arena, count * sizeof(*ret->requests));
    ret->order_ids = arena_alloc(run->arena, count * sizeof(*ret->order_ids));
    ret->decision = arena_alloc(run->arena, sizeof(*ret->decision));
    if (arena_overflowed(run->arena)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ret->requests[i] = run->items[positions[i]]->in;
        ret->order_ids[i] = ret->requests[i].order_id;
    }
    return true;
}

/* Load, decide, store: one transaction. */
static enum store_result attempt(void *data, const size_t *positions, size_t count,
                                 int64_t deadline_ns)
{
    const struct run *run = data;
    const struct store *store = run->store;
    struct store_change_facts facts;
    struct work work;

    if (!prepare(run, positions, count, &work)) {
        return STORE_BROKEN;
    }
    struct store_change_query query = {.order_ids = work.order_ids, .order_count = count};
    enum store_result result =
        store->load_change(store->data, run->sale_id, &query, deadline_ns, run->arena, &facts);
    if (result == STORE_NOT_FOUND) {
        store->abandon(store->data, deadline_ns);
        answer_all(run, positions, count, VERDICT_SALE_NOT_FOUND);
        return STORE_OK;
    }
    if (result == STORE_OK) {
        result = decide_and_store(run, &facts, &work, count, deadline_ns);
    }
    if (result == STORE_OK) {
        take_decision(run, positions, count, work.decision);
    }
    return result;
}

void settle_orders_run(const struct batch_means *means, const struct uuid *sale_id,
                       struct settle_orders_item *const *items, size_t count, struct arena *arena)
{
    struct run run = {.store = means->store, .sale_id = sale_id, .items = items, .arena = arena};
    const struct batch batch = batch_begin(means, attempt, &run);
    struct batch_item batch_items[SETTLEMENT_BATCH_MAX];

    CHECK(count >= 1 && count <= SETTLEMENT_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        batch_items[i] = (struct batch_item){items[i]->deadline_ns, items[i]->attempts_end_ns,
                                             &items[i]->verdict};
    }
    batch_run(&batch, batch_items, count);
}
