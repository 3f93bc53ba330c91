/*
 * The happy path: one attempt on the whole batch, PLACED or a refusal for each order, done.
 *
 * What can go wrong, and what happens then:
 *  - an order's deadline passes before an attempt: it is dropped as OVERLOADED, unless a COMMIT
 * that covers it was sent before: then it stays until there is an answer;
 *  - the transaction certainly changed nothing (no connection, lock timeout): the orders are
 * refused for it, unless a COMMIT that covers them was sent before: then the attempt is repeated;
 *  - rolled back by the database (class 40): repeated;
 *  - a value was refused (classes 22, 23): the batch is halved until the culprit stands alone;
 *  - COMMIT was sent and not answered: the same orders are looked at again on a new connection.
 *    Whoever gets the sale's lock next sees how that COMMIT ended, so the new decision is final.
 * All repetition ends at decision_ns_max.
 */
#include "orders/logic/place_orders.h"

#include "base/arena.h"
#include "base/clock.h"

/* Halving a batch of PLACEMENT_BATCH_MAX leaves at most this many ranges waiting. */
#define RANGES_MAX 16

/* What a lost connection may cost before its orders are refused for it. */
#define QUICK_RECONNECT_NS (100 * CLOCK_NS_PER_MS)

struct range {
    size_t first, count;
    bool reconnected; /* the one quick reconnection that a refusal is worth was used */
};

struct run {
    const struct place_orders *use_case;
    const struct uuid *sale_id;
    struct place_orders_item *const *items;
    struct arena *arena;
    int64_t deadline_ns;
    bool in_doubt[PLACEMENT_BATCH_MAX]; /* a COMMIT that covers the item was sent, not answered */
};

/* The items of a range that still want an answer. */
struct live {
    struct place_orders_item *items[PLACEMENT_BATCH_MAX];
    size_t positions[PLACEMENT_BATCH_MAX]; /* in the run */
    size_t count;
    bool in_doubt; /* any of them */
};

static void answer_all(struct place_orders_item *const *items, size_t count, enum verdict verdict)
{
    for (size_t i = 0; i < count; i++) {
        items[i]->verdict = verdict;
    }
}

static int64_t now_ns(const struct run *run)
{
    return run->use_case->system->monotonic_ns(run->use_case->system->data);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Collects the range's items that still want an answer; the others are dropped as OVERLOADED. */
static void collect_live(const struct run *run, const struct range *range, struct live *ret)
{
    int64_t now = now_ns(run);

    ret->count = 0;
    ret->in_doubt = false;
    for (size_t i = range->first; i < range->first + range->count; i++) {
        if (!run->in_doubt[i] && run->items[i]->deadline_ns <= now) {
            run->items[i]->verdict = VERDICT_OVERLOADED;
            continue;
        }
        ret->items[ret->count] = run->items[i];
        ret->positions[ret->count++] = i;
        ret->in_doubt |= run->in_doubt[i];
    }
}

static void set_in_doubt(struct run *run, const struct live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        run->in_doubt[live->positions[i]] = true;
    }
}

static void take_decision(const struct placement_decision *decision,
                          struct place_orders_item *const *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i]->verdict = verdict_of_outcome(decision->outcomes[i]);
        items[i]->order = decision->orders[i];
        items[i]->unit_price = decision->sale.unit_price;
    }
}

/* Load, decide, store: one transaction. On STORE_OK the items have their verdicts. */
static enum store_result attempt(struct run *run, struct place_orders_item *const *items,
                                 size_t count)
{
    const struct store *store = run->use_case->store;
    int64_t deadline_ns = earlier(now_ns(run) + run->use_case->transaction_ns_max,
                                  run->deadline_ns + run->use_case->transaction_ns_max);
    struct placement_facts facts;

    arena_reset(run->arena);
    struct placement_request *requests = arena_alloc(run->arena, count * sizeof(*requests));
    struct placement_decision *decision = arena_alloc(run->arena, sizeof(*decision));
    if (requests == NULL || decision == NULL) {
        return STORE_BROKEN;
    }
    for (size_t i = 0; i < count; i++) {
        requests[i] = items[i]->in;
    }
    enum store_result result = store->load_placement(store->data, run->sale_id, requests, count,
                                                     deadline_ns, run->arena, &facts);
    if (result == STORE_NOT_FOUND) {
        store->abandon(store->data, deadline_ns);
        answer_all(items, count, VERDICT_SALE_NOT_FOUND);
        return STORE_OK;
    }
    if (result != STORE_OK) {
        return result;
    }
    if (placement_decide(&facts, requests, count, run->arena, decision) < 0) {
        store->abandon(store->data, deadline_ns);
        return STORE_BROKEN;
    }
    result = store->store_placed(store->data, &facts, requests, count, decision, deadline_ns,
                                 run->arena);
    if (result == STORE_OK) {
        take_decision(decision, items, count);
    }
    return result;
}

/* The verdict for orders whose transaction certainly changed nothing and is not tried again. */
static enum verdict refusal_of(enum store_result result)
{
    switch (result) {
    case STORE_UNAVAILABLE:
        return VERDICT_DATABASE_UNAVAILABLE;
    case STORE_BUSY:
    case STORE_CONFLICT:
        return VERDICT_OVERLOADED;
    default:
        return VERDICT_INTERNAL;
    }
}

/* No further attempt: what was sent and not answered is unknown, the rest refused. */
static void answer_failed(const struct run *run, const struct live *live, enum store_result result)
{
    for (size_t i = 0; i < live->count; i++) {
        live->items[i]->verdict =
            run->in_doubt[live->positions[i]] ? VERDICT_OUTCOME_UNKNOWN : refusal_of(result);
    }
}

/*
 * Whether the range is tried again after result. With a COMMIT in doubt every failure to look is
 * worth another look; without one only what may go otherwise by itself.
 */
static bool wants_repeat(const struct run *run, struct range *range, bool in_doubt,
                         enum store_result result)
{
    const struct store *store = run->use_case->store;
    int64_t now = now_ns(run);

    if (now >= run->deadline_ns || result == STORE_BROKEN || result == STORE_REJECTED) {
        return false;
    }
    if (in_doubt) {
        return store->wait_connected(store->data, run->deadline_ns);
    }
    if (result == STORE_UNAVAILABLE && !range->reconnected) {
        range->reconnected = true;
        return store->wait_connected(store->data,
                                     earlier(now + QUICK_RECONNECT_NS, run->deadline_ns));
    }
    return result == STORE_CONFLICT;
}

/*
 * Brings one range to an end: every item has a verdict. Returns false when the range must be halved
 * instead.
 */
static bool run_range(struct run *run, struct range *range)
{
    struct live live;

    for (;;) {
        collect_live(run, range, &live);
        if (live.count == 0) {
            return true;
        }
        enum store_result result = attempt(run, live.items, live.count);
        if (result == STORE_OK) {
            return true;
        }
        if (result == STORE_REJECTED) {
            if (live.count > 1) {
                return false; /* the halves keep their doubts: an earlier COMMIT may cover some */
            }
            /* Refused under the lock and alone, so it was not there. */
            run->in_doubt[live.positions[0]] = false;
        }
        if (result == STORE_UNKNOWN) {
            set_in_doubt(run, &live);
            live.in_doubt = true;
        }
        if (!wants_repeat(run, range, live.in_doubt, result)) {
            answer_failed(run, &live, result);
            return true;
        }
    }
}

void place_orders_run(const struct place_orders *use_case, const struct uuid *sale_id,
                      struct place_orders_item *const *items, size_t count, struct arena *arena)
{
    struct run run = {
        .use_case = use_case,
        .sale_id = sale_id,
        .items = items,
        .arena = arena,
    };
    struct range waiting[RANGES_MAX] = {{.first = 0, .count = count}};
    size_t waiting_count = 1;

    CHECK(count >= 1 && count <= PLACEMENT_BATCH_MAX);
    run.deadline_ns = now_ns(&run) + use_case->decision_ns_max;
    while (waiting_count > 0) {
        struct range range = waiting[--waiting_count];
        if (run_range(&run, &range)) {
            continue;
        }
        size_t half = range.count / 2;
        CHECK(waiting_count + 2 <= RANGES_MAX);
        /* A stack: the first half is on top, so that arrival order is kept. */
        waiting[waiting_count++] =
            (struct range){.first = range.first + half, .count = range.count - half};
        waiting[waiting_count++] = (struct range){.first = range.first, .count = half};
    }
}
