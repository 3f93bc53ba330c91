/*
 * The happy path: one attempt on the whole batch, a verdict for each item, done.
 *
 * What can go wrong, and what happens then:
 *  - an item's deadline passes before an attempt: it is dropped as OVERLOADED, unless a COMMIT
 *    that covers it was sent before: then it stays until there is an answer;
 *  - the connection is lost before COMMIT was sent: one more attempt, for which the store opens a
 *    new one quickly, then the items are refused;
 *  - the transaction certainly changed nothing (lock timeout): the items are refused for it,
 *    unless a COMMIT that covers them was sent before: then the attempt is repeated;
 *  - rolled back by the database (class 40): repeated;
 *  - a value was refused (classes 22, 23): the batch is halved until the culprit stands alone;
 *  - COMMIT was sent and not answered: the same items are looked at again on a new connection.
 *    Whoever gets the sale's lock next sees how that COMMIT ended, so the new decision is final.
 * Repetitions pause in between, longer each time. They end with the batch's deadline, and for each
 * item with its attempts_end_ns: an item in doubt is then answered OUTCOME_UNKNOWN, and no
 * transaction of ours can do it later than one transaction after that.
 */
#include "orders/logic/batch.h"

#include "base/check.h"
#include "base/clock.h"
#include "orders/logic/repeat_pause.h"

/* Halving a batch of BATCH_ITEMS_MAX leaves at most this many ranges waiting. */
#define RANGES_MAX 16

struct range {
    size_t first, count;
    bool reconnected; /* the one new connection that a refusal is worth was used */
    struct repeat_pause pause;
};

struct run {
    const struct batch *batch;
    const struct batch_item *items;
    bool in_doubt[BATCH_ITEMS_MAX]; /* a COMMIT that covers the item was sent, not answered */
};

/* The items of a range that still want an answer. */
struct live {
    size_t positions[BATCH_ITEMS_MAX];
    size_t count;
    bool in_doubt;           /* any of them */
    int64_t attempts_end_ns; /* the latest of theirs, within the batch's deadline */
};

static int64_t now_ns(const struct run *run)
{
    return run->batch->system->monotonic_ns(run->batch->system->data);
}

/* Whether nothing more is done for an item, which then has its verdict. */
static bool drop_when_late(const struct run *run, size_t position, int64_t now)
{
    const struct batch_item *item = &run->items[position];
    if (run->in_doubt[position]) {
        *item->verdict = VERDICT_OUTCOME_UNKNOWN;
        return item->attempts_end_ns <= now;
    }
    *item->verdict = VERDICT_OVERLOADED;
    return clock_earlier(item->deadline_ns, item->attempts_end_ns) <= now;
}

/* Collects the range's items that still want an answer; the others are dropped. */
static void collect_live(const struct run *run, const struct range *range, struct live *ret)
{
    int64_t now = now_ns(run);

    ret->count = 0;
    ret->in_doubt = false;
    ret->attempts_end_ns = INT64_MIN;
    for (size_t i = range->first; i < range->first + range->count; i++) {
        if (drop_when_late(run, i, now)) {
            continue;
        }
        ret->positions[ret->count++] = i;
        ret->in_doubt |= run->in_doubt[i];
        if (run->items[i].attempts_end_ns > ret->attempts_end_ns) {
            ret->attempts_end_ns = run->items[i].attempts_end_ns;
        }
    }
    ret->attempts_end_ns = clock_earlier(ret->attempts_end_ns, run->batch->deadline_ns);
}

static void set_in_doubt(struct run *run, const struct live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        run->in_doubt[live->positions[i]] = true;
    }
}

/* What is answered where a transaction certainly changed nothing and is not tried again. */
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
        size_t position = live->positions[i];
        *run->items[position].verdict =
            run->in_doubt[position] ? VERDICT_OUTCOME_UNKNOWN : refusal_of(result);
    }
}

/*
 * Whether the range is tried again after result; pauses if so. With a COMMIT in doubt every failure
 * to look is worth another look; without one only what may go otherwise by itself.
 */
static bool wants_repeat(const struct run *run, struct range *range, const struct live *live,
                         enum store_result result)
{
    const struct store *store = run->batch->store;
    const struct system_port *system = run->batch->system;

    if (now_ns(run) >= live->attempts_end_ns || result == STORE_REJECTED) {
        return false;
    }
    if (live->in_doubt) {
        return repeat_pause_take(&range->pause, system, live->attempts_end_ns) &&
               store_wait_connected(store, live->attempts_end_ns);
    }
    if (result == STORE_UNAVAILABLE && !range->reconnected) {
        range->reconnected = true;
        return true;
    }
    return result == STORE_CONFLICT &&
           repeat_pause_take(&range->pause, system, live->attempts_end_ns);
}

static enum store_result attempt(const struct run *run, const struct live *live)
{
    return run->batch->attempt(run->batch->data, live->positions, live->count,
                               now_ns(run) + run->batch->transaction_ns_max);
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
        enum store_result result = attempt(run, &live);
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
        if (!wants_repeat(run, range, &live, result)) {
            answer_failed(run, &live, result);
            return true;
        }
    }
}

struct batch batch_begin(const struct batch_means *means, batch_attempt_fn attempt_one, void *data)
{
    const struct system_port *system = means->system;
    return (struct batch){
        .store = means->store,
        .system = system,
        .transaction_ns_max = means->transaction_ns_max,
        .deadline_ns = system->monotonic_ns(system->data) + means->decision_ns_max,
        .attempt = attempt_one,
        .data = data,
    };
}

void batch_run(const struct batch *batch, const struct batch_item *items, size_t count)
{
    struct run run = {.batch = batch, .items = items};
    struct range waiting[RANGES_MAX] = {{.first = 0, .count = count}};
    size_t waiting_count = 1;

    CHECK(count >= 1 && count <= BATCH_ITEMS_MAX);
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
