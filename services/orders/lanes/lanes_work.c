#include "orders/lanes/lanes_work.h"

#include "base/clock.h"
#include "orders/lanes/lanes_state.h"

/* What the connection for reads has turns for. */
enum read_kind {
    READ_URGENT,
    READ_LOBBY,
    READ_JOB,
};

/* What a connection for both has turns for. */
enum both_kind {
    BOTH_LANES,
    BOTH_READS,
};

/* --- Coming and going ------------------------------------------------------------------------ */

void lanes_work_joined(struct lanes *lanes, enum lane_duty duty)
{
    lanes_state_lock(lanes);
    lanes->_shared.crew.joined[duty]++;
    lanes_state_unlock(lanes);
}

void lanes_work_left(struct lanes *lanes, enum lane_duty duty)
{
    struct answers answers;

    answers_init(&answers);
    lanes_state_lock(lanes);
    CHECK(lanes->_shared.crew.joined[duty] > 0);
    lanes->_shared.crew.joined[duty]--;
    if (!crew_serves_lanes(&lanes->_shared.crew)) {
        lanes_state_refuse_lanes(lanes, VERDICT_DATABASE_UNAVAILABLE, &answers);
    }
    if (!crew_serves_reads(&lanes->_shared.crew)) {
        lanes_state_refuse_reads(lanes, VERDICT_DATABASE_UNAVAILABLE, &answers);
    }
    lanes_state_unlock(lanes);
    answers_tell(&answers);
}

/* --- Taking ---------------------------------------------------------------------------------- */

/* What the lane has given its turn to. */
static enum lane_kind kind_of(const struct lane_task *task)
{
    switch (task->kind) {
    case LANE_TASK_ORDERS:
        return LANE_ORDERS;
    case LANE_TASK_CHANGES:
        return LANE_CHANGES;
    case LANE_TASK_ACT:
        return LANE_ACTS;
    case LANE_TASK_SWEEP:
        return LANE_SWEEP;
    default:
        UNREACHABLE("a task that is no turn of a lane");
    }
}

/* Moves entries of an owned lane to the task; returns how many. */
static size_t take_entries_locked(struct lanes *lanes, struct lane_task *task, enum lane_kind kind,
                                  size_t count)
{
    size_t taken = lane_move(task->_lane, kind, count, &task->_taken);
    lanes->_shared.waiting[kind] -= taken;
    lanes->_shared.deciding[kind] += taken;
    return taken;
}

static void take_act_locked(struct lanes *lanes, struct lane_task *task)
{
    CHECK(take_entries_locked(lanes, task, LANE_ACTS, 1) == 1);
    struct list_link *link = list_pop_front(&task->_taken);
    task->job = LIST_OBJECT(LIST_OBJECT(link, struct lane_entry, _link), struct lane_job, _entry);
}

static void take_turn_locked(struct lanes *lanes, struct lane_task *task)
{
    struct lane *lane = lane_table_own(&lanes->_shared.table);

    task->sale_id = lane->sale_id;
    task->_since_ns = lane->ready_since_ns;
    task->_lane = lane;
    task->count = 0;
    list_init(&task->_taken);
    switch (lane_turn(lane)) {
    case LANE_ACTS:
        task->kind = LANE_TASK_ACT;
        take_act_locked(lanes, task);
        return;
    case LANE_CHANGES:
        task->kind = LANE_TASK_CHANGES;
        take_entries_locked(lanes, task, LANE_CHANGES, lanes->config.batch_max);
        return;
    case LANE_ORDERS:
        task->kind = LANE_TASK_ORDERS;
        take_entries_locked(lanes, task, LANE_ORDERS, lanes->config.batch_max);
        return;
    case LANE_SWEEP:
        task->kind = LANE_TASK_SWEEP;
        task->mature_up_to = lane->mature_up_to;
        lane_drop_wish(lane);
        return;
    case LANE_KINDS:
        break;
    }
    UNREACHABLE("every kind is listed");
}

static void take_job_locked(struct lanes *lanes, struct list *jobs, struct lane_task *task)
{
    struct list_link *link = list_pop_front(jobs);
    task->kind = LANE_TASK_JOB;
    task->job = LIST_OBJECT(LIST_OBJECT(link, struct lane_entry, _link), struct lane_job, _entry);
    task->_since_ns = task->job->_entry._since_ns;
    task->_is_urgent = jobs == &lanes->_shared.urgent_jobs;
    lanes->_shared.jobs_deciding += task->_is_urgent ? 0 : 1;
}

/* What waits for the connection for reads, as a set of enum read_kind. */
static unsigned reads_waiting_locked(const struct lanes *lanes)
{
    return (list_is_empty(&lanes->_shared.urgent_jobs) ? 0 : 1U << READ_URGENT) |
           (lobby_waits(&lanes->_shared.lobby) ? 1U << READ_LOBBY : 0) |
           (list_is_empty(&lanes->_shared.jobs) ? 0 : 1U << READ_JOB);
}

/* Turn about, so that a stream of ids that nobody knows keeps no other from its connection. */
static void take_read_locked(struct lanes *lanes, struct lane_task *task)
{
    unsigned turn = rotation_turn(&lanes->_shared.read_rotation, reads_waiting_locked(lanes));
    switch ((enum read_kind)turn) {
    case READ_URGENT:
        take_job_locked(lanes, &lanes->_shared.urgent_jobs, task);
        return;
    case READ_LOBBY:
        lobby_take(&lanes->_shared.lobby, task);
        task->_since_ns = lanes->_shared.lobby.since_ns;
        return;
    case READ_JOB:
        take_job_locked(lanes, &lanes->_shared.jobs, task);
        return;
    }
    UNREACHABLE("every kind is listed");
}

/* How long the task waited, and whether that was too long. */
static void judge_wait_locked(struct lanes *lanes, struct lane_task *task)
{
    int64_t now = lanes_state_now_ns(lanes);
    task->waited_ns = now > task->_since_ns ? now - task->_since_ns : 0;
    if (task->kind == LANE_TASK_ACT || task->kind == LANE_TASK_JOB) {
        task->is_late = task->job->deadline_ns <= now;
        lanes->_shared.late += task->is_late ? 1 : 0;
        task->job->retry_after_ms = task->kind == LANE_TASK_ACT
                                        ? lane_retry_after_ms(task->_lane, LANE_ACTS, now)
                                        : lanes_state_job_retry_after_ms(lanes, now);
    }
}

static bool take_locked(struct lanes *lanes, enum lane_duty duty, struct lane_task *task)
{
    unsigned waiting = 0;
    if (duty != LANE_DUTY_READS && !list_is_empty(&lanes->_shared.table.ready)) {
        waiting |= 1U << BOTH_LANES;
    }
    if (duty != LANE_DUTY_ORDERS && reads_waiting_locked(lanes) != 0) {
        waiting |= 1U << BOTH_READS;
    }
    if (waiting == 0) {
        return false;
    }
    bool takes_turn = waiting == 1U << BOTH_LANES;
    if (duty == LANE_DUTY_BOTH) {
        takes_turn = rotation_turn(&lanes->_shared.both_rotation, waiting) == BOTH_LANES;
    }
    if (takes_turn) {
        take_turn_locked(lanes, task);
    } else {
        take_read_locked(lanes, task);
    }
    judge_wait_locked(lanes, task);
    lanes->_shared.crew.busy++;
    return true;
}

/* Takes the first task there is, late entries and all. */
static void take(struct lanes *lanes, enum lane_duty duty, int64_t until_ns, struct lane_task *task)
{
    bool goes_on = true;

    lanes_state_lock(lanes);
    while (!take_locked(lanes, duty, task)) {
        if (lanes->_shared.stopping || !goes_on) {
            task->kind = lanes->_shared.stopping ? LANE_TASK_STOP : LANE_TASK_IDLE;
            break;
        }
        goes_on = crew_sleep(&lanes->_shared.crew, duty, &lanes->_shared.lock, until_ns);
    }
    lanes_state_unlock(lanes);
}

/* --- Taking: the late ones ------------------------------------------------------------------- */

/* Puts an entry into the task's array, unless nobody waits for its answer any more: no COMMIT was
 * sent for it yet, so it may be refused. */
static bool keep_entry(struct lane_task *task, struct lane_entry *entry, int64_t now)
{
    if (task->kind == LANE_TASK_ORDERS) {
        struct lane_order *order = LIST_OBJECT(entry, struct lane_order, _entry);
        task->orders[task->count] = order;
        return clock_earlier(order->item.deadline_ns, order->item.attempts_end_ns) > now;
    }
    struct lane_change *change = LIST_OBJECT(entry, struct lane_change, _entry);
    task->changes[task->count] = change;
    return clock_earlier(change->item.deadline_ns, change->item.attempts_end_ns) > now;
}

/* Moves what was taken to the task's array; returns how many were late. */
static size_t sift_taken(struct lane_task *task, int64_t now, struct list *late)
{
    size_t late_before = late->count;
    for (struct list_link *link; (link = list_pop_front(&task->_taken)) != NULL;) {
        if (keep_entry(task, LIST_OBJECT(link, struct lane_entry, _link), now)) {
            task->count++;
        } else {
            list_push_back(late, link);
        }
    }
    return late->count - late_before;
}

/* Late ones leave room in the batch: takes further ones; false when there are none. */
static bool refill(struct lanes *lanes, struct lane_task *task, size_t late)
{
    lanes_state_lock(lanes);
    lanes->_shared.deciding[kind_of(task)] -= late;
    size_t taken =
        take_entries_locked(lanes, task, kind_of(task), lanes->config.batch_max - task->count);
    lanes_state_unlock(lanes);
    return taken > 0;
}

static void give_back_locked(struct lanes *lanes, struct lane_task *task, int64_t now,
                             struct crew_wakes *wakes)
{
    CHECK(task->_lane->is_owned);
    task->_lane->is_owned = false;
    task->_lane->ready_since_ns = now;
    if (lane_table_settle(&lanes->_shared.table, task->_lane, NULL)) {
        crew_want(&lanes->_shared.crew, LANE_DUTY_ORDERS, wakes);
    }
    lanes->_shared.crew.busy--;
}

/* Nothing of the batch is left: the lane goes on without a transaction. Returns how long to wait.
 */
static int64_t end_sifting(struct lanes *lanes, struct lane_task *task, size_t late, int64_t now)
{
    struct crew_wakes wakes = {0};

    lanes_state_lock(lanes);
    lanes->_shared.late += late;
    int64_t retry_after_ms = lane_retry_after_ms(task->_lane, kind_of(task), now);
    if (task->count == 0) {
        give_back_locked(lanes, task, now, &wakes);
    }
    lanes_state_unlock_and_wake(lanes, &wakes);
    return retry_after_ms;
}

/* Fills the task's array with what is still wanted and answers the rest; false when that is all,
 * and the task is over. Works outside the lock, for the lane is owned. */
static bool sift(struct lanes *lanes, struct lane_task *task)
{
    int64_t now = lanes_state_now_ns(lanes);
    struct answers answers;
    struct list late;

    list_init(&late);
    for (size_t found = sift_taken(task, now, &late); found > 0 && refill(lanes, task, found);
         found = sift_taken(task, now, &late)) {
    }
    if (list_is_empty(&late)) {
        return true;
    }
    bool is_over = task->count == 0;
    answers_init(&answers);
    int64_t retry_after_ms = end_sifting(lanes, task, late.count, now);
    answers_add_all(&answers, &late, VERDICT_OVERLOADED, retry_after_ms);
    answers_tell(&answers);
    return !is_over;
}

void lanes_work_take(struct lanes *lanes, enum lane_duty duty, struct lane_task *ret_task)
{
    int64_t until_ns = clock_deadline_in_ms(LANES_IDLE_MS);
    bool is_batch;

    do {
        take(lanes, duty, until_ns, ret_task);
        is_batch = ret_task->kind == LANE_TASK_ORDERS || ret_task->kind == LANE_TASK_CHANGES;
    } while (is_batch && !sift(lanes, ret_task));
}

/* --- Finishing ------------------------------------------------------------------------------- */

/* Ends a turn's accounts: what it answered, which nobody is deciding any more. */
static void note_answered_locked(struct lanes *lanes, const struct lane_task *task, int64_t now)
{
    size_t acts = task->kind == LANE_TASK_ACT ? 1 : 0;
    lane_note_answered(task->_lane, now, task->count, acts);
    if (task->count > 0) {
        lane_rate_add(&lanes->_shared.rate, now, task->count);
    }
    if (acts > 0) {
        lane_rate_add(&lanes->_shared.act_rate, now, acts);
    }
    if (task->kind != LANE_TASK_SWEEP) {
        lanes->_shared.deciding[kind_of(task)] -= task->count + acts;
    }
}

static void tell_orders(struct lane_order *const *orders, size_t count, int64_t retry_after_ms)
{
    for (size_t i = 0; i < count; i++) {
        if (orders[i]->item.verdict == VERDICT_OVERLOADED) {
            orders[i]->retry_after_ms = retry_after_ms;
        }
    }
    answers_tell_orders(orders, count);
}

static void tell_changes(struct lane_change *const *changes, size_t count, int64_t retry_after_ms)
{
    for (size_t i = 0; i < count; i++) {
        struct lane_change *change = changes[i];
        if (change->item.verdict == VERDICT_OVERLOADED) {
            change->retry_after_ms = retry_after_ms;
        }
        change->on_answered(change, change->data);
    }
}

void lanes_work_finish_turn(struct lanes *lanes, struct lane_task *task)
{
    struct crew_wakes wakes = {0};
    int64_t now = lanes_state_now_ns(lanes);

    lanes_state_lock(lanes);
    note_answered_locked(lanes, task, now);
    int64_t retry_after_ms = lane_retry_after_ms(task->_lane, LANE_ORDERS, now);
    give_back_locked(lanes, task, now, &wakes);
    lanes_state_unlock_and_wake(lanes, &wakes);
    if (task->kind == LANE_TASK_ORDERS) {
        tell_orders(task->orders, task->count, retry_after_ms);
    } else if (task->kind == LANE_TASK_CHANGES) {
        tell_changes(task->changes, task->count, retry_after_ms);
    }
}

void lanes_work_finish_job(struct lanes *lanes, struct lane_task *task)
{
    int64_t now = lanes_state_now_ns(lanes);

    CHECK(task->kind == LANE_TASK_JOB);
    lanes_state_lock(lanes);
    lanes->_shared.crew.busy--;
    if (!task->_is_urgent) {
        CHECK(lanes->_shared.jobs_deciding > 0);
        lanes->_shared.jobs_deciding--;
        lane_rate_add(&lanes->_shared.job_rate, now, 1);
    }
    lanes_state_unlock(lanes);
}

/* --- Finishing: the lobby -------------------------------------------------------------------- */

/* What a look-up's end does: its parts work on the same things. */
struct lookup_end {
    struct lanes *lanes;
    int64_t now;
    struct answers answers;
    struct crew_wakes wakes;
};

static void refuse_entry_locked(struct lookup_end *end, struct lane_entry *entry,
                                enum verdict verdict, const struct lane *lane)
{
    end->lanes->_shared.waiting[entry->_kind]--;
    answers_add(&end->answers, entry, verdict,
                lane != NULL ? lane_retry_after_ms(lane, entry->_kind, end->now)
                             : lanes_state_retry_after_ms(end->lanes, entry->_kind, end->now));
}

/* Puts what has just left the lobby into its sale's lane, or says why not. */
static void enter_lane_locked(struct lookup_end *end, struct lane_entry *entry, struct lane *lane)
{
    struct lanes *lanes = end->lanes;
    if (lane == NULL ||
        lane->queues[entry->_kind].count >= lanes_state_bound(lanes, entry->_kind) / 2) {
        refuse_entry_locked(end, entry, VERDICT_OVERLOADED, lane);
        return;
    }
    bool was_empty = lane_is_empty(lane);
    list_push_back(&lane->queues[entry->_kind], &entry->_link);
    lanes_state_note_arrival(lanes, lane, was_empty, end->now, &end->wakes);
}

/* The task's own entries, which are the lobby's first. Returns whether any of their sales is known.
 */
static bool leave_looked_up_locked(struct lookup_end *end, const struct lane_task *task)
{
    bool any_known = false;
    for (size_t i = 0; i < task->_lobby_count; i++) {
        struct lane_entry *entry = lobby_leave(&end->lanes->_shared.lobby);
        CHECK(entry->_looked_up < task->sale_count);
        if (!task->sale_known[entry->_looked_up]) {
            refuse_entry_locked(end, entry, VERDICT_SALE_NOT_FOUND, NULL);
            continue;
        }
        any_known = true;
        struct lane *lane = lane_table_find(&end->lanes->_shared.table, entry->_sale_id);
        enter_lane_locked(
            end, entry,
            lane != NULL ? lane : lane_table_make(&end->lanes->_shared.table, entry->_sale_id));
    }
    return any_known;
}

/* What came meanwhile for a sale that has its lane now needs no look-up of its own. */
static void leave_followers_locked(struct lookup_end *end)
{
    struct list *entries = &end->lanes->_shared.lobby.entries;
    LIST_FOREACH_SAFE (entries, link, following) {
        struct lane_entry *entry = LIST_OBJECT(link, struct lane_entry, _link);
        struct lane *lane = lane_table_find(&end->lanes->_shared.table, entry->_sale_id);
        if (lane != NULL) {
            lobby_remove(&end->lanes->_shared.lobby, entry);
            enter_lane_locked(end, entry, lane);
        }
    }
}

static void begin_lookup_end_locked(struct lookup_end *end, const struct lane_task *task)
{
    CHECK(task->kind == LANE_TASK_LOBBY);
    end->lanes->_shared.lobby.is_taken = false;
    end->lanes->_shared.crew.busy--;
}

/* What could not be refused while the look-up was under way; and those who came meanwhile want the
 * next one. */
static void finish_lookup_end(struct lookup_end *end)
{
    struct lanes *lanes = end->lanes;
    if (lanes->_shared.cut) {
        lanes_state_refuse_lanes(lanes, VERDICT_DRAINING, &end->answers);
        lanes_state_refuse_reads(lanes, VERDICT_DRAINING, &end->answers);
    }
    if (lobby_waits(&lanes->_shared.lobby)) {
        lanes->_shared.lobby.since_ns = end->now;
        crew_want(&lanes->_shared.crew, LANE_DUTY_READS, &end->wakes);
    }
    lanes_state_unlock_and_wake(lanes, &end->wakes);
    answers_tell(&end->answers);
}

void lanes_work_finish_lobby(struct lanes *lanes, struct lane_task *task)
{
    struct lookup_end end = {.lanes = lanes, .now = lanes_state_now_ns(lanes)};

    answers_init(&end.answers);
    lanes_state_lock(lanes);
    begin_lookup_end_locked(&end, task);
    if (leave_looked_up_locked(&end, task)) {
        leave_followers_locked(&end);
    }
    if (!crew_serves_lanes(&lanes->_shared.crew)) {
        lanes_state_refuse_lanes(lanes, VERDICT_DATABASE_UNAVAILABLE, &end.answers);
    }
    finish_lookup_end(&end);
}

void lanes_work_fail_lobby(struct lanes *lanes, struct lane_task *task, enum verdict verdict)
{
    struct lookup_end end = {.lanes = lanes, .now = lanes_state_now_ns(lanes)};

    answers_init(&end.answers);
    lanes_state_lock(lanes);
    begin_lookup_end_locked(&end, task);
    for (size_t i = 0; i < task->_lobby_count; i++) {
        refuse_entry_locked(&end, lobby_leave(&lanes->_shared.lobby), verdict, NULL);
    }
    finish_lookup_end(&end);
}
