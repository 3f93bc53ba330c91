#include "orders/lanes/lanes_state.h"

#include <string.h>

void lanes_state_lock(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->_shared.lock);
}

void lanes_state_unlock(struct lanes *lanes)
{
    pthread_mutex_unlock(&lanes->_shared.lock);
}

void lanes_state_unlock_and_wake(struct lanes *lanes, const struct crew_wakes *wakes)
{
    lanes_state_unlock(lanes);
    crew_wake(&lanes->_shared.crew, wakes);
}

int64_t lanes_state_now_ns(const struct lanes *lanes)
{
    return lanes->config.system->monotonic_ns(lanes->config.system->data);
}

/* --- Bounds and rates ------------------------------------------------------------------------ */

size_t lanes_state_bound(const struct lanes *lanes, enum lane_kind kind)
{
    switch (kind) {
    case LANE_ACTS:
        return lanes->config.acts_max;
    case LANE_CHANGES:
        return lanes->config.changes_max;
    case LANE_ORDERS:
        return lanes->config.queue_max;
    case LANE_SWEEP:
    case LANE_KINDS:
        break;
    }
    UNREACHABLE("a sweep waits in no queue");
}

static size_t load_of(const struct lanes *lanes, enum lane_kind kind)
{
    return lanes->_shared.waiting[kind] + lanes->_shared.deciding[kind];
}

/* What waits or is being decided that an entry of this kind shares its rate with. */
static size_t shared_load(const struct lanes *lanes, enum lane_kind kind)
{
    return kind == LANE_ACTS ? load_of(lanes, LANE_ACTS)
                             : load_of(lanes, LANE_ORDERS) + load_of(lanes, LANE_CHANGES);
}

void lanes_state_resume_rate(struct lanes *lanes, enum lane_kind kind, int64_t now_ns)
{
    if (shared_load(lanes, kind) == 0) {
        lane_rate_resume(kind == LANE_ACTS ? &lanes->_shared.act_rate : &lanes->_shared.rate,
                         now_ns);
    }
}

int64_t lanes_state_retry_after_ms(const struct lanes *lanes, enum lane_kind kind, int64_t now_ns)
{
    const struct lane_rate *rate =
        kind == LANE_ACTS ? &lanes->_shared.act_rate : &lanes->_shared.rate;
    return lane_rate_retry_after_ms(rate, now_ns, shared_load(lanes, kind));
}

int64_t lanes_state_job_retry_after_ms(const struct lanes *lanes, int64_t now_ns)
{
    return lane_rate_retry_after_ms(&lanes->_shared.job_rate, now_ns,
                                    lanes->_shared.jobs.count + lanes->_shared.jobs_deciding);
}

void lanes_state_note_arrival(struct lanes *lanes, struct lane *lane, bool was_empty,
                              int64_t now_ns, struct crew_wakes *wakes)
{
    if (was_empty && !lane->is_owned) {
        lane_resume_rates(lane, now_ns);
        lane->ready_since_ns = now_ns;
        CHECK(lane_table_settle(&lanes->_shared.table, lane, &lanes->_shared.table.idle));
        crew_want(&lanes->_shared.crew, LANE_DUTY_ORDERS, wakes);
    }
}

/* --- Refusing what waits --------------------------------------------------------------------- */

static void refuse_queue(struct lanes *lanes, struct list *queue, enum verdict verdict,
                         struct answers *answers)
{
    LIST_FOREACH_SAFE (queue, link, following) {
        lanes->_shared.waiting[LIST_OBJECT(link, struct lane_entry, _link)->_kind]--;
    }
    answers_add_all(answers, queue, verdict, 0);
}

/* What was ready may have nothing left. */
static void settle_cleared(struct lanes *lanes, struct lane *lane, bool was_ready)
{
    if (was_ready && lane_is_empty(lane)) {
        lane_table_settle(&lanes->_shared.table, lane, &lanes->_shared.table.ready);
    }
}

void lanes_state_refuse_lanes(struct lanes *lanes, enum verdict verdict, struct answers *answers)
{
    struct lane *lane, *following;
    HASH_ITER(by_id, lanes->_shared.table.by_id, lane, following)
    {
        bool was_ready = !lane->is_owned && !lane_is_empty(lane);
        for (size_t kind = 0; kind < LANE_QUEUES; kind++) {
            refuse_queue(lanes, &lane->queues[kind], verdict, answers);
        }
        lane_drop_wish(lane);
        settle_cleared(lanes, lane, was_ready);
    }
}

void lanes_state_refuse_reads(struct lanes *lanes, enum verdict verdict, struct answers *answers)
{
    struct lobby *lobby = &lanes->_shared.lobby;
    if (!lobby->is_taken) {
        refuse_queue(lanes, &lobby->entries, verdict, answers);
        memset(lobby->counts, 0, sizeof(lobby->counts));
    }
    answers_add_all(answers, &lanes->_shared.urgent_jobs, verdict, 0);
    answers_add_all(answers, &lanes->_shared.jobs, verdict, 0);
}

void lanes_state_drop_wishes(struct lanes *lanes)
{
    struct lane *lane, *following;
    HASH_ITER(by_id, lanes->_shared.table.by_id, lane, following)
    {
        bool was_ready = !lane->is_owned && !lane_is_empty(lane);
        lane_drop_wish(lane);
        settle_cleared(lanes, lane, was_ready);
    }
}
