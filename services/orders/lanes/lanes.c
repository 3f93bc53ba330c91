#include "orders/lanes/lanes.h"

#include "orders/lanes/lanes_state.h"

#include <errno.h>
#include <stdlib.h>

/* --- Making ---------------------------------------------------------------------------------- */

int lanes_create(const struct lanes_config *config, struct lanes **ret)
{
    CHECK(config->batch_max >= 1 && config->batch_max <= LANES_BATCH_MAX);
    CHECK(config->queue_max >= 2 && config->changes_max >= 2 && config->acts_max >= 2);
    CHECK(config->lanes_max >= 1);
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (lanes == NULL) {
        return -ENOMEM;
    }
    lanes->config = *config;
    pthread_mutex_init(&lanes->_shared.lock, NULL);
    crew_init(&lanes->_shared.crew);
    lane_table_init(&lanes->_shared.table, config->lanes_max);
    list_init(&lanes->_shared.urgent_jobs);
    list_init(&lanes->_shared.jobs);
    lobby_init(&lanes->_shared.lobby, config->system);
    *ret = lanes;
    return 0;
}

void lanes_destroy(struct lanes *lanes)
{
    if (lanes == NULL) {
        return;
    }
    for (size_t kind = 0; kind < LANE_QUEUES; kind++) {
        CHECK(lanes->_shared.waiting[kind] == 0 && lanes->_shared.deciding[kind] == 0);
    }
    CHECK(list_is_empty(&lanes->_shared.jobs) && list_is_empty(&lanes->_shared.urgent_jobs));
    CHECK(lanes->_shared.jobs_deciding == 0);
    lane_table_fini(&lanes->_shared.table);
    crew_fini(&lanes->_shared.crew);
    pthread_mutex_destroy(&lanes->_shared.lock);
    free(lanes);
}

/* --- Taking in ------------------------------------------------------------------------------- */

/* Why nothing can be taken in, or VERDICT_COUNT. lane is NULL for the lobby. */
static enum verdict refusal_locked(const struct lanes *lanes, const struct lane *lane)
{
    if (lanes->_shared.draining) {
        return VERDICT_DRAINING;
    }
    if (!crew_serves_lanes(&lanes->_shared.crew) ||
        (lane == NULL && !crew_serves_reads(&lanes->_shared.crew))) {
        return VERDICT_DATABASE_UNAVAILABLE;
    }
    return VERDICT_COUNT;
}

/* How many more of a kind fit; lane is NULL for the lobby. */
static size_t room_locked(const struct lanes *lanes, const struct lane *lane, enum lane_kind kind)
{
    size_t bound = lanes_state_bound(lanes, kind);
    CHECK(lanes->_shared.waiting[kind] <= bound);
    size_t room = bound - lanes->_shared.waiting[kind];
    size_t depth = lane != NULL ? lane->queues[kind].count : lanes->_shared.lobby.counts[kind];
    size_t room_there = depth >= bound / 2 ? 0 : bound / 2 - depth;
    return room_there < room ? room_there : room;
}

/* Moves the first count of arriving to where they wait. */
static void append_locked(struct lanes *lanes, struct lane *lane, enum lane_kind kind,
                          struct list *arriving, size_t count)
{
    lanes->_shared.waiting[kind] += count;
    if (lane != NULL) {
        (void)list_append_some(&lane->queues[kind], arriving, count);
    } else {
        lobby_enter(&lanes->_shared.lobby, kind, arriving, count);
    }
}

/* Takes in entries of one kind and sale, as many as fit; the others are answered. */
static void submit_locked(struct lanes *lanes, const struct uuid *sale_id, enum lane_kind kind,
                          struct list *arriving, int64_t now, struct answers *answers,
                          struct crew_wakes *wakes)
{
    struct lane *lane = lane_table_find(&lanes->_shared.table, sale_id);
    bool was_empty = lane != NULL && lane_is_empty(lane);
    enum verdict refusal = refusal_locked(lanes, lane);
    size_t fitting = refusal == VERDICT_COUNT ? room_locked(lanes, lane, kind) : 0;

    fitting = fitting < arriving->count ? fitting : arriving->count;
    if (fitting > 0) {
        if (lane == NULL && list_is_empty(&lanes->_shared.lobby.entries)) {
            lanes->_shared.lobby.since_ns = now;
        }
        lanes_state_resume_rate(lanes, kind, now);
        append_locked(lanes, lane, kind, arriving, fitting);
        if (lane != NULL) {
            lanes_state_note_arrival(lanes, lane, was_empty, now, wakes);
        } else if (!lanes->_shared.lobby.is_taken) {
            crew_want(&lanes->_shared.crew, LANE_DUTY_READS, wakes);
        }
    }
    if (!list_is_empty(arriving)) {
        int64_t retry_after_ms = lane != NULL ? lane_retry_after_ms(lane, kind, now)
                                              : lanes_state_retry_after_ms(lanes, kind, now);
        answers_add_all(answers, arriving, refusal == VERDICT_COUNT ? VERDICT_OVERLOADED : refusal,
                        retry_after_ms);
    }
}

static void submit(struct lanes *lanes, const struct uuid *sale_id, enum lane_kind kind,
                   struct list *arriving)
{
    struct answers answers;
    struct crew_wakes wakes = {0};
    int64_t now = lanes_state_now_ns(lanes);

    answers_init(&answers);
    lanes_state_lock(lanes);
    submit_locked(lanes, sale_id, kind, arriving, now, &answers, &wakes);
    lanes_state_unlock_and_wake(lanes, &wakes);
    answers_tell(&answers);
}

static void prepare(struct lane_entry *entry, enum lane_kind kind, const struct uuid *sale_id,
                    struct list *arriving)
{
    *entry = (struct lane_entry){._kind = kind, ._sale_id = sale_id};
    list_push_back(arriving, &entry->_link);
}

void lanes_submit(struct lanes *lanes, struct lane_batch *batch)
{
    struct list arriving;

    CHECK(batch->count >= 1);
    list_init(&arriving);
    atomic_init(&batch->_unanswered, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        struct lane_order *order = &batch->orders[i];
        order->_batch = batch;
        order->retry_after_ms = 0;
        prepare(&order->_entry, LANE_ORDERS, &batch->sale_id, &arriving);
    }
    submit(lanes, &batch->sale_id, LANE_ORDERS, &arriving);
}

void lanes_submit_change(struct lanes *lanes, struct lane_change *change)
{
    struct list arriving;

    list_init(&arriving);
    change->retry_after_ms = 0;
    prepare(&change->_entry, LANE_CHANGES, &change->sale_id, &arriving);
    submit(lanes, &change->sale_id, LANE_CHANGES, &arriving);
}

void lanes_submit_act(struct lanes *lanes, const struct uuid *sale_id, struct lane_job *job)
{
    struct list arriving;

    list_init(&arriving);
    job->_sale_id = *sale_id;
    job->retry_after_ms = 0;
    prepare(&job->_entry, LANE_ACTS, &job->_sale_id, &arriving);
    submit(lanes, &job->_sale_id, LANE_ACTS, &arriving);
}

void lanes_want_sweep(struct lanes *lanes, const struct uuid *sale_id, int64_t mature_up_to)
{
    struct crew_wakes wakes = {0};
    int64_t now = lanes_state_now_ns(lanes);

    lanes_state_lock(lanes);
    struct lane *lane = lane_table_find(&lanes->_shared.table, sale_id);
    if (refusal_locked(lanes, lane) == VERDICT_COUNT) {
        lane = lane != NULL ? lane : lane_table_make(&lanes->_shared.table, sale_id);
        if (lane != NULL) {
            bool was_empty = lane_is_empty(lane);
            lane_want_sweep(lane, mature_up_to);
            lanes_state_note_arrival(lanes, lane, was_empty, now, &wakes);
        }
    }
    lanes_state_unlock_and_wake(lanes, &wakes);
}

/* bound is of the queue. */
static void submit_job(struct lanes *lanes, struct lane_job *job, struct list *queue, size_t bound)
{
    enum verdict refusal = VERDICT_COUNT;
    struct crew_wakes wakes = {0};
    int64_t now = lanes_state_now_ns(lanes);

    job->_entry = (struct lane_entry){._kind = LANE_ACTS, ._since_ns = now};
    job->retry_after_ms = 0;
    lanes_state_lock(lanes);
    if (lanes->_shared.draining) {
        refusal = VERDICT_DRAINING;
    } else if (!crew_serves_reads(&lanes->_shared.crew)) {
        refusal = VERDICT_DATABASE_UNAVAILABLE;
    } else if (queue->count >= bound) {
        refusal = VERDICT_OVERLOADED;
        job->retry_after_ms = lanes_state_job_retry_after_ms(lanes, now);
    } else {
        if (lanes->_shared.jobs.count + lanes->_shared.jobs_deciding == 0) {
            lane_rate_resume(&lanes->_shared.job_rate, now);
        }
        list_push_back(queue, &job->_entry._link);
        crew_want(&lanes->_shared.crew, LANE_DUTY_READS, &wakes);
    }
    lanes_state_unlock_and_wake(lanes, &wakes);
    if (refusal != VERDICT_COUNT) {
        job->refuse(job, refusal);
    }
}

void lanes_submit_job(struct lanes *lanes, struct lane_job *job)
{
    submit_job(lanes, job, &lanes->_shared.jobs, lanes->config.jobs_max);
}

void lanes_submit_urgent_job(struct lanes *lanes, struct lane_job *job)
{
    submit_job(lanes, job, &lanes->_shared.urgent_jobs, SIZE_MAX);
}

/* --- Draining and stopping ------------------------------------------------------------------- */

void lanes_drain(struct lanes *lanes)
{
    lanes_state_lock(lanes);
    lanes->_shared.draining = true;
    lanes_state_drop_wishes(lanes);
    lanes_state_unlock(lanes);
}

void lanes_cut(struct lanes *lanes)
{
    struct answers answers;

    answers_init(&answers);
    lanes_state_lock(lanes);
    lanes->_shared.draining = true;
    lanes->_shared.cut = true;
    lanes_state_refuse_lanes(lanes, VERDICT_DRAINING, &answers);
    lanes_state_refuse_reads(lanes, VERDICT_DRAINING, &answers);
    lanes_state_unlock(lanes);
    answers_tell(&answers);
}

void lanes_stop(struct lanes *lanes)
{
    lanes_state_lock(lanes);
    lanes->_shared.draining = true;
    lanes->_shared.stopping = true;
    crew_wake_all(&lanes->_shared.crew);
    lanes_state_unlock(lanes);
}

bool lanes_is_stopping(struct lanes *lanes)
{
    lanes_state_lock(lanes);
    bool stopping = lanes->_shared.stopping;
    lanes_state_unlock(lanes);
    return stopping;
}

/* When the first of a queue of jobs began to wait, or since, whichever is earlier. */
static int64_t first_job_locked(const struct list *jobs, int64_t since_ns)
{
    struct list_link *link = list_first(jobs);
    if (link == NULL) {
        return since_ns;
    }
    int64_t job_ns = LIST_OBJECT(link, struct lane_entry, _link)->_since_ns;
    return job_ns < since_ns ? job_ns : since_ns;
}

/* Every list is in the order of arrival, so its first entry has waited longest. */
static int64_t longest_wait_locked(const struct lanes *lanes, int64_t now)
{
    int64_t since_ns = first_job_locked(&lanes->_shared.urgent_jobs, now);
    since_ns = first_job_locked(&lanes->_shared.jobs, since_ns);
    struct list_link *link = list_first(&lanes->_shared.table.ready);
    if (link != NULL && LIST_OBJECT(link, struct lane, link)->ready_since_ns < since_ns) {
        since_ns = LIST_OBJECT(link, struct lane, link)->ready_since_ns;
    }
    if (lobby_waits(&lanes->_shared.lobby) && lanes->_shared.lobby.since_ns < since_ns) {
        since_ns = lanes->_shared.lobby.since_ns;
    }
    return now - since_ns;
}

struct lanes_stats lanes_stats(struct lanes *lanes)
{
    int64_t now = lanes_state_now_ns(lanes);
    lanes_state_lock(lanes);
    struct lanes_stats stats = {
        .orders_waiting = lanes->_shared.waiting[LANE_ORDERS],
        .changes_waiting = lanes->_shared.waiting[LANE_CHANGES],
        .acts_waiting = lanes->_shared.waiting[LANE_ACTS],
        .jobs_waiting = lanes->_shared.jobs.count + lanes->_shared.urgent_jobs.count,
        .lanes = HASH_CNT(by_id, lanes->_shared.table.by_id),
        .lanes_ready = lanes->_shared.table.ready.count,
        .orders_deciding = lanes->_shared.deciding[LANE_ORDERS],
        .workers = lanes->_shared.crew.joined[LANE_DUTY_ORDERS] +
                   lanes->_shared.crew.joined[LANE_DUTY_READS] +
                   lanes->_shared.crew.joined[LANE_DUTY_BOTH],
        .workers_busy = lanes->_shared.crew.busy,
        .lobby_waits = lobby_waits(&lanes->_shared.lobby),
        .longest_wait_ns = longest_wait_locked(lanes, now),
        .late = lanes->_shared.late,
        .orders_served = crew_serves_lanes(&lanes->_shared.crew),
        .reads_served = crew_serves_reads(&lanes->_shared.crew),
        .draining = lanes->_shared.draining,
    };
    lanes_state_unlock(lanes);
    return stats;
}

int64_t lanes_retry_after_ms(struct lanes *lanes)
{
    int64_t now = lanes_state_now_ns(lanes);
    lanes_state_lock(lanes);
    int64_t ms = lanes_state_retry_after_ms(lanes, LANE_ORDERS, now);
    lanes_state_unlock(lanes);
    return ms;
}
