#include "edge/upstream/combiner.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* One sale that has orders inside or calls in flight. */
struct combiner_queue {
    struct sale_table_entry entry;
    struct list waiting;
    size_t orders; /* waiting, pausing and in flight */
    size_t calls;
    struct list_link link; /* on the free list or the sendable list */
};

static struct combiner_order *order_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct combiner_order, _link);
}

static struct combiner_order *order_of_deadline(struct list_link *link)
{
    return LIST_OBJECT(link, struct combiner_order, _by_deadline);
}

static int64_t now_ns(const struct combiner *combiner)
{
    return combiner->_port.now_ns(combiner->_port.data);
}

static bool is_ready(const struct combiner *combiner)
{
    return combiner->_port.is_ready(combiner->_port.data);
}

static bool is_gone(const struct combiner *combiner)
{
    return combiner->_port.is_gone(combiner->_port.data);
}

static void free_call(struct combiner *combiner, struct combiner_call *call)
{
    call->_queue = NULL;
    call->count = 0;
    call->bytes = 0;
    call->_next_free = combiner->_free_calls;
    combiner->_free_calls = call;
}

/* There is a free call. */
static struct combiner_call *take_call(struct combiner *combiner)
{
    struct combiner_call *call = combiner->_free_calls;
    CHECK(call != NULL && call->_queue == NULL);
    combiner->_free_calls = call->_next_free;
    return call;
}

int combiner_init(struct combiner *combiner, const struct combiner_config *config,
                  const struct combiner_port *port)
{
    CHECK(config->orders_per_call_max >= 1 &&
          config->orders_per_call_max <= EDGE_ORDERS_PER_CALL_MAX);
    CHECK(config->calls_per_sale_max >= 1 && config->calls_max >= 1 && config->sales_max >= 1);
    *combiner = (struct combiner){._config = *config, ._port = *port};
    combiner->_calls = calloc(config->calls_max, sizeof(*combiner->_calls));
    combiner->_queues = calloc(config->sales_max, sizeof(*combiner->_queues));
    if (combiner->_calls == NULL || combiner->_queues == NULL ||
        sale_table_init(&combiner->_sales, config->sales_max, config->secret) != 0) {
        combiner_fini(combiner);
        return -ENOMEM;
    }
    list_init(&combiner->_free_queues);
    list_init(&combiner->_sendable);
    list_init(&combiner->_pausing);
    list_init(&combiner->_by_deadline);
    for (size_t i = 0; i < config->calls_max; i++) {
        combiner->_calls[i].slot = i;
        free_call(combiner, &combiner->_calls[i]);
    }
    for (size_t i = 0; i < config->sales_max; i++) {
        list_init(&combiner->_queues[i].waiting);
        list_push_back(&combiner->_free_queues, &combiner->_queues[i].link);
    }
    combiner->_look_at_ns = CLOCK_DEADLINE_NEVER;
    rate_init(&combiner->_rate, port->now_ns(port->data));
    return 0;
}

void combiner_fini(struct combiner *combiner)
{
    sale_table_fini(&combiner->_sales);
    free(combiner->_queues);
    free(combiner->_calls);
    combiner->_queues = NULL;
    combiner->_calls = NULL;
}

/* --- Queues ----------------------------------------------------------------------------------- */

/* The sale's queue, a fresh one if need be; NULL when all are taken. */
static struct combiner_queue *queue_for(struct combiner *combiner, const struct uuid *sale_id)
{
    struct sale_table_entry *entry = sale_table_find(&combiner->_sales, sale_id);
    if (entry != NULL) {
        return LIST_OBJECT(entry, struct combiner_queue, entry);
    }
    struct list_link *link = list_pop_front(&combiner->_free_queues);
    if (link == NULL) {
        return NULL;
    }
    struct combiner_queue *queue = LIST_OBJECT(link, struct combiner_queue, link);
    CHECK(queue->orders == 0 && queue->calls == 0 && list_is_empty(&queue->waiting));
    queue->entry.sale_id = *sale_id;
    sale_table_add(&combiner->_sales, &queue->entry);
    return queue;
}

/* Puts the queue on the list that its state asks for: sendable, free or none. */
static void place_queue(struct combiner *combiner, struct combiner_queue *queue)
{
    bool is_sendable =
        !list_is_empty(&queue->waiting) && queue->calls < combiner->_config.calls_per_sale_max;
    bool is_listed = list_link_is_linked(&queue->link);
    if (is_sendable && !is_listed) {
        list_push_back(&combiner->_sendable, &queue->link);
    }
    if (!is_sendable && is_listed) {
        list_remove(&combiner->_sendable, &queue->link);
    }
    if (queue->orders == 0 && queue->calls == 0) {
        sale_table_remove(&combiner->_sales, &queue->entry);
        list_push_front(&combiner->_free_queues, &queue->link);
    }
}

static void wait_at_back(struct combiner *combiner, struct combiner_order *order)
{
    order->_state = COMBINER_WAITING;
    list_push_back(&order->_queue->waiting, &order->_link);
    combiner->_waiting++;
}

static void wait_at_front(struct combiner *combiner, struct combiner_order *order)
{
    order->_state = COMBINER_WAITING;
    list_push_front(&order->_queue->waiting, &order->_link);
    combiner->_waiting++;
}

/* --- Coming in and leaving -------------------------------------------------------------------- */

/* Keeps the list sorted; deadlines nearly always come in order, so the search starts at the end. */
static void note_deadline(struct combiner *combiner, struct combiner_order *order)
{
    struct list *list = &combiner->_by_deadline;
    struct list_link *position = &list->head;
    while (position->prev != &list->head &&
           order_of_deadline(position->prev)->deadline_ns > order->deadline_ns) {
        position = position->prev;
    }
    list_insert_before(list, position, &order->_by_deadline);
}

static void refuse(const struct combiner *combiner, const char *why,
                   struct attempt_answer *ret_answer)
{
    *ret_answer = (struct attempt_answer){
        .verdict = ATTEMPT_SAY_OVERLOADED,
        .why = why,
        .retry_after_ms = rate_wait_ms(&combiner->_rate, combiner_waiting(combiner)),
    };
}

bool combiner_submit(struct combiner *combiner, struct combiner_order *order,
                     struct attempt_answer *ret_answer)
{
    CHECK(order->_state == COMBINER_OUTSIDE);
    CHECK(order->bytes <= combiner->_config.bytes_per_call_max);
    if (is_gone(combiner)) {
        refuse(combiner, attempt_why_disconnected, ret_answer);
        return false;
    }
    if (combiner_waiting(combiner) >= combiner->_config.waiting_max) {
        refuse(combiner, attempt_why_full, ret_answer);
        return false;
    }
    struct combiner_queue *queue = queue_for(combiner, &order->sale_id);
    if (queue == NULL) {
        refuse(combiner, attempt_why_sales_full, ret_answer);
        return false;
    }
    order->_history = (struct attempt_history){.unresolved = false};
    order->_company_max = combiner->_config.orders_per_call_max;
    combiner->_was_there = true;
    order->_queue = queue;
    queue->orders++;
    note_deadline(combiner, order);
    wait_at_back(combiner, order);
    place_queue(combiner, queue);
    return true;
}

/* Cuts an order off wherever it is. Its queue may be gone afterwards unless a call holds it. */
static void leave(struct combiner *combiner, struct combiner_order *order)
{
    struct combiner_queue *queue = order->_queue;
    switch (order->_state) {
    case COMBINER_WAITING:
        list_remove(&queue->waiting, &order->_link);
        combiner->_waiting--;
        break;
    case COMBINER_PAUSING:
        list_remove(&combiner->_pausing, &order->_link);
        break;
    case COMBINER_IN_FLIGHT:
        CHECK(order->_call->orders[order->_index] == order);
        order->_call->orders[order->_index] = NULL;
        order->_call = NULL;
        break;
    case COMBINER_OUTSIDE:
        UNREACHABLE("an order leaves once");
    }
    list_remove(&combiner->_by_deadline, &order->_by_deadline);
    order->_state = COMBINER_OUTSIDE;
    order->_queue = NULL;
    CHECK(queue->orders > 0);
    queue->orders--;
    place_queue(combiner, queue);
}

void combiner_forget(struct combiner *combiner, struct combiner_order *order)
{
    if (order->_state != COMBINER_OUTSIDE) {
        leave(combiner, order);
    }
}

/* Whether a copy of the order may be placed by somebody, now or later. */
static bool may_be_placed(const struct combiner_order *order)
{
    return order->_history.unresolved || order->_state == COMBINER_IN_FLIGHT;
}

void combiner_stop(struct combiner *combiner, struct combiner_order *order,
                   struct attempt_answer *ret_answer)
{
    CHECK(order->_state != COMBINER_OUTSIDE);
    *ret_answer = may_be_placed(order) ? attempt_tell_unknown() : attempt_tell_draining();
    leave(combiner, order);
}

static void answer(struct combiner *combiner, struct combiner_order *order,
                   const struct attempt_answer *text)
{
    leave(combiner, order);
    combiner->_port.answer(order, text, combiner->_port.data);
}

/* Ends an order that has no result to be told: as unknown, or as surely not done. */
static void answer_without_result(struct combiner *combiner, struct combiner_order *order,
                                  const char *why)
{
    struct attempt_answer text = attempt_tell_unknown();
    if (!may_be_placed(order)) {
        refuse(combiner, why, &text);
    }
    answer(combiner, order, &text);
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* The first order of the queue that has time left; those that have not are answered. */
static struct combiner_order *first_in_time(struct combiner *combiner, struct combiner_queue *queue,
                                            int64_t now)
{
    struct list_link *link;
    while ((link = list_first(&queue->waiting)) != NULL) {
        struct combiner_order *order = order_of(link);
        if (order->deadline_ns - now > combiner->_config.margin_ms * CLOCK_NS_PER_MS) {
            return order;
        }
        answer_without_result(combiner, order, attempt_why_late);
    }
    return NULL;
}

/* Puts waiting orders into the call until one does not fit, which stays first in its queue. */
static void fill_call(struct combiner *combiner, struct combiner_call *call, int64_t now)
{
    const struct combiner_config *config = &combiner->_config;
    size_t count_max = config->orders_per_call_max;
    struct combiner_order *order;
    while (call->count < count_max &&
           (order = first_in_time(combiner, call->_queue, now)) != NULL) {
        if (call->count >= order->_company_max ||
            order->bytes > config->bytes_per_call_max - call->bytes) {
            return;
        }
        count_max = order->_company_max < count_max ? order->_company_max : count_max;
        list_remove(&call->_queue->waiting, &order->_link);
        combiner->_waiting--;
        order->_state = COMBINER_IN_FLIGHT;
        order->_call = call;
        order->_index = call->count;
        call->orders[call->count++] = order;
        call->bytes += order->bytes;
    }
}

/* Sends one call of the queue. The queue counts the call first, so that it stays while its late
 * orders leave. */
static void send_one(struct combiner *combiner, struct combiner_queue *queue, int64_t now)
{
    struct combiner_call *call = take_call(combiner);
    queue->calls++;
    call->_queue = queue;
    call->sale_id = queue->entry.sale_id;
    fill_call(combiner, call, now);
    if (call->count == 0) {
        queue->calls--;
        free_call(combiner, call);
        place_queue(combiner, queue);
        return;
    }
    combiner->_calls_in_flight++;
    place_queue(combiner, queue);
    combiner->_port.send(call, combiner->_port.data);
}

/* One call per queue and turn, so that a hot sale leaves calls for the others. */
static void send_all(struct combiner *combiner, int64_t now)
{
    while (combiner->_free_calls != NULL) {
        struct list_link *link = list_pop_front(&combiner->_sendable);
        if (link == NULL) {
            return;
        }
        send_one(combiner, LIST_OBJECT(link, struct combiner_queue, link), now);
    }
}

static void pause_order(struct combiner *combiner, struct combiner_order *order, int64_t now)
{
    order->_call->orders[order->_index] = NULL;
    order->_call = NULL;
    order->_state = COMBINER_PAUSING;
    order->_resume_at_ns = now + combiner->_config.retry_pause_ms * CLOCK_NS_PER_MS;
    list_push_back(&combiner->_pausing, &order->_link);
}

static void apply(struct combiner *combiner, struct combiner_order *order,
                  const struct combiner_result *result, int64_t now)
{
    struct attempt_answer text = attempt_tell_unknown();
    size_t company = order->_call->count;
    enum attempt_result outcome = result->result;
    if (outcome == ATTEMPT_LOST_FOR_GOOD && company > 1) {
        order->_company_max = company / 2;
        outcome = ATTEMPT_LOST;
    }
    switch (attempt_judge(&order->_history, outcome)) {
    case ATTEMPT_RETRY:
        pause_order(combiner, order, now);
        return;
    case ATTEMPT_UNKNOWN:
        break;
    case ATTEMPT_ANSWER:
        text = attempt_tell(outcome, result->detail);
        break;
    }
    answer(combiner, order, &text);
}

/* What waits leaves before the returned call's orders are answered, which takes a while: the orders
 * service gets to work again first. */
static void send_next(struct combiner *combiner, struct combiner_queue *queue, int64_t now)
{
    combiner->_calls_in_flight--;
    queue->calls--;
    place_queue(combiner, queue);
    if (!list_is_empty(&combiner->_sendable) && is_ready(combiner)) {
        send_all(combiner, now);
    }
}

void combiner_complete(struct combiner *combiner, struct combiner_call *call,
                       const struct combiner_result *results)
{
    static const struct combiner_result lost = {.result = ATTEMPT_LOST};
    struct combiner_queue *queue = call->_queue;
    int64_t now = now_ns(combiner);
    CHECK(queue != NULL && queue->calls > 0 && combiner->_calls_in_flight > 0);
    /* Counted as an order, the call keeps its queue until it is through. */
    queue->orders++;
    send_next(combiner, queue, now);
    for (size_t i = 0; i < call->count; i++) {
        if (call->orders[i] != NULL) {
            apply(combiner, call->orders[i], results == NULL ? &lost : &results[i], now);
        }
    }
    if (results != NULL && results[0].result != ATTEMPT_LOST_FOR_GOOD) {
        rate_add(&combiner->_rate, call->count, now);
    }
    free_call(combiner, call);
    queue->orders--;
    place_queue(combiner, queue);
}

/* --- Time ------------------------------------------------------------------------------------- */

/* The connection is gone: what was never sent is surely not done, so say so at once. */
static void refuse_unsent(struct combiner *combiner)
{
    LIST_FOREACH_SAFE (&combiner->_by_deadline, link, following) {
        struct combiner_order *order = order_of_deadline(link);
        if (order->_state != COMBINER_IN_FLIGHT && !order->_history.unresolved) {
            answer_without_result(combiner, order, attempt_why_disconnected);
        }
    }
}

static void answer_late(struct combiner *combiner, int64_t now)
{
    struct list_link *link;
    while ((link = list_first(&combiner->_by_deadline)) != NULL &&
           order_of_deadline(link)->deadline_ns <= now) {
        answer_without_result(combiner, order_of_deadline(link), attempt_why_late);
    }
}

/* Orders that have paused go to the front of their queues, the first of them foremost. */
static void resume(struct combiner *combiner, int64_t now)
{
    struct list_link *last = &combiner->_pausing.head;
    while (last->next != &combiner->_pausing.head && order_of(last->next)->_resume_at_ns <= now) {
        last = last->next;
    }
    while (last != &combiner->_pausing.head) {
        struct list_link *before = last->prev;
        struct combiner_order *order = order_of(last);
        list_remove(&combiner->_pausing, last);
        wait_at_front(combiner, order);
        place_queue(combiner, order->_queue);
        last = before;
    }
}

void combiner_tick(struct combiner *combiner)
{
    int64_t now = now_ns(combiner);
    bool ready = is_ready(combiner);
    bool gone = is_gone(combiner);
    answer_late(combiner, now);
    if (gone && (combiner->_was_there || !list_is_empty(&combiner->_pausing))) {
        refuse_unsent(combiner);
    }
    combiner->_was_there = !gone;
    combiner->_look_at_ns = ready || gone
                                ? CLOCK_DEADLINE_NEVER
                                : now + combiner->_config.retry_pause_ms * CLOCK_NS_PER_MS;
    resume(combiner, now);
    if (ready) {
        send_all(combiner, now);
    }
}

int64_t combiner_next_due_ns(const struct combiner *combiner)
{
    int64_t due_ns = CLOCK_DEADLINE_NEVER;
    const struct list_link *late = list_first(&combiner->_by_deadline);
    if (late != NULL) {
        due_ns = LIST_OBJECT(late, const struct combiner_order, _by_deadline)->deadline_ns;
    }
    const struct list_link *paused = list_first(&combiner->_pausing);
    if (paused != NULL) {
        int64_t resume_at_ns =
            LIST_OBJECT(paused, const struct combiner_order, _link)->_resume_at_ns;
        due_ns = resume_at_ns < due_ns ? resume_at_ns : due_ns;
    }
    if (combiner->_waiting > 0 && combiner->_look_at_ns < due_ns) {
        due_ns = combiner->_look_at_ns;
    }
    return due_ns;
}

size_t combiner_waiting(const struct combiner *combiner)
{
    return combiner->_waiting + combiner->_pausing.count;
}

size_t combiner_sales(const struct combiner *combiner)
{
    return combiner->_config.sales_max - combiner->_free_queues.count;
}

size_t combiner_calls_in_flight(const struct combiner *combiner)
{
    return combiner->_calls_in_flight;
}
