#include "orders/logic/place_orders.h"

#include "base/arena.h"
#include "orders/logic/batch.h"

_Static_assert(BATCH_ITEMS_MAX >= PLACEMENT_BATCH_MAX, "a placement fits into a batch");

struct run {
    const struct store *store;
    const struct uuid *sale_id;
    struct place_orders_item *const *items;
    struct arena *arena;
};

static void answer_all(const struct run *run, const size_t *positions, size_t count,
                       enum verdict verdict)
{
    for (size_t i = 0; i < count; i++) {
        run->items[positions[i]]->verdict = verdict;
    }
}

static void take_decision(const struct run *run, const size_t *positions, size_t count,
                          const struct placement_decision *decision)
{
    for (size_t i = 0; i < count; i++) {
        struct place_orders_item *item = run->items[positions[i]];
        item->verdict = verdict_of_outcome(decision->outcomes[i]);
        item->order = decision->orders[i];
        item->unit_price = decision->sale.unit_price;
    }
}

/* Decides what was loaded and stores it: the transaction is over afterwards. */
static enum store_result decide_and_store(const struct run *run,
                                          const struct placement_facts *facts,
                                          const struct placement_request *requests, size_t count,
                                          int64_t deadline_ns, struct placement_decision *decision)
{
    const struct store *store = run->store;
    if (placement_decide(facts, requests, count, run->arena, decision) < 0) {
        store->abandon(store->data, deadline_ns);
        return STORE_BROKEN;
    }
    return store->store_placed(store->data, facts, requests, count, decision, deadline_ns,
                               run->arena);
}

/* Load, decide, store: one transaction. */
static enum store_result attempt(void *data, const size_t *positions, size_t count,
                                 int64_t deadline_ns)
{
    const struct run *run = data;
    const struct store *store = run->store;
    struct placement_facts facts;

    arena_reset(run->arena);
    struct placement_request *requests = arena_alloc(run->arena, count * sizeof(*requests));
    struct placement_decision *decision = arena_alloc(run->arena, sizeof(*decision));
    if (requests == NULL || decision == NULL) {
        return STORE_BROKEN;
    }
    for (size_t i = 0; i < count; i++) {
        requests[i] = run->items[positions[i]]->in;
    }
    enum store_result result = store->load_placement(store->data, run->sale_id, requests, count,
                                                     deadline_ns, run->arena, &facts);
    if (result == STORE_NOT_FOUND) {
        store->abandon(store->data, deadline_ns);
        answer_all(run, positions, count, VERDICT_SALE_NOT_FOUND);
        return STORE_OK;
    }
    if (result == STORE_OK) {
        result = decide_and_store(run, &facts, requests, count, deadline_ns, decision);
    }
    if (result == STORE_OK) {
        take_decision(run, positions, count, decision);
    }
    return result;
}

void place_orders_run(const struct batch_means *means, const struct uuid *sale_id,
                      struct place_orders_item *const *items, size_t count, struct arena *arena)
{
    struct run run = {.store = means->store, .sale_id = sale_id, .items = items, .arena = arena};
    const struct batch batch = batch_begin(means, attempt, &run);
    struct batch_item batch_items[PLACEMENT_BATCH_MAX];

    CHECK(count >= 1 && count <= PLACEMENT_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        batch_items[i] = (struct batch_item){items[i]->deadline_ns, items[i]->attempts_end_ns,
                                             &items[i]->verdict};
    }
    batch_run(&batch, batch_items, count);
}
