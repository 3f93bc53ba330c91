#include "orders/lanes/lane.h"

void lane_init(struct lane *lane, const struct uuid *sale_id)
{
    *lane = (struct lane){.sale_id = *sale_id};
    for (size_t kind = 0; kind < LANE_QUEUES; kind++) {
        list_init(&lane->queues[kind]);
    }
}

/* The kinds that wait, as a set. */
static unsigned waiting_of(const struct lane *lane)
{
    unsigned waiting = lane->wants_sweep ? 1U << LANE_SWEEP : 0;
    for (size_t kind = 0; kind < LANE_QUEUES; kind++) {
        waiting |= list_is_empty(&lane->queues[kind]) ? 0 : 1U << kind;
    }
    return waiting;
}

bool lane_is_empty(const struct lane *lane)
{
    return waiting_of(lane) == 0;
}

size_t lane_depth(const struct lane *lane)
{
    return lane->queues[LANE_ORDERS].count + lane->queues[LANE_CHANGES].count;
}

int64_t lane_retry_after_ms(const struct lane *lane, enum lane_kind kind, int64_t now_ns)
{
    if (kind == LANE_ACTS) {
        return lane_rate_retry_after_ms(&lane->act_rate, now_ns, lane->queues[LANE_ACTS].count);
    }
    return lane_rate_retry_after_ms(&lane->rate, now_ns, lane_depth(lane));
}

void lane_resume_rates(struct lane *lane, int64_t now_ns)
{
    lane_rate_resume(&lane->rate, now_ns);
    lane_rate_resume(&lane->act_rate, now_ns);
}

/* Nothing counts as slow that had nothing to answer. */
static void note(struct lane_rate *rate, int64_t now_ns, size_t answered, size_t waiting)
{
    if (answered + waiting > 0) {
        lane_rate_add(rate, now_ns, answered);
    } else {
        lane_rate_resume(rate, now_ns);
    }
}

void lane_note_answered(struct lane *lane, int64_t now_ns, size_t answered, size_t acts_answered)
{
    note(&lane->rate, now_ns, answered, lane_depth(lane));
    note(&lane->act_rate, now_ns, acts_answered, lane->queues[LANE_ACTS].count);
}

void lane_want_sweep(struct lane *lane, int64_t mature_up_to)
{
    lane->wants_sweep = true;
    if (mature_up_to > lane->mature_up_to) {
        lane->mature_up_to = mature_up_to;
    }
}

void lane_drop_wish(struct lane *lane)
{
    lane->wants_sweep = false;
    lane->mature_up_to = 0;
}

enum lane_kind lane_turn(struct lane *lane)
{
    return (enum lane_kind)rotation_turn(&lane->_rotation, waiting_of(lane));
}

size_t lane_move(struct lane *lane, enum lane_kind kind, size_t count, struct list *to)
{
    return list_append_some(to, &lane->queues[kind], count);
}
