#include "edge/upstream/joiner.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An odd constant (2^64 divided by the golden ratio) that spreads the bits of a product. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

static struct joiner_call *call_of_link(struct list_link *link)
{
    return LIST_OBJECT(link, struct joiner_call, _link);
}

static struct joiner_call *call_of_request(struct unary_request *request)
{
    return LIST_OBJECT(request, struct joiner_call, _request);
}

static struct joiner_read *read_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct joiner_read, _link);
}

static struct joiner_read *read_of_deadline(struct list_link *link)
{
    return LIST_OBJECT(link, struct joiner_read, _by_deadline);
}

static int64_t now_ns(const struct joiner *joiner)
{
    return joiner->_port.now_ns(joiner->_port.data);
}

/* --- Questions -------------------------------------------------------------------------------- */

static size_t authorization_bytes(const struct joiner_question *question)
{
    return question->authorization == NULL ? 0 : strlen(question->authorization) + 1;
}

bool joiner_takes(const struct joiner_question *question)
{
    return question->message_length <= EDGE_JOINED_QUESTION_BYTES_MAX &&
           authorization_bytes(question) <=
               EDGE_JOINED_QUESTION_BYTES_MAX - question->message_length &&
           strlen(question->request_id) < JOINER_NAME_BYTES &&
           strlen(question->traceparent) < JOINER_NAME_BYTES;
}

static uint64_t mixed(uint64_t value)
{
    value *= SPREAD;
    value ^= value >> 32;
    value *= SPREAD;
    return value ^ (value >> 29);
}

static uint64_t mix_in(uint64_t hash, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length > 0) {
        uint64_t word = 0;
        size_t taken = length < sizeof(word) ? length : sizeof(word);
        memcpy(&word, from, taken);
        hash = mixed(hash ^ word) + taken;
        from += taken;
        length -= taken;
    }
    return hash;
}

static uint64_t hash_of(const struct joiner *joiner, const struct joiner_question *question)
{
    const uint64_t *secret = joiner->_config.secret;
    uint64_t hash = mix_in(secret[0], &question->method, sizeof(question->method));
    hash = mix_in(hash, question->message, question->message_length);
    hash = mix_in(hash ^ secret[1], question->authorization, authorization_bytes(question));
    return mixed(hash ^ secret[1]);
}

static bool is_same_question(const struct joiner_call *call, const struct joiner_question *question)
{
    if (call->method != question->method || call->message_length != question->message_length ||
        (call->message_length > 0 &&
         memcmp(call->message, question->message, call->message_length) != 0)) {
        return false;
    }
    if (call->authorization == NULL || question->authorization == NULL) {
        return call->authorization == NULL && question->authorization == NULL;
    }
    return strcmp(call->authorization, question->authorization) == 0;
}

/* The chain of a question. However the hashes fall, all chains together hold calls_max at most. */
static struct joiner_call **chain_of(const struct joiner *joiner, uint64_t hash)
{
    return &joiner->_chains[hash & (joiner->_config.chains - 1)];
}

static struct joiner_call *find_leader(const struct joiner *joiner,
                                       const struct joiner_question *question, uint64_t hash)
{
    struct joiner_call *call = *chain_of(joiner, hash);
    while (call != NULL && (call->_hash != hash || !is_same_question(call, question))) {
        call = call->_next;
    }
    return call;
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* A call without reads for the question; NULL when all are taken. */
static struct joiner_call *take_call(struct joiner *joiner, const struct joiner_question *question,
                                     uint64_t hash)
{
    struct list_link *link = list_pop_front(&joiner->_free_calls);
    if (link == NULL) {
        return NULL;
    }
    struct joiner_call *call = call_of_link(link);
    CHECK(call->_state == JOINER_FREE && list_is_empty(&call->_reads));
    call->method = question->method;
    call->message_length = question->message_length;
    if (question->message_length > 0) {
        memcpy(call->message, question->message, question->message_length);
    }
    call->authorization = NULL;
    if (question->authorization != NULL) {
        char *copy = (char *)call->message + call->message_length;
        memcpy(copy, question->authorization, authorization_bytes(question));
        call->authorization = copy;
    }
    memcpy(call->request_id, question->request_id, strlen(question->request_id) + 1);
    memcpy(call->traceparent, question->traceparent, strlen(question->traceparent) + 1);
    call->_hash = hash;
    call->_gathering = NULL;
    call->_leader = NULL;
    return call;
}

static void free_call(struct joiner *joiner, struct joiner_call *call)
{
    CHECK(list_is_empty(&call->_reads) && !list_link_is_linked(&call->_link));
    call->_state = JOINER_FREE;
    list_push_front(&joiner->_free_calls, &call->_link);
}

static void begin_to_lead(struct joiner *joiner, struct joiner_call *call)
{
    struct joiner_call **chain = chain_of(joiner, call->_hash);
    call->_state = JOINER_IN_FLIGHT;
    call->_leader = NULL;
    call->_overtaken_at_ns = now_ns(joiner) + joiner->_config.patience_ms * CLOCK_NS_PER_MS;
    call->_next = *chain;
    *chain = call;
    list_push_back(&joiner->_leading, &call->_link);
}

/* Takes the call out of the lead; returns what gathered behind it, or NULL. */
static struct joiner_call *end_to_lead(struct joiner *joiner, struct joiner_call *call)
{
    CHECK(call->_state == JOINER_IN_FLIGHT);
    struct joiner_call **at = chain_of(joiner, call->_hash);
    while (*at != call) {
        CHECK(*at != NULL);
        at = &(*at)->_next;
    }
    *at = call->_next;
    list_remove(&joiner->_leading, &call->_link);
    call->_state = JOINER_OVERTAKEN;
    struct joiner_call *next = call->_gathering;
    call->_gathering = NULL;
    return next;
}

/* Sends the call of a question that nobody leads. False: it is refused, and leads nothing. */
static bool start(struct joiner *joiner, struct joiner_call *call,
                  struct attempt_answer *ret_answer)
{
    call->_request = (struct unary_request){.is_read = true, .deadline_ns = call->deadline_ns};
    begin_to_lead(joiner, call);
    if (unary_submit(&joiner->_unary, &call->_request, ret_answer)) {
        return true;
    }
    (void)end_to_lead(joiner, call);
    return false;
}

/* --- Reads ------------------------------------------------------------------------------------ */

/* All reads have the same time limit, so deadlines nearly always come in order. */
static void note_deadline(struct joiner *joiner, struct joiner_read *read)
{
    struct list *list = &joiner->_by_deadline;
    struct list_link *position = &list->head;
    while (position->prev != &list->head &&
           read_of_deadline(position->prev)->deadline_ns > read->deadline_ns) {
        position = position->prev;
    }
    list_insert_before(list, position, &read->_by_deadline);
}

static void enter(struct joiner *joiner, struct joiner_call *call, struct joiner_read *read)
{
    if (list_is_empty(&call->_reads) || call->deadline_ns < read->deadline_ns) {
        call->deadline_ns = read->deadline_ns;
    }
    read->_call = call;
    list_push_back(&call->_reads, &read->_link);
    note_deadline(joiner, read);
}

static void leave(struct joiner *joiner, struct joiner_read *read)
{
    struct joiner_call *call = read->_call;
    list_remove(&call->_reads, &read->_link);
    list_remove(&joiner->_by_deadline, &read->_by_deadline);
    read->_call = NULL;
    if (call->_state == JOINER_GATHERING && list_is_empty(&call->_reads)) {
        call->_leader->_gathering = NULL;
        free_call(joiner, call);
    }
}

/* Answers all reads of a call that leads nothing any more, one by one: answering may let others
 * come and go. */
static void answer_all(struct joiner *joiner, struct joiner_call *call,
                       const struct attempt_answer *answer)
{
    CHECK(call->_state == JOINER_OVERTAKEN);
    bool has_company = call->_reads.count > 1;
    struct list_link *link;
    rate_add(&joiner->_rate, call->_reads.count, now_ns(joiner));
    while ((link = list_first(&call->_reads)) != NULL) {
        struct joiner_read *read = read_of(link);
        read->has_company = has_company;
        leave(joiner, read);
        joiner->_port.answer(read, answer, joiner->_port.data);
    }
    free_call(joiner, call);
}

/* Sends what has gathered, if anything has. */
static void go_on(struct joiner *joiner, struct joiner_call *call)
{
    struct attempt_answer refusal;
    if (call != NULL && !start(joiner, call, &refusal)) {
        answer_all(joiner, call, &refusal);
    }
}

/* --- The port of single calls ----------------------------------------------------------------- */

static int64_t unary_now_ns(void *data)
{
    return now_ns(data);
}

static bool unary_is_ready(void *data)
{
    const struct joiner *joiner = data;
    return joiner->_port.is_ready(joiner->_port.data);
}

static bool unary_is_gone(void *data)
{
    const struct joiner *joiner = data;
    return joiner->_port.is_gone(joiner->_port.data);
}

static void unary_send(struct unary_call *sent, void *data)
{
    const struct joiner *joiner = data;
    joiner->_port.send(call_of_request(sent->request), sent, joiner->_port.data);
}

/* What waits leaves before the returned call's reads are answered, which takes a while: the orders
 * service gets to work again first. */
static void unary_answer(struct unary_request *request, const struct attempt_answer *answer,
                         void *data)
{
    struct joiner *joiner = data;
    struct joiner_call *call = call_of_request(request);
    if (call->_state == JOINER_IN_FLIGHT) {
        go_on(joiner, end_to_lead(joiner, call));
    }
    answer_all(joiner, call, answer);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int allocate(struct joiner *joiner)
{
    const struct joiner_config *config = &joiner->_config;
    const struct unary_port port = {unary_now_ns, unary_is_ready, unary_is_gone,
                                    unary_send,   unary_answer,   joiner};
    joiner->_calls = calloc(config->calls_max, sizeof(*joiner->_calls));
    joiner->_chains = calloc(config->chains, sizeof(struct joiner_call *));
    if (joiner->_calls == NULL || joiner->_chains == NULL) {
        return -ENOMEM;
    }
    return unary_init(&joiner->_unary, config->calls_max, config->retry_pause_ms, &port);
}

int joiner_init(struct joiner *joiner, const struct joiner_config *config,
                const struct joiner_port *port)
{
    CHECK(config->chains >= 1 && (config->chains & (config->chains - 1)) == 0);
    CHECK(config->calls_max >= 1 && config->reads_per_call_max >= 1);
    *joiner = (struct joiner){._config = *config, ._port = *port};
    int error = allocate(joiner);
    if (error != 0) {
        joiner_fini(joiner);
        return error;
    }
    list_init(&joiner->_free_calls);
    list_init(&joiner->_leading);
    list_init(&joiner->_by_deadline);
    rate_init(&joiner->_rate, now_ns(joiner));
    for (size_t i = 0; i < config->calls_max; i++) {
        list_init(&joiner->_calls[i]._reads);
        free_call(joiner, &joiner->_calls[i]);
    }
    return 0;
}

void joiner_fini(struct joiner *joiner)
{
    unary_fini(&joiner->_unary);
    free(joiner->_chains);
    free(joiner->_calls);
    joiner->_chains = NULL;
    joiner->_calls = NULL;
}

/* --- For the owner ---------------------------------------------------------------------------- */

static bool refuse(const char *why, struct attempt_answer *ret_answer)
{
    *ret_answer = (struct attempt_answer){
        .verdict = ATTEMPT_SAY_OVERLOADED, .why = why, .retry_after_ms = EDGE_RETRY_AFTER_MIN_MS};
    return false;
}

static bool refuse_for_room(const struct joiner *joiner, struct attempt_answer *ret_answer)
{
    (void)refuse(attempt_why_full, ret_answer);
    ret_answer->retry_after_ms = rate_wait_ms(&joiner->_rate, joiner_reads(joiner));
    return false;
}

/* The call that gathers behind the leader, a fresh one if need be; NULL when there is no room. */
static struct joiner_call *gathering_behind(struct joiner *joiner, struct joiner_call *leader,
                                            const struct joiner_question *question)
{
    struct joiner_call *call = leader->_gathering;
    if (call != NULL) {
        return call->_reads.count < joiner->_config.reads_per_call_max ? call : NULL;
    }
    call = take_call(joiner, question, leader->_hash);
    if (call != NULL) {
        call->_state = JOINER_GATHERING;
        call->_leader = leader;
        leader->_gathering = call;
    }
    return call;
}

/* Sends a read that nobody is ahead of. */
static bool send_alone(struct joiner *joiner, struct joiner_read *read,
                       const struct joiner_question *question, uint64_t hash,
                       struct attempt_answer *ret_answer)
{
    struct joiner_call *call = take_call(joiner, question, hash);
    if (call == NULL) {
        return refuse_for_room(joiner, ret_answer);
    }
    call->deadline_ns = read->deadline_ns;
    if (!start(joiner, call, ret_answer)) {
        free_call(joiner, call);
        return false;
    }
    enter(joiner, call, read);
    return true;
}

bool joiner_submit(struct joiner *joiner, struct joiner_read *read,
                   const struct joiner_question *question, struct attempt_answer *ret_answer)
{
    CHECK(read->_call == NULL && joiner_takes(question));
    if (unary_is_gone(joiner)) {
        return refuse(attempt_why_disconnected, ret_answer);
    }
    if (joiner->_by_deadline.count >= joiner->_config.reads_max) {
        return refuse_for_room(joiner, ret_answer);
    }
    uint64_t hash = hash_of(joiner, question);
    struct joiner_call *leader = find_leader(joiner, question, hash);
    if (leader == NULL) {
        return send_alone(joiner, read, question, hash, ret_answer);
    }
    struct joiner_call *call = gathering_behind(joiner, leader, question);
    if (call == NULL) {
        return refuse_for_room(joiner, ret_answer);
    }
    enter(joiner, call, read);
    return true;
}

void joiner_forget(struct joiner *joiner, struct joiner_read *read)
{
    if (read->_call != NULL) {
        leave(joiner, read);
    }
}

void joiner_stop(struct joiner *joiner, struct joiner_read *read, struct attempt_answer *ret_answer)
{
    CHECK(read->_call != NULL);
    leave(joiner, read);
    *ret_answer = attempt_tell_draining();
}

void joiner_complete(struct joiner *joiner, struct unary_call *sent, enum attempt_result result,
                     const void *detail)
{
    unary_complete(&joiner->_unary, sent, result, detail);
}

static void answer_late(struct joiner *joiner, int64_t now)
{
    struct attempt_answer late;
    (void)refuse(attempt_why_late, &late);
    struct list_link *link;
    while ((link = list_first(&joiner->_by_deadline)) != NULL &&
           read_of_deadline(link)->deadline_ns <= now) {
        struct joiner_read *read = read_of_deadline(link);
        leave(joiner, read);
        joiner->_port.answer(read, &late, joiner->_port.data);
    }
}

static void overtake(struct joiner *joiner, int64_t now)
{
    struct list_link *link;
    while ((link = list_first(&joiner->_leading)) != NULL &&
           call_of_link(link)->_overtaken_at_ns <= now) {
        go_on(joiner, end_to_lead(joiner, call_of_link(link)));
    }
}

void joiner_tick(struct joiner *joiner)
{
    int64_t now = now_ns(joiner);
    answer_late(joiner, now);
    overtake(joiner, now);
    unary_tick(&joiner->_unary);
}

int64_t joiner_next_due_ns(const struct joiner *joiner)
{
    int64_t due_ns = unary_next_due_ns(&joiner->_unary);
    const struct list_link *late = list_first(&joiner->_by_deadline);
    if (late != NULL) {
        int64_t late_ns = LIST_OBJECT(late, const struct joiner_read, _by_deadline)->deadline_ns;
        due_ns = late_ns < due_ns ? late_ns : due_ns;
    }
    const struct list_link *leading = list_first(&joiner->_leading);
    if (leading != NULL) {
        int64_t stuck_ns = LIST_OBJECT(leading, const struct joiner_call, _link)->_overtaken_at_ns;
        due_ns = stuck_ns < due_ns ? stuck_ns : due_ns;
    }
    return due_ns;
}

size_t joiner_calls(const struct joiner *joiner)
{
    return joiner->_config.calls_max - joiner->_free_calls.count;
}

size_t joiner_calls_in_flight(const struct joiner *joiner)
{
    return unary_calls_in_flight(&joiner->_unary);
}

size_t joiner_reads(const struct joiner *joiner)
{
    return joiner->_by_deadline.count;
}
