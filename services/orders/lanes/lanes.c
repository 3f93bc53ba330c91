#include "orders/lanes/lanes.h"

#include "base/clock.h"
#include "base/hash_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of what a refused caller is told to wait. */
#define RETRY_AFTER_MS_MIN 1000
#define RETRY_AFTER_MS_MAX 30000

/* The answer rate is measured over windows of this length. */
#define RATE_WINDOW_NS CLOCK_NS_PER_SECOND

/*
 * The distinct sales of a look-up are found in a table four times as large, open-addressed. Its ids
 * are strangers' choice: hashing is salted, and an id that meets so many others ends the look-up
 * there, so the lock is held for a bounded time whatever they send.
 */
#define LOOKUP_SLOTS      2048
#define LOOKUP_PROBES_MAX 32

_Static_assert(LOOKUP_SLOTS >= 4 * PLACEMENT_BATCH_MAX, "chains stay short");
_Static_assert((LOOKUP_SLOTS & (LOOKUP_SLOTS - 1)) == 0, "a hash is cut to the table's size");
_Static_assert(PLACEMENT_BATCH_MAX < UINT16_MAX, "an index fits a slot");

/* Being in a state is being on its list: idle and ready lanes are; an owned lane is on none. */
struct lane {
    struct uuid sale_id;
    struct list orders;
    struct list_link link;
    bool is_owned;
    UT_hash_handle by_id;
};

struct rate {
    int64_t window_start_ns;
    uint64_t window_answers;
    uint64_t per_second; /* of the last full window */
};

struct lanes {
    struct lanes_config config;
    struct {
        pthread_mutex_t lock;                                   /* guards all of _shared */
        pthread_cond_t orders_wanted, reads_wanted, any_wanted; /* one per duty */
        struct lane *table;
        struct list ready, idle; /* of struct lane */
        struct list lobby;       /* of struct lane_order */
        struct list jobs;        /* of struct lane_job */
        size_t orders_waiting, orders_deciding, busy;
        size_t joined[LANE_DUTY_BOTH + 1];
        bool lobby_is_taken, both_took_orders, reads_took_lobby, draining, cut, stopping;
        uint64_t lookup_salt;
        uint16_t lookup_slots[LOOKUP_SLOTS]; /* while a lobby is taken up: index + 1, or 0 */
        struct rate rate;
    } _shared;
};

/* Orders that have their verdict but are not yet told; told outside the lock. */
struct told {
    struct list orders, jobs;
    enum verdict job_verdict;
};

static void lock(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->_shared.lock);
}

static void unlock(struct lanes *lanes)
{
    pthread_mutex_unlock(&lanes->_shared.lock);
}

/* Waits with a deadline must not depend on the wall clock. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int lanes_create(const struct lanes_config *config, struct lanes **ret)
{
    CHECK(config->batch_max >= 1 && config->batch_max <= PLACEMENT_BATCH_MAX);
    CHECK(config->queue_max >= 2 && config->lanes_max >= 1);
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (lanes == NULL) {
        return -ENOMEM;
    }
    lanes->config = *config;
    config->system->random_bytes(config->system->data, (uint8_t *)&lanes->_shared.lookup_salt,
                                 sizeof(lanes->_shared.lookup_salt));
    pthread_mutex_init(&lanes->_shared.lock, NULL);
    init_condition(&lanes->_shared.orders_wanted);
    init_condition(&lanes->_shared.reads_wanted);
    init_condition(&lanes->_shared.any_wanted);
    list_init(&lanes->_shared.ready);
    list_init(&lanes->_shared.idle);
    list_init(&lanes->_shared.lobby);
    list_init(&lanes->_shared.jobs);
    *ret = lanes;
    return 0;
}

void lanes_destroy(struct lanes *lanes)
{
    if (lanes == NULL) {
        return;
    }
    CHECK(lanes->_shared.orders_waiting == 0 && lanes->_shared.orders_deciding == 0);
    CHECK(list_is_empty(&lanes->_shared.jobs));
    struct lane *lane, *following;
    HASH_ITER(by_id, lanes->_shared.table, lane, following)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): following was read before the free. */
        HASH_DELETE(by_id, lanes->_shared.table, lane);
        free(lane);
    }
    pthread_cond_destroy(&lanes->_shared.any_wanted);
    pthread_cond_destroy(&lanes->_shared.reads_wanted);
    pthread_cond_destroy(&lanes->_shared.orders_wanted);
    pthread_mutex_destroy(&lanes->_shared.lock);
    free(lanes);
}

/* --- Telling
 * --------------------------------------------------------------------------------------- */

static void told_init(struct told *told)
{
    list_init(&told->orders);
    list_init(&told->jobs);
}

static void tell_order(struct lane_order *order)
{
    struct lane_batch *batch = order->_batch;
    CHECK(batch != NULL);
    if (atomic_fetch_sub(&batch->_unanswered, 1) == 1) {
        batch->on_answered(batch, batch->data); /* the memory of order may be gone from here */
    }
}

/* Not under the lock: callbacks may submit again. */
static void told_tell(struct told *told)
{
    for (struct list_link *link; (link = list_pop_front(&told->orders)) != NULL;) {
        tell_order(LIST_OBJECT(link, struct lane_order, _link));
    }
    for (struct list_link *link; (link = list_pop_front(&told->jobs)) != NULL;) {
        struct lane_job *job = LIST_OBJECT(link, struct lane_job, _link);
        job->refuse(job, told->job_verdict);
    }
}

static void told_add_order(struct told *told, struct lane_order *order, enum verdict verdict)
{
    order->item.verdict = verdict;
    list_push_back(&told->orders, &order->_link);
}

/* --- Lanes
 * ----------------------------------------------------------------------------------------- */

static struct lane *find_lane_locked(struct lanes *lanes, const struct uuid *sale_id)
{
    struct lane *lane = NULL;
    HASH_FIND(by_id, lanes->_shared.table, sale_id, sizeof(*sale_id), lane);
    return lane;
}

/* Makes a lane, in the place of the longest idle one when there are lanes_max; NULL when none is.
 */
static struct lane *make_lane_locked(struct lanes *lanes, const struct uuid *sale_id)
{
    struct lane *lane;
    if (HASH_CNT(by_id, lanes->_shared.table) >= lanes->config.lanes_max) {
        struct list_link *link = list_pop_front(&lanes->_shared.idle);
        if (link == NULL) {
            return NULL;
        }
        lane = LIST_OBJECT(link, struct lane, link);
        HASH_DELETE(by_id, lanes->_shared.table, lane);
    } else {
        lane = malloc(sizeof(*lane));
        if (lane == NULL) {
            return NULL;
        }
    }
    *lane = (struct lane){.sale_id = *sale_id};
    list_init(&lane->orders);
    HASH_ADD(by_id, lanes->_shared.table, sale_id, sizeof(lane->sale_id), lane);
    if (lane->by_id.tbl == NULL) {
        free(lane);
        return NULL;
    }
    list_push_back(&lanes->_shared.idle, &lane->link);
    return lane;
}

/* The one place where a lane that nobody owns changes between idle and ready. */
static void settle_lane_locked(struct lanes *lanes, struct lane *lane, struct list *from)
{
    CHECK(!lane->is_owned);
    if (from != NULL) {
        list_remove(from, &lane->link);
    }
    if (list_is_empty(&lane->orders)) {
        list_push_back(&lanes->_shared.idle, &lane->link);
        return;
    }
    list_push_back(&lanes->_shared.ready, &lane->link);
    pthread_cond_signal(&lanes->_shared.orders_wanted);
    pthread_cond_signal(&lanes->_shared.any_wanted);
}

static bool order_workers_exist_locked(const struct lanes *lanes)
{
    return lanes->_shared.joined[LANE_DUTY_ORDERS] + lanes->_shared.joined[LANE_DUTY_BOTH] > 0;
}

static bool read_workers_exist_locked(const struct lanes *lanes)
{
    return lanes->_shared.joined[LANE_DUTY_READS] + lanes->_shared.joined[LANE_DUTY_BOTH] > 0;
}

/* Why an order cannot be taken in, or VERDICT_COUNT. lane is NULL for the lobby. */
static enum verdict refusal_locked(const struct lanes *lanes, const struct lane *lane)
{
    if (lanes->_shared.draining) {
        return VERDICT_DRAINING;
    }
    if (!order_workers_exist_locked(lanes) || (lane == NULL && !read_workers_exist_locked(lanes))) {
        return VERDICT_DATABASE_UNAVAILABLE;
    }
    if (lanes->_shared.orders_waiting >= lanes->config.queue_max ||
        (lane != NULL && lane->orders.count >= lanes->config.queue_max / 2)) {
        return VERDICT_OVERLOADED;
    }
    return VERDICT_COUNT;
}

void lanes_submit(struct lanes *lanes, struct lane_batch *batch)
{
    struct told told;

    CHECK(batch->count >= 1);
    told_init(&told);
    atomic_init(&batch->_unanswered, batch->count);
    lock(lanes);
    struct lane *lane = find_lane_locked(lanes, &batch->sale_id);
    struct list *queue = lane != NULL ? &lane->orders : &lanes->_shared.lobby;
    size_t waiting_before = queue->count;
    for (size_t i = 0; i < batch->count; i++) {
        struct lane_order *order = &batch->orders[i];
        order->_batch = batch;
        order->_link = (struct list_link){0};
        enum verdict refusal = refusal_locked(lanes, lane);
        if (refusal != VERDICT_COUNT) {
            told_add_order(&told, order, refusal);
            continue;
        }
        list_push_back(queue, &order->_link);
        lanes->_shared.orders_waiting++;
    }
    if (lane != NULL && !lane->is_owned && waiting_before == 0 && queue->count > 0) {
        settle_lane_locked(lanes, lane, &lanes->_shared.idle);
    } else if (lane == NULL && queue->count > 0) {
        pthread_cond_signal(&lanes->_shared.reads_wanted);
        pthread_cond_signal(&lanes->_shared.any_wanted);
    }
    unlock(lanes);
    told_tell(&told);
}

void lanes_submit_job(struct lanes *lanes, struct lane_job *job)
{
    enum verdict refusal = VERDICT_COUNT;

    job->_link = (struct list_link){0};
    lock(lanes);
    if (lanes->_shared.draining) {
        refusal = VERDICT_DRAINING;
    } else if (!read_workers_exist_locked(lanes)) {
        refusal = VERDICT_DATABASE_UNAVAILABLE;
    } else if (lanes->_shared.jobs.count >= lanes->config.jobs_max) {
        refusal = VERDICT_OVERLOADED;
    } else {
        list_push_back(&lanes->_shared.jobs, &job->_link);
        pthread_cond_signal(&lanes->_shared.reads_wanted);
        pthread_cond_signal(&lanes->_shared.any_wanted);
    }
    unlock(lanes);
    if (refusal != VERDICT_COUNT) {
        job->refuse(job, refusal);
    }
}

static void wake_everybody_locked(struct lanes *lanes)
{
    pthread_cond_broadcast(&lanes->_shared.orders_wanted);
    pthread_cond_broadcast(&lanes->_shared.reads_wanted);
    pthread_cond_broadcast(&lanes->_shared.any_wanted);
}

void lanes_drain(struct lanes *lanes)
{
    lock(lanes);
    lanes->_shared.draining = true;
    unlock(lanes);
}

void lanes_stop(struct lanes *lanes)
{
    lock(lanes);
    lanes->_shared.draining = true;
    lanes->_shared.stopping = true;
    wake_everybody_locked(lanes);
    unlock(lanes);
}

bool lanes_is_stopping(struct lanes *lanes)
{
    lock(lanes);
    bool stopping = lanes->_shared.stopping;
    unlock(lanes);
    return stopping;
}

struct lanes_stats lanes_stats(struct lanes *lanes)
{
    lock(lanes);
    struct lanes_stats stats = {
        .orders_waiting = lanes->_shared.orders_waiting,
        .jobs_waiting = lanes->_shared.jobs.count,
        .lanes = HASH_CNT(by_id, lanes->_shared.table),
        .lanes_ready = lanes->_shared.ready.count,
        .orders_deciding = lanes->_shared.orders_deciding,
        .workers = lanes->_shared.joined[LANE_DUTY_ORDERS] +
                   lanes->_shared.joined[LANE_DUTY_READS] + lanes->_shared.joined[LANE_DUTY_BOTH],
        .workers_busy = lanes->_shared.busy,
        .orders_served = order_workers_exist_locked(lanes),
        .reads_served = read_workers_exist_locked(lanes),
        .draining = lanes->_shared.draining,
    };
    unlock(lanes);
    return stats;
}

/* --- The rate
 * --------------------------------------------------------------------------------------- */

static void rate_add(struct rate *rate, int64_t now_ns, size_t answers)
{
    int64_t elapsed_ns = now_ns - rate->window_start_ns;
    if (elapsed_ns >= RATE_WINDOW_NS) {
        rate->per_second = (uint64_t)((double)rate->window_answers * 1e9 / (double)elapsed_ns);
        rate->window_start_ns = now_ns;
        rate->window_answers = 0;
    }
    rate->window_answers += answers;
}

int64_t lanes_retry_after_ms(struct lanes *lanes)
{
    lock(lanes);
    uint64_t waiting = lanes->_shared.orders_waiting;
    uint64_t per_second = lanes->_shared.rate.per_second;
    unlock(lanes);
    uint64_t ms = per_second == 0 ? RETRY_AFTER_MS_MIN : waiting * 1000 / per_second;
    if (ms < RETRY_AFTER_MS_MIN) {
        return RETRY_AFTER_MS_MIN;
    }
    return ms > RETRY_AFTER_MS_MAX ? RETRY_AFTER_MS_MAX : (int64_t)ms;
}

/* --- Workers
 * ---------------------------------------------------------------------------------------- */

void lanes_worker_joined(struct lanes *lanes, enum lane_duty duty)
{
    lock(lanes);
    lanes->_shared.joined[duty]++;
    unlock(lanes);
}

static void refuse_list_locked(struct lanes *lanes, struct list *orders, enum verdict verdict,
                               struct told *told)
{
    for (struct list_link *link; (link = list_pop_front(orders)) != NULL;) {
        lanes->_shared.orders_waiting--;
        told_add_order(told, LIST_OBJECT(link, struct lane_order, _link), verdict);
    }
}

static void refuse_lanes_locked(struct lanes *lanes, enum verdict verdict, struct told *told)
{
    struct lane *lane, *following;
    HASH_ITER(by_id, lanes->_shared.table, lane, following)
    {
        bool was_ready = !lane->is_owned && !list_is_empty(&lane->orders);
        refuse_list_locked(lanes, &lane->orders, verdict, told);
        if (was_ready) {
            settle_lane_locked(lanes, lane, &lanes->_shared.ready);
        }
    }
}

/* The lobby, unless a look-up is under way, which ends it; and the jobs. */
static void refuse_reads_locked(struct lanes *lanes, enum verdict verdict, struct told *told)
{
    if (!lanes->_shared.lobby_is_taken) {
        refuse_list_locked(lanes, &lanes->_shared.lobby, verdict, told);
    }
    told->job_verdict = verdict;
    for (struct list_link *link; (link = list_pop_front(&lanes->_shared.jobs)) != NULL;) {
        list_push_back(&told->jobs, link);
    }
}

void lanes_cut(struct lanes *lanes)
{
    struct told told;

    told_init(&told);
    lock(lanes);
    lanes->_shared.draining = true;
    lanes->_shared.cut = true;
    refuse_lanes_locked(lanes, VERDICT_DRAINING, &told);
    refuse_reads_locked(lanes, VERDICT_DRAINING, &told);
    unlock(lanes);
    told_tell(&told);
}

void lanes_worker_left(struct lanes *lanes, enum lane_duty duty)
{
    struct told told;

    told_init(&told);
    lock(lanes);
    CHECK(lanes->_shared.joined[duty] > 0);
    lanes->_shared.joined[duty]--;
    if (!order_workers_exist_locked(lanes)) {
        refuse_lanes_locked(lanes, VERDICT_DATABASE_UNAVAILABLE, &told);
    }
    if (!read_workers_exist_locked(lanes)) {
        refuse_reads_locked(lanes, VERDICT_DATABASE_UNAVAILABLE, &told);
    }
    unlock(lanes);
    told_tell(&told);
}

/* --- Taking
 * ------------------------------------------------------------------------------------------ */

static bool take_orders_locked(struct lanes *lanes, struct lane_task *task)
{
    struct list_link *first = list_pop_front(&lanes->_shared.ready);
    if (first == NULL) {
        return false;
    }
    struct lane *lane = LIST_OBJECT(first, struct lane, link);
    lane->is_owned = true;
    task->kind = LANE_TASK_ORDERS;
    task->sale_id = lane->sale_id;
    task->_lane = lane;
    task->order_count = 0;
    while (task->order_count < lanes->config.batch_max) {
        struct list_link *link = list_pop_front(&lane->orders);
        if (link == NULL) {
            break;
        }
        task->orders[task->order_count++] = LIST_OBJECT(link, struct lane_order, _link);
    }
    CHECK(task->order_count > 0);
    lanes->_shared.orders_waiting -= task->order_count;
    lanes->_shared.orders_deciding += task->order_count;
    return true;
}

static bool take_job_locked(struct lanes *lanes, struct lane_task *task)
{
    struct list_link *link = list_pop_front(&lanes->_shared.jobs);
    if (link == NULL) {
        return false;
    }
    task->kind = LANE_TASK_JOB;
    task->job = LIST_OBJECT(link, struct lane_job, _link);
    return true;
}

static size_t lookup_slot_of(const struct lanes *lanes, const struct uuid *sale_id)
{
    uint64_t halves[2];
    memcpy(halves, sale_id->bytes, sizeof(halves));
    uint64_t hash = (halves[0] ^ lanes->_shared.lookup_salt) * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ (hash >> 32) ^ halves[1]) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(hash >> 32) & (LOOKUP_SLOTS - 1);
}

/* Finds or adds a sale; false when it meets too many others. */
static bool lookup_sale_locked(struct lanes *lanes, struct lane_task *task,
                               const struct uuid *sale_id, size_t *ret_index)
{
    uint16_t *slots = lanes->_shared.lookup_slots;
    size_t at = lookup_slot_of(lanes, sale_id);

    for (size_t probe = 0; probe < LOOKUP_PROBES_MAX; probe++) {
        uint16_t *slot = &slots[(at + probe) & (LOOKUP_SLOTS - 1)];
        if (*slot == 0) {
            task->sale_ids[task->sale_count++] = *sale_id;
            *slot = (uint16_t)task->sale_count;
        } else if (!uuid_equal(&task->sale_ids[*slot - 1], sale_id)) {
            continue;
        }
        *ret_index = *slot - 1U;
        return true;
    }
    return false;
}

/*
 * Names the distinct sales of the lobby's first orders; these stay where they are until the look-up
 * is back. New ones are appended behind them meanwhile.
 */
static bool take_lobby_locked(struct lanes *lanes, struct lane_task *task)
{
    if (lanes->_shared.lobby_is_taken || list_is_empty(&lanes->_shared.lobby)) {
        return false;
    }
    task->kind = LANE_TASK_LOBBY;
    task->_lobby_count = 0;
    task->sale_count = 0;
    memset(lanes->_shared.lookup_slots, 0, sizeof(lanes->_shared.lookup_slots));
    LIST_FOREACH_SAFE (&lanes->_shared.lobby, link, following) {
        struct lane_order *order = LIST_OBJECT(link, struct lane_order, _link);
        if (task->_lobby_count == COUNT_OF(task->sale_ids) ||
            !lookup_sale_locked(lanes, task, &order->_batch->sale_id, &order->_looked_up)) {
            break;
        }
        task->_lobby_count++;
    }
    CHECK(task->_lobby_count > 0);
    lanes->_shared.lobby_is_taken = true;
    return true;
}

/* Turn about, so that a stream of ids that nobody knows keeps neither side from its connection. */
static bool take_reads_locked(struct lanes *lanes, struct lane_task *task)
{
    bool lobby_first = !lanes->_shared.reads_took_lobby;
    bool took_lobby = lobby_first && take_lobby_locked(lanes, task);
    bool took = took_lobby || take_job_locked(lanes, task);
    if (!took && !lobby_first) {
        took = took_lobby = take_lobby_locked(lanes, task);
    }
    lanes->_shared.reads_took_lobby = took_lobby;
    return took;
}

static bool take_locked(struct lanes *lanes, enum lane_duty duty, struct lane_task *task)
{
    switch (duty) {
    case LANE_DUTY_ORDERS:
        return take_orders_locked(lanes, task);
    case LANE_DUTY_READS:
        return take_reads_locked(lanes, task);
    case LANE_DUTY_BOTH:
        break;
    }
    bool orders_first = !lanes->_shared.both_took_orders;
    bool took_orders = orders_first && take_orders_locked(lanes, task);
    bool took = took_orders || take_reads_locked(lanes, task);
    if (!took && !orders_first) {
        took = took_orders = take_orders_locked(lanes, task);
    }
    lanes->_shared.both_took_orders = took_orders;
    return took;
}

static pthread_cond_t *condition_of(struct lanes *lanes, enum lane_duty duty)
{
    switch (duty) {
    case LANE_DUTY_ORDERS:
        return &lanes->_shared.orders_wanted;
    case LANE_DUTY_READS:
        return &lanes->_shared.reads_wanted;
    case LANE_DUTY_BOTH:
        return &lanes->_shared.any_wanted;
    }
    UNREACHABLE("every duty is listed");
}

void lanes_take(struct lanes *lanes, enum lane_duty duty, struct lane_task *ret_task)
{
    int64_t until_ns = clock_deadline_in_ms(LANES_IDLE_MS);
    struct timespec until = {
        .tv_sec = (time_t)(until_ns / CLOCK_NS_PER_SECOND),
        .tv_nsec = (long)(until_ns % CLOCK_NS_PER_SECOND),
    };
    int error = 0;

    lock(lanes);
    while (!take_locked(lanes, duty, ret_task)) {
        if (lanes->_shared.stopping || error == ETIMEDOUT) {
            ret_task->kind = lanes->_shared.stopping ? LANE_TASK_STOP : LANE_TASK_IDLE;
            unlock(lanes);
            return;
        }
        error = pthread_cond_timedwait(condition_of(lanes, duty), &lanes->_shared.lock, &until);
    }
    lanes->_shared.busy++;
    unlock(lanes);
}

/* --- Finishing
 * ---------------------------------------------------------------------------------------- */

void lanes_finish_orders(struct lanes *lanes, struct lane_task *task)
{
    struct lane *lane = task->_lane;
    int64_t now_ns = lanes->config.system->monotonic_ns(lanes->config.system->data);

    lock(lanes);
    CHECK(lane->is_owned);
    lane->is_owned = false;
    settle_lane_locked(lanes, lane, NULL);
    lanes->_shared.orders_deciding -= task->order_count;
    lanes->_shared.busy--;
    rate_add(&lanes->_shared.rate, now_ns, task->order_count);
    unlock(lanes);
    for (size_t i = 0; i < task->order_count; i++) {
        tell_order(task->orders[i]);
    }
}

void lanes_finish_job(struct lanes *lanes, struct lane_task *task)
{
    CHECK(task->kind == LANE_TASK_JOB);
    lock(lanes);
    lanes->_shared.busy--;
    unlock(lanes);
}

/* Puts an order that has just left the lobby into its sale's lane, or tells it why not. */
static void leave_lobby_locked(struct lanes *lanes, struct lane_order *order, struct lane *lane,
                               struct told *told)
{
    if (lane == NULL || lane->orders.count >= lanes->config.queue_max / 2) {
        lanes->_shared.orders_waiting--;
        told_add_order(told, order, VERDICT_OVERLOADED);
        return;
    }
    list_push_back(&lane->orders, &order->_link);
    if (!lane->is_owned && lane->orders.count == 1) {
        settle_lane_locked(lanes, lane, &lanes->_shared.idle);
    }
}

/* The task's own orders, which are the lobby's first. Returns whether any of their sales is known.
 */
static bool leave_looked_up_locked(struct lanes *lanes, const struct lane_task *task,
                                   struct told *told)
{
    bool any_known = false;
    for (size_t i = 0; i < task->_lobby_count; i++) {
        struct list_link *link = list_pop_front(&lanes->_shared.lobby);
        CHECK(link != NULL);
        struct lane_order *order = LIST_OBJECT(link, struct lane_order, _link);
        const struct uuid *sale_id = &order->_batch->sale_id;
        CHECK(order->_looked_up < task->sale_count);
        if (!task->sale_known[order->_looked_up]) {
            lanes->_shared.orders_waiting--;
            told_add_order(told, order, VERDICT_SALE_NOT_FOUND);
            continue;
        }
        any_known = true;
        struct lane *lane = find_lane_locked(lanes, sale_id);
        leave_lobby_locked(lanes, order, lane != NULL ? lane : make_lane_locked(lanes, sale_id),
                           told);
    }
    return any_known;
}

/* Orders that came meanwhile for a sale that has its lane now need no look-up of their own. */
static void leave_followers_locked(struct lanes *lanes, struct told *told)
{
    LIST_FOREACH_SAFE (&lanes->_shared.lobby, link, following) {
        struct lane_order *order = LIST_OBJECT(link, struct lane_order, _link);
        struct lane *lane = find_lane_locked(lanes, &order->_batch->sale_id);
        if (lane != NULL) {
            list_remove(&lanes->_shared.lobby, link);
            leave_lobby_locked(lanes, order, lane, told);
        }
    }
}

/* What could not be refused while the look-up was under way. */
static void end_lookup_locked(struct lanes *lanes, struct told *told)
{
    if (lanes->_shared.cut) {
        refuse_lanes_locked(lanes, VERDICT_DRAINING, told);
        refuse_reads_locked(lanes, VERDICT_DRAINING, told);
    }
}

void lanes_finish_lobby(struct lanes *lanes, struct lane_task *task)
{
    struct told told;

    CHECK(task->kind == LANE_TASK_LOBBY);
    told_init(&told);
    lock(lanes);
    lanes->_shared.lobby_is_taken = false;
    lanes->_shared.busy--;
    if (leave_looked_up_locked(lanes, task, &told)) {
        leave_followers_locked(lanes, &told);
    }
    if (!order_workers_exist_locked(lanes)) {
        refuse_lanes_locked(lanes, VERDICT_DATABASE_UNAVAILABLE, &told);
    }
    end_lookup_locked(lanes, &told);
    unlock(lanes);
    told_tell(&told);
}

void lanes_fail_lobby(struct lanes *lanes, struct lane_task *task, enum verdict verdict)
{
    struct told told;

    CHECK(task->kind == LANE_TASK_LOBBY);
    told_init(&told);
    lock(lanes);
    lanes->_shared.lobby_is_taken = false;
    lanes->_shared.busy--;
    for (size_t i = 0; i < task->_lobby_count; i++) {
        struct list_link *link = list_pop_front(&lanes->_shared.lobby);
        CHECK(link != NULL);
        lanes->_shared.orders_waiting--;
        told_add_order(&told, LIST_OBJECT(link, struct lane_order, _link), verdict);
    }
    end_lookup_locked(lanes, &told);
    unlock(lanes);
    told_tell(&told);
}
