#include "edge/upstream/unary.h"

#include "base/clock.h"
#include "edge/limits.h"

#include <errno.h>
#include <stdlib.h>

static struct unary_request *request_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct unary_request, _link);
}

static struct unary_request *request_of_deadline(struct list_link *link)
{
    return LIST_OBJECT(link, struct unary_request, _by_deadline);
}

int unary_init(struct unary *unary, size_t calls_max, int64_t retry_pause_ms,
               const struct unary_port *port)
{
    *unary =
        (struct unary){._port = *port, ._calls_max = calls_max, ._retry_pause_ms = retry_pause_ms};
    unary->_calls = calloc(calls_max, sizeof(*unary->_calls));
    if (unary->_calls == NULL) {
        return -ENOMEM;
    }
    list_init(&unary->_free_calls);
    list_init(&unary->_pausing);
    list_init(&unary->_by_deadline);
    rate_init(&unary->_rate, port->now_ns(port->data));
    for (size_t i = 0; i < calls_max; i++) {
        unary->_calls[i].slot = i;
        list_push_back(&unary->_free_calls, &unary->_calls[i]._link);
    }
    return 0;
}

void unary_fini(struct unary *unary)
{
    free(unary->_calls);
    unary->_calls = NULL;
}

static bool is_ready(const struct unary *unary)
{
    return unary->_port.is_ready(unary->_port.data);
}

static bool is_gone(const struct unary *unary)
{
    return unary->_port.is_gone(unary->_port.data);
}

/* All requests have the same time limit, so deadlines nearly always come in order. */
static void note_deadline(struct unary *unary, struct unary_request *request)
{
    struct list *list = &unary->_by_deadline;
    struct list_link *position = &list->head;
    while (position->prev != &list->head &&
           request_of_deadline(position->prev)->deadline_ns > request->deadline_ns) {
        position = position->prev;
    }
    list_insert_before(list, position, &request->_by_deadline);
}

/* There is a free call: each that pauses leaves one, and unary_submit does not touch those. */
static void send(struct unary *unary, struct unary_request *request)
{
    struct list_link *link = list_pop_front(&unary->_free_calls);
    CHECK(link != NULL);
    struct unary_call *call = LIST_OBJECT(link, struct unary_call, _link);
    call->request = request;
    request->_call = call;
    request->_state = UNARY_IN_FLIGHT;
    unary->_port.send(call, unary->_port.data);
}

static void refuse(const char *why, struct attempt_answer *ret_answer)
{
    *ret_answer = (struct attempt_answer){
        .verdict = ATTEMPT_SAY_OVERLOADED, .why = why, .retry_after_ms = EDGE_RETRY_AFTER_MIN_MS};
}

static void pause_request(struct unary *unary, struct unary_request *request)
{
    request->_state = UNARY_PAUSING;
    request->_resume_at_ns =
        unary->_port.now_ns(unary->_port.data) + unary->_retry_pause_ms * CLOCK_NS_PER_MS;
    list_push_back(&unary->_pausing, &request->_link);
}

bool unary_submit(struct unary *unary, struct unary_request *request,
                  struct attempt_answer *ret_answer)
{
    CHECK(request->_state == UNARY_OUTSIDE);
    if (is_gone(unary)) {
        refuse(attempt_why_disconnected, ret_answer);
        return false;
    }
    /* Each that has paused has a call kept for it, so there are never more than calls_max inside.
     */
    if (unary->_free_calls.count <= unary->_pausing.count) {
        refuse(attempt_why_full, ret_answer);
        ret_answer->retry_after_ms = rate_wait_ms(&unary->_rate, unary_calls_in_flight(unary));
        return false;
    }
    request->_history = (struct attempt_history){.unresolved = false};
    note_deadline(unary, request);
    if (is_ready(unary)) {
        send(unary, request);
    } else {
        pause_request(unary, request);
    }
    return true;
}

/* Nothing to do for a request whose call has returned. */
static void detach_call(struct unary_request *request)
{
    if (request->_call != NULL) {
        CHECK(request->_call->request == request);
        request->_call->request = NULL;
        request->_call = NULL;
    }
}

static void leave(struct unary *unary, struct unary_request *request)
{
    if (request->_state == UNARY_PAUSING) {
        list_remove(&unary->_pausing, &request->_link);
    } else {
        CHECK(request->_state == UNARY_IN_FLIGHT);
        detach_call(request);
    }
    list_remove(&unary->_by_deadline, &request->_by_deadline);
    request->_state = UNARY_OUTSIDE;
}

void unary_forget(struct unary *unary, struct unary_request *request)
{
    if (request->_state != UNARY_OUTSIDE) {
        leave(unary, request);
    }
}

static bool may_be_done(const struct unary_request *request)
{
    return !request->is_read &&
           (request->_history.unresolved || request->_state == UNARY_IN_FLIGHT);
}

void unary_stop(struct unary *unary, struct unary_request *request,
                struct attempt_answer *ret_answer)
{
    CHECK(request->_state != UNARY_OUTSIDE);
    *ret_answer = may_be_done(request) ? attempt_tell_unknown() : attempt_tell_draining();
    leave(unary, request);
}

static void answer(struct unary *unary, struct unary_request *request,
                   const struct attempt_answer *text)
{
    leave(unary, request);
    unary->_port.answer(request, text, unary->_port.data);
}

static void answer_without_result(struct unary *unary, struct unary_request *request,
                                  const char *why)
{
    struct attempt_answer text;
    if (may_be_done(request)) {
        text = attempt_tell_unknown();
    } else {
        refuse(why, &text);
    }
    answer(unary, request, &text);
}

static void apply(struct unary *unary, struct unary_request *request, enum attempt_result result,
                  const void *detail)
{
    struct attempt_answer text;
    enum attempt_step step = request->is_read ? attempt_judge_read(&request->_history, result)
                                              : attempt_judge(&request->_history, result);
    switch (step) {
    case ATTEMPT_RETRY:
        pause_request(unary, request);
        return;
    case ATTEMPT_UNKNOWN:
        text = attempt_tell_unknown();
        break;
    case ATTEMPT_ANSWER:
        text = attempt_tell(result, detail);
        break;
    }
    answer(unary, request, &text);
}

void unary_complete(struct unary *unary, struct unary_call *call, enum attempt_result result,
                    const void *detail)
{
    struct unary_request *request = call->request;
    if (request != NULL) {
        detach_call(request);
    }
    list_push_front(&unary->_free_calls, &call->_link);
    rate_add(&unary->_rate, 1, unary->_port.now_ns(unary->_port.data));
    if (request != NULL) {
        apply(unary, request, result, detail);
    }
}

static void answer_late(struct unary *unary, int64_t now)
{
    struct list_link *link;
    while ((link = list_first(&unary->_by_deadline)) != NULL &&
           request_of_deadline(link)->deadline_ns <= now) {
        answer_without_result(unary, request_of_deadline(link), attempt_why_late);
    }
}

/* Sends again what has paused. When the connection is gone, what is surely not done is refused;
 * what may be done waits for a connection, as far as its deadline allows. */
static void resume(struct unary *unary, int64_t now)
{
    bool ready = is_ready(unary);
    bool gone = is_gone(unary);
    LIST_FOREACH_SAFE (&unary->_pausing, link, following) {
        struct unary_request *request = request_of(link);
        if (request->_resume_at_ns > now) {
            return;
        }
        if (ready) {
            list_remove(&unary->_pausing, link);
            send(unary, request);
        } else if (gone && !may_be_done(request)) {
            answer_without_result(unary, request, attempt_why_disconnected);
        }
    }
}

void unary_tick(struct unary *unary)
{
    int64_t now = unary->_port.now_ns(unary->_port.data);
    unary->_ticked_at_ns = now;
    answer_late(unary, now);
    resume(unary, now);
}

int64_t unary_next_due_ns(const struct unary *unary)
{
    int64_t due_ns = CLOCK_DEADLINE_NEVER;
    const struct list_link *late = list_first(&unary->_by_deadline);
    if (late != NULL) {
        due_ns = LIST_OBJECT(late, const struct unary_request, _by_deadline)->deadline_ns;
    }
    const struct list_link *paused = list_first(&unary->_pausing);
    if (paused != NULL) {
        int64_t resume_at_ns =
            LIST_OBJECT(paused, const struct unary_request, _link)->_resume_at_ns;
        /* What the last tick could not send is looked at again after a pause, not at once. */
        if (resume_at_ns <= unary->_ticked_at_ns) {
            resume_at_ns = unary->_ticked_at_ns + unary->_retry_pause_ms * CLOCK_NS_PER_MS;
        }
        due_ns = resume_at_ns < due_ns ? resume_at_ns : due_ns;
    }
    return due_ns;
}

size_t unary_calls_in_flight(const struct unary *unary)
{
    return unary->_calls_max - unary->_free_calls.count;
}
