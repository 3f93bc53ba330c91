#include "orders/lanes/sweeper.h"

#include "base/arena.h"
#include "base/hash_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Sales of one query; a full answer asks for the following ones at once. */
#define PAGE_SALES_MAX 256

/* Sales whose returning stock is remembered; 300 bytes each. The others have to wait until some of
 * these have matured. */
#define RETURNS_MAX 4096

/* States of one sale's returning stock that wait for their lease to end: more than discoveries
 * happen in a lease. */
#define STATES_MAX 8

/* Discoveries that hurry come so many times as often as the others, at most. */
#define HURRY 3

/* The units up to returned were read, committed, one lease before ripe_ns. */
struct state {
    int64_t returned, ripe_ns;
};

/* A sale that has returning stock. */
struct returns {
    struct uuid sale_id;
    struct state states[STATES_MAX]; /* by time; the first state_count wait */
    size_t state_count;
    struct state wished; /* the last that was ripe, and when it was wished for */
    uint64_t round;      /* in which it was found last */
    UT_hash_handle by_id;
};

struct sweeper {
    struct sweeper_config config;
    struct lane_job job; /* the query; its own thread's while it is under way */
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        bool is_asking;
        int64_t begun_ns; /* when the last discovery was due */
        int64_t next_ns;  /* when the next one is */
        bool has_after;   /* the discovery goes on behind this sale */
        struct uuid after;
        uint64_t round; /* of discovery */
        struct returns *table;
    } _shared;
};

static void run_query(struct lane_job *job, const struct store *store, struct arena *arena);
static void refuse_query(struct lane_job *job, enum verdict verdict);

int sweeper_create(const struct sweeper_config *config, struct sweeper **ret)
{
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    if (sweeper == NULL) {
        return -ENOMEM;
    }
    sweeper->config = *config;
    sweeper->_shared.next_ns = INT64_MIN;
    pthread_mutex_init(&sweeper->_shared.lock, NULL);
    *ret = sweeper;
    return 0;
}

static void forget_locked(struct sweeper *sweeper, struct returns *returns)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): who walks the table read the next one before. */
    HASH_DELETE(by_id, sweeper->_shared.table, returns);
    free(returns);
}

void sweeper_destroy(struct sweeper *sweeper)
{
    if (sweeper == NULL) {
        return;
    }
    CHECK(!sweeper->_shared.is_asking);
    struct returns *returns, *following;
    HASH_ITER(by_id, sweeper->_shared.table, returns, following)
    {
        forget_locked(sweeper, returns);
    }
    pthread_mutex_destroy(&sweeper->_shared.lock);
    free(sweeper);
}

static int64_t now_ns(const struct sweeper *sweeper)
{
    return sweeper->config.system->monotonic_ns(sweeper->config.system->data);
}

static void submit_query(struct sweeper *sweeper)
{
    sweeper->job = (struct lane_job){
        .deadline_ns = now_ns(sweeper) + sweeper->config.transaction_ns_max,
        .run = run_query,
        .refuse = refuse_query,
    };
    lanes_submit_urgent_job(sweeper->config.lanes, &sweeper->job);
}

/* --- Maturing -------------------------------------------------------------------------------- */

/* Takes the newest ripe state of a sale off; false when none is ripe. */
static bool take_ripe_locked(struct returns *returns, int64_t now)
{
    size_t ripe = 0;
    while (ripe < returns->state_count && returns->states[ripe].ripe_ns <= now) {
        ripe++;
    }
    if (ripe == 0) {
        return false;
    }
    returns->wished = (struct state){returns->states[ripe - 1].returned, now};
    for (size_t i = ripe; i < returns->state_count; i++) {
        returns->states[i - ripe] = returns->states[i];
    }
    returns->state_count -= ripe;
    return true;
}

/* Wishes for what is ripe; returns when the next will be. */
static int64_t mature_locked(struct sweeper *sweeper, int64_t now)
{
    int64_t next_ns = INT64_MAX;
    struct returns *returns, *following;

    HASH_ITER(by_id, sweeper->_shared.table, returns, following)
    {
        if (take_ripe_locked(returns, now)) {
            lanes_want_sweep(sweeper->config.lanes, &returns->sale_id, returns->wished.returned);
        }
        if (returns->state_count > 0 && returns->states[0].ripe_ns < next_ns) {
            next_ns = returns->states[0].ripe_ns;
        }
    }
    return next_ns;
}

int64_t sweeper_tick(void *data, int64_t now)
{
    struct sweeper *sweeper = data;

    pthread_mutex_lock(&sweeper->_shared.lock);
    int64_t ripe_ns = mature_locked(sweeper, now);
    bool asks = !sweeper->_shared.is_asking && sweeper->_shared.next_ns <= now;
    if (asks) {
        sweeper->_shared.is_asking = true;
        sweeper->_shared.has_after = false;
        sweeper->_shared.round++;
        sweeper->_shared.begun_ns = now;
        sweeper->_shared.next_ns = now + sweeper->config.interval_ns;
    }
    int64_t next_ns = sweeper->_shared.next_ns;
    pthread_mutex_unlock(&sweeper->_shared.lock);
    if (asks) {
        submit_query(sweeper);
    }
    if (next_ns <= now) {
        next_ns = now + sweeper->config.interval_ns; /* one is under way for long already */
    }
    return ripe_ns < next_ns ? ripe_ns : next_ns;
}

void sweeper_hurry(struct sweeper *sweeper)
{
    pthread_mutex_lock(&sweeper->_shared.lock);
    int64_t soon_ns = sweeper->_shared.begun_ns + sweeper->config.interval_ns / HURRY;
    if (soon_ns < sweeper->_shared.next_ns) {
        sweeper->_shared.next_ns = soon_ns;
    }
    pthread_mutex_unlock(&sweeper->_shared.lock);
}

/* --- Discovery ------------------------------------------------------------------------------- */

static struct returns *find_returns_locked(struct sweeper *sweeper, const struct uuid *sale_id)
{
    struct returns *returns = NULL;
    HASH_FIND(by_id, sweeper->_shared.table, sale_id, sizeof(*sale_id), returns);
    if (returns != NULL || HASH_CNT(by_id, sweeper->_shared.table) >= RETURNS_MAX) {
        return returns;
    }
    returns = calloc(1, sizeof(*returns));
    if (returns == NULL) {
        return NULL;
    }
    returns->sale_id = *sale_id;
    HASH_ADD(by_id, sweeper->_shared.table, sale_id, sizeof(returns->sale_id), returns);
    if (returns->by_id.tbl == NULL) {
        free(returns);
        return NULL;
    }
    return returns;
}

/* Remembers a state that was read, unless it waits already, or was wished for and is probably on
 * its way. A wish that came to nothing is repeated a lease later. */
static void remember_locked(struct sweeper *sweeper, const struct store_due_sale *due,
                            int64_t read_ns)
{
    struct returns *returns = find_returns_locked(sweeper, &due->sale_id);
    int64_t lease_ns = sweeper->config.lease_ns;

    if (returns == NULL) {
        return;
    }
    returns->round = sweeper->_shared.round;
    size_t count = returns->state_count;
    int64_t last = count > 0 ? returns->states[count - 1].returned : returns->wished.returned;
    bool is_known = last == due->stock_returned;
    bool was_wished_in_vain = count == 0 && read_ns - returns->wished.ripe_ns >= lease_ns;
    if ((!is_known || was_wished_in_vain) && count < STATES_MAX) {
        /* What was known a lease ago is ripe already. */
        returns->states[returns->state_count++] = (struct state){
            due->stock_returned,
            is_known ? read_ns : read_ns + lease_ns,
        };
    }
}

/* After a whole discovery: sales without returning stock need not be remembered. */
static void forget_others_locked(struct sweeper *sweeper)
{
    struct returns *returns, *following;
    HASH_ITER(by_id, sweeper->_shared.table, returns, following)
    {
        if (returns->round != sweeper->_shared.round) {
            forget_locked(sweeper, returns);
        }
    }
}

/* Takes an answer in; returns whether there are further sales to ask for. */
static bool take_answer(struct sweeper *sweeper, const struct store_due_sale *sales, size_t count,
                        int64_t read_ns)
{
    bool is_full = count == PAGE_SALES_MAX;

    for (size_t i = 0; i < count; i++) {
        if (sales[i].holds_due) {
            lanes_want_sweep(sweeper->config.lanes, &sales[i].sale_id, 0);
        }
    }
    pthread_mutex_lock(&sweeper->_shared.lock);
    for (size_t i = 0; i < count; i++) {
        if (sales[i].stock_returned > 0) {
            remember_locked(sweeper, &sales[i], read_ns);
        }
    }
    sweeper->_shared.has_after = is_full;
    if (is_full) {
        sweeper->_shared.after = sales[count - 1].sale_id;
    } else {
        forget_others_locked(sweeper);
        sweeper->_shared.is_asking = false;
    }
    pthread_mutex_unlock(&sweeper->_shared.lock);
    return is_full;
}

static void end_query(struct sweeper *sweeper)
{
    pthread_mutex_lock(&sweeper->_shared.lock);
    sweeper->_shared.is_asking = false;
    pthread_mutex_unlock(&sweeper->_shared.lock);
}

static void run_query(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct sweeper *sweeper = LIST_OBJECT(job, struct sweeper, job);
    struct store_due_sale *sales = arena_alloc(arena, PAGE_SALES_MAX * sizeof(*sales));
    size_t count = 0;

    if (sales == NULL) {
        end_query(sweeper);
        return;
    }
    pthread_mutex_lock(&sweeper->_shared.lock);
    bool has_after = sweeper->_shared.has_after;
    struct uuid after = sweeper->_shared.after;
    pthread_mutex_unlock(&sweeper->_shared.lock);
    enum store_result result =
        store->due_sales(store->data, has_after ? &after : NULL, PAGE_SALES_MAX, job->deadline_ns,
                         arena, sales, &count);
    if (result != STORE_OK) {
        end_query(sweeper); /* the store has told of it; the next one is soon */
    } else if (take_answer(sweeper, sales, count, now_ns(sweeper))) {
        submit_query(sweeper);
    }
}

static void refuse_query(struct lane_job *job, enum verdict verdict)
{
    (void)verdict;
    end_query(LIST_OBJECT(job, struct sweeper, job));
}
