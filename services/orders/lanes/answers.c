#include "orders/lanes/answers.h"

void answers_init(struct answers *answers)
{
    list_init(&answers->_entries);
}

static struct lane_order *order_of(struct lane_entry *entry)
{
    return LIST_OBJECT(entry, struct lane_order, _entry);
}

static struct lane_change *change_of(struct lane_entry *entry)
{
    return LIST_OBJECT(entry, struct lane_change, _entry);
}

static struct lane_job *job_of(struct lane_entry *entry)
{
    return LIST_OBJECT(entry, struct lane_job, _entry);
}

void answers_add(struct answers *answers, struct lane_entry *entry, enum verdict verdict,
                 int64_t retry_after_ms)
{
    switch (entry->_kind) {
    case LANE_ORDERS:
        order_of(entry)->item.verdict = verdict;
        order_of(entry)->retry_after_ms = retry_after_ms;
        break;
    case LANE_CHANGES:
        change_of(entry)->item.verdict = verdict;
        change_of(entry)->retry_after_ms = retry_after_ms;
        break;
    case LANE_ACTS:
        job_of(entry)->_refusal = verdict;
        job_of(entry)->retry_after_ms = retry_after_ms;
        break;
    case LANE_SWEEP:
    case LANE_KINDS:
        UNREACHABLE("a sweep is nobody's question");
    }
    list_push_back(&answers->_entries, &entry->_link);
}

void answers_add_all(struct answers *answers, struct list *entries, enum verdict verdict,
                     int64_t retry_after_ms)
{
    for (struct list_link *link; (link = list_pop_front(entries)) != NULL;) {
        answers_add(answers, LIST_OBJECT(link, struct lane_entry, _link), verdict, retry_after_ms);
    }
}

static void tell(struct lane_entry *entry)
{
    struct lane_order *order;
    struct lane_change *change;
    struct lane_job *job;

    switch (entry->_kind) {
    case LANE_ORDERS:
        order = order_of(entry);
        answers_tell_orders(&order, 1);
        return;
    case LANE_CHANGES:
        change = change_of(entry);
        change->on_answered(change, change->data);
        return;
    case LANE_ACTS:
        job = job_of(entry);
        job->refuse(job, job->_refusal);
        return;
    case LANE_SWEEP:
    case LANE_KINDS:
        break;
    }
    UNREACHABLE("nothing else is answered");
}

void answers_tell(struct answers *answers)
{
    for (struct list_link *link; (link = list_pop_front(&answers->_entries)) != NULL;) {
        tell(LIST_OBJECT(link, struct lane_entry, _link));
    }
}

void answers_tell_orders(struct lane_order *const *orders, size_t count)
{
    for (size_t i = 0; i < count;) {
        struct lane_batch *batch = orders[i]->_batch;
        size_t together = 1;
        CHECK(batch != NULL);
        while (i + together < count && orders[i + together]->_batch == batch) {
            together++;
        }
        i += together;
        if (atomic_fetch_sub(&batch->_unanswered, together) == together) {
            batch->on_answered(batch, batch->data); /* the memory of its orders may be gone */
        }
    }
}
