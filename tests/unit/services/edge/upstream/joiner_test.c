#include "edge/upstream/joiner.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS                 CLOCK_NS_PER_MS
#define REQUEST_MS         10000
#define PATIENCE_MS        500
#define PAUSE_MS           75
#define CALLS_MAX          4
#define READS_MAX          8
#define READS_PER_CALL_MAX 4
#define READS              16
#define SENT_MAX           64

/* What a call said when it was sent. */
struct sent {
    struct unary_call *unary;
    unsigned left; /* at this step of the long mix */
    char message[EDGE_JOINED_QUESTION_BYTES_MAX + 1];
    char request_id[JOINER_NAME_BYTES];
    bool has_authorization;
    char authorization[64];
    int64_t deadline_ns;
};

struct world {
    struct joiner joiner;
    int64_t now_ns;
    bool ready;
    bool reconnects; /* when it is not ready */
    struct sent sent[SENT_MAX];
    size_t sent_count;
    struct joiner_read reads[READS];
    struct attempt_answer told[READS];
    unsigned times[READS];
    size_t sent_when_told[READS];
    size_t forget_from;      /* when a read is told, those from here on are forgotten; 0: none */
    unsigned comings[READS]; /* the step at which each read came, in the long mix */
    unsigned step, returned_left; /* now, and when the call left that returns now */
    size_t submit_then; /* when a read is told, this one comes in with message "page"; 0: none */
};

static const int methods[2];

static int64_t world_now_ns(void *data)
{
    return ((const struct world *)data)->now_ns;
}

static bool world_is_ready(void *data)
{
    return ((const struct world *)data)->ready;
}

static bool world_is_gone(void *data)
{
    const struct world *world = data;
    return !world->ready && !world->reconnects;
}

static void world_send(const struct joiner_call *call, struct unary_call *unary, void *data)
{
    struct world *world = data;
    assert_true(world->sent_count < SENT_MAX);
    struct sent *sent = &world->sent[world->sent_count++];
    memset(sent, 0, sizeof(*sent));
    sent->unary = unary;
    sent->left = world->step;
    memcpy(sent->message, call->message, call->message_length);
    memcpy(sent->request_id, call->request_id, sizeof(sent->request_id));
    sent->has_authorization = call->authorization != NULL;
    if (sent->has_authorization) {
        strncpy(sent->authorization, call->authorization, sizeof(sent->authorization) - 1);
    }
    sent->deadline_ns = call->deadline_ns;
}

static bool submit(struct world *world, size_t index, const char *message,
                   struct attempt_answer *refusal);

static void world_answer(struct joiner_read *read, const struct attempt_answer *answer, void *data)
{
    struct world *world = data;
    size_t index = (size_t)(read - world->reads);
    struct attempt_answer refusal;
    world->told[index] = *answer;
    world->times[index]++;
    world->sent_when_told[index] = world->sent_count;
    if (answer->verdict == ATTEMPT_SAY_DONE) {
        assert_true(world->comings[index] <= world->returned_left);
    }
    for (size_t i = world->forget_from; i > 0 && i < READS; i++) {
        joiner_forget(&world->joiner, &world->reads[i]);
    }
    if (world->submit_then > 0) {
        assert_true(submit(world, world->submit_then, "page", &refusal));
        world->submit_then = 0;
    }
}

static void init(struct world *world, size_t chains)
{
    const struct joiner_config config = {
        .calls_max = CALLS_MAX,
        .reads_max = READS_MAX,
        .reads_per_call_max = READS_PER_CALL_MAX,
        .chains = chains,
        .patience_ms = PATIENCE_MS,
        .retry_pause_ms = PAUSE_MS,
        .secret = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)},
    };
    const struct joiner_port port = {world_now_ns, world_is_ready, world_is_gone,
                                     world_send,   world_answer,   world};
    assert_int_equal(joiner_init(&world->joiner, &config, &port), 0);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->now_ns = 1000 * CLOCK_NS_PER_SECOND;
    world->ready = true;
    init(world, CALLS_MAX);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    joiner_fini(&world->joiner);
    free(world);
    return 0;
}

static bool ask(struct world *world, size_t index, const void *method, const char *message,
                const char *authorization, struct attempt_answer *refusal)
{
    char request_id[32];
    (void)snprintf(request_id, sizeof(request_id), "request-%zu", index);
    const struct joiner_question question = {
        .method = method,
        .message = (const uint8_t *)message,
        .message_length = strlen(message),
        .authorization = authorization,
        .request_id = request_id,
        .traceparent = "trace",
    };
    struct joiner_read *read = &world->reads[index];
    memset(read, 0, sizeof(*read));
    read->deadline_ns = world->now_ns + REQUEST_MS * MS;
    assert_true(joiner_takes(&question));
    return joiner_submit(&world->joiner, read, &question, refusal);
}

static bool submit(struct world *world, size_t index, const char *message,
                   struct attempt_answer *refusal)
{
    return ask(world, index, &methods[0], message, NULL, refusal);
}

static void start(struct world *world, size_t index, const char *message)
{
    struct attempt_answer refusal;
    assert_true(submit(world, index, message, &refusal));
}

static void complete(struct world *world, size_t sent, enum attempt_result result)
{
    static const int details[SENT_MAX];
    joiner_complete(&world->joiner, world->sent[sent].unary, result, &details[sent]);
}

static void pass(struct world *world, int64_t ms)
{
    world->now_ns += ms * MS;
    joiner_tick(&world->joiner);
}

static void assert_told(const struct world *world, size_t index, enum attempt_verdict verdict)
{
    assert_int_equal(world->times[index], 1);
    assert_int_equal(world->told[index].verdict, verdict);
}

static void assert_empty(const struct world *world)
{
    assert_int_equal(joiner_calls(&world->joiner), 0);
    assert_int_equal(joiner_calls_in_flight(&world->joiner), 0);
    assert_int_equal(joiner_reads(&world->joiner), 0);
    assert_int_equal(joiner_next_due_ns(&world->joiner), CLOCK_DEADLINE_NEVER);
}

/* A lone read must not pay for the crowd's sake. */
static void joiner_lone_read_leaves_at_once(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    assert_int_equal(world->sent_count, 1);
    assert_string_equal(world->sent[0].message, "page");
    complete(world, 0, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_false(world->reads[0].has_company);
    assert_empty(world);
}

/* The rule that keeps read-your-writes: who comes while a call is in flight never gets its answer,
 * but that of the next, which leaves when it has returned; and all of them share that one. */
static void joiner_reads_during_a_call_share_the_next(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    start(world, 2, "page");
    start(world, 3, "page");
    assert_int_equal(world->sent_count, 1);
    complete(world, 0, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_int_equal(world->times[1] + world->times[2] + world->times[3], 0);
    assert_int_equal(world->sent_count, 2);
    assert_string_equal(world->sent[1].request_id, "request-1");
    complete(world, 1, ATTEMPT_DONE);
    for (size_t i = 1; i <= 3; i++) {
        assert_told(world, i, ATTEMPT_SAY_DONE);
        assert_ptr_equal(world->told[i].detail, world->told[1].detail);
        assert_ptr_not_equal(world->told[i].detail, world->told[0].detail);
        assert_true(world->reads[i].has_company);
    }
    assert_empty(world);
}

/* The orders service works on the next call while the edge writes the answers of the last. */
static void joiner_next_call_leaves_before_the_answers(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    complete(world, 0, ATTEMPT_DONE);
    assert_int_equal(world->sent_when_told[0], 2);
}

/* Another page, another caller's credentials, another method: nothing of it may be mixed up. */
static void joiner_different_questions_go_apart(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    assert_true(ask(world, 0, &methods[0], "page", NULL, &refusal));
    assert_true(ask(world, 1, &methods[0], "pagf", NULL, &refusal));
    assert_true(ask(world, 2, &methods[1], "page", NULL, &refusal));
    assert_true(ask(world, 3, &methods[0], "page", "", &refusal));
    assert_int_equal(world->sent_count, 4);
    assert_false(world->sent[0].has_authorization);
    assert_true(world->sent[3].has_authorization);
    assert_int_equal(joiner_calls(&world->joiner), 4);
}

/* The bytes of the message must not run into those of the credentials. */
static void joiner_credentials_are_part_of_the_question(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    assert_true(ask(world, 0, &methods[0], "page", "Bearer a", &refusal));
    assert_true(ask(world, 1, &methods[0], "page", "Bearer b", &refusal));
    assert_true(ask(world, 2, &methods[0], "pageB", "earer a", &refusal));
    assert_int_equal(world->sent_count, 3);
    assert_true(ask(world, 3, &methods[0], "page", "Bearer a", &refusal));
    assert_int_equal(world->sent_count, 3);
    complete(world, 0, ATTEMPT_DONE);
    assert_int_equal(world->sent_count, 4);
    assert_string_equal(world->sent[3].authorization, "Bearer a");
}

/* Strangers choose what is asked: questions in one chain stay apart, and leave it in any order. */
static void joiner_questions_in_one_chain_stay_apart(void **state)
{
    struct world *world = *state;
    joiner_fini(&world->joiner);
    init(world, 1);
    start(world, 0, "a");
    start(world, 1, "b");
    start(world, 2, "c");
    assert_int_equal(world->sent_count, 3);
    start(world, 3, "b");
    assert_int_equal(world->sent_count, 3);
    complete(world, 1, ATTEMPT_DONE);
    assert_string_equal(world->sent[3].message, "b");
    complete(world, 2, ATTEMPT_DONE);
    complete(world, 0, ATTEMPT_DONE);
    complete(world, 3, ATTEMPT_DONE);
    for (size_t i = 0; i < 4; i++) {
        assert_told(world, i, ATTEMPT_SAY_DONE);
    }
    assert_empty(world);
}

/* What is too long to be kept and compared goes its own way. */
static void joiner_long_questions_are_not_taken(void **state)
{
    static const uint8_t message[EDGE_JOINED_QUESTION_BYTES_MAX + 1];
    char name[JOINER_NAME_BYTES + 1] = "";
    (void)state;
    struct joiner_question question = {.method = methods,
                                       .message = message,
                                       .message_length = EDGE_JOINED_QUESTION_BYTES_MAX,
                                       .request_id = "r",
                                       .traceparent = "t"};
    assert_true(joiner_takes(&question));
    question.authorization = "";
    assert_false(joiner_takes(&question));
    question.message_length--;
    assert_true(joiner_takes(&question));
    question.authorization = "x";
    assert_false(joiner_takes(&question));
    question.authorization = NULL;
    question.message_length += 2;
    assert_false(joiner_takes(&question));
    question.message_length = 1;
    memset(name, 'n', JOINER_NAME_BYTES);
    question.request_id = name;
    assert_false(joiner_takes(&question));
    name[JOINER_NAME_BYTES - 1] = '\0';
    assert_true(joiner_takes(&question));
}

/* Each request has its own time: one that is over is told, the others get the answer. */
static void joiner_late_read_does_not_stop_the_others(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    pass(world, REQUEST_MS - 100);
    start(world, 1, "page"); /* the first has been overtaken: leaves */
    start(world, 2, "page"); /* gathers behind it */
    pass(world, 100);
    assert_told(world, 0, ATTEMPT_SAY_OVERLOADED);
    assert_true(world->told[0].retry_after_ms > 0);
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 1, ATTEMPT_SAY_DONE);
    complete(world, 2, ATTEMPT_DONE);
    assert_told(world, 2, ATTEMPT_SAY_DONE);
}

/* A call is waited for as long as the last of its reads may be. */
static void joiner_call_has_the_latest_deadline_of_its_reads(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    world->now_ns += 100 * MS;
    start(world, 2, "page");
    complete(world, 0, ATTEMPT_DONE);
    assert_true(world->sent[1].deadline_ns == world->reads[2].deadline_ns);
    assert_true(world->sent[1].deadline_ns > world->reads[1].deadline_ns);
}

/* Nothing returns at all: everyone is told in time, and the call's end finds nobody. */
static void joiner_silence_is_told_when_it_is_late(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    for (int i = 0; i < REQUEST_MS / PATIENCE_MS + 1; i++) {
        pass(world, PATIENCE_MS);
    }
    assert_told(world, 0, ATTEMPT_SAY_OVERLOADED);
    assert_told(world, 1, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(joiner_reads(&world->joiner), 0);
    assert_int_equal(world->sent_count, 2);
    memset(world->reads, 0xee, sizeof(world->reads));
    complete(world, 0, ATTEMPT_DONE);
    complete(world, 1, ATTEMPT_DONE);
    assert_empty(world);
}

/* One replica is stuck: those who came after its call do not wait for it longer than a moment. */
static void joiner_stuck_call_is_overtaken(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    assert_true(joiner_next_due_ns(&world->joiner) <= world->now_ns + PATIENCE_MS * MS);
    pass(world, PATIENCE_MS - 1);
    assert_int_equal(world->sent_count, 1);
    pass(world, 1);
    assert_int_equal(world->sent_count, 2);
    start(world, 2, "page");
    assert_int_equal(world->sent_count, 2);
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 1, ATTEMPT_SAY_DONE);
    assert_int_equal(world->times[0], 0);
    complete(world, 0, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_int_equal(world->sent_count, 3);
    complete(world, 2, ATTEMPT_DONE);
    assert_told(world, 2, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* A client that leaves must leave no pointer behind, wherever its read is. */
static void joiner_forgotten_reads_are_dropped(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    start(world, 2, "page");
    joiner_forget(&world->joiner, &world->reads[0]);
    joiner_forget(&world->joiner, &world->reads[1]);
    joiner_forget(&world->joiner, &world->reads[1]);
    memset(&world->reads[0], 0xee, 2 * sizeof(world->reads[0]));
    complete(world, 0, ATTEMPT_DONE);
    assert_int_equal(world->sent_count, 2);
    assert_string_equal(world->sent[1].request_id, "request-1");
    complete(world, 1, ATTEMPT_DONE);
    assert_int_equal(world->times[0] + world->times[1], 0);
    assert_told(world, 2, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* A call whose readers are all gone still holds its question: the next of them waits for it, as for
 * any other. One that only gathered has nothing to go for. */
static void joiner_last_read_that_leaves_ends_only_what_gathers(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    assert_int_equal(joiner_calls(&world->joiner), 2);
    joiner_forget(&world->joiner, &world->reads[1]);
    assert_int_equal(joiner_calls(&world->joiner), 1);
    joiner_forget(&world->joiner, &world->reads[0]);
    assert_int_equal(joiner_calls(&world->joiner), 1);
    start(world, 2, "page");
    assert_int_equal(world->sent_count, 1);
    complete(world, 0, ATTEMPT_DONE);
    assert_int_equal(world->sent_count, 2);
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 2, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* Writing an answer may close other connections; their reads are then gone from under the joiner.
 */
static void joiner_reads_forgotten_while_answering_are_left_out(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < 4; i++) {
        start(world, i, "page");
    }
    complete(world, 0, ATTEMPT_DONE);
    world->forget_from = 2;
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 1, ATTEMPT_SAY_DONE);
    assert_int_equal(world->times[2] + world->times[3], 0);
    assert_empty(world);
}

/* A read that comes in while answers are written was not there before: it gets a call of its own or
 * joins one that leaves later. */
static void joiner_read_that_comes_while_answering_waits_for_the_next(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    world->submit_then = 5;
    complete(world, 0, ATTEMPT_DONE);
    assert_int_equal(world->sent_count, 2);
    assert_int_equal(world->times[5], 0);
    start(world, 1, "page");
    world->submit_then = 6;
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 5, ATTEMPT_SAY_DONE);
    assert_int_equal(world->sent_count, 3);
    complete(world, 2, ATTEMPT_DONE);
    assert_told(world, 1, ATTEMPT_SAY_DONE);
    assert_int_equal(world->times[6], 0);
    complete(world, 3, ATTEMPT_DONE);
    assert_told(world, 6, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* A lost call is tried once more for all of its reads, with what the first of them asked, though
 * that one has gone. */
static void joiner_lost_call_is_tried_once_more_for_all(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    for (size_t i = 1; i < 4; i++) {
        start(world, i, "page");
    }
    complete(world, 0, ATTEMPT_DONE);
    complete(world, 1, ATTEMPT_LOST);
    joiner_forget(&world->joiner, &world->reads[1]);
    memset(&world->reads[1], 0xee, sizeof(world->reads[1]));
    start(world, 4, "page");
    assert_int_equal(world->sent_count, 2);
    pass(world, PAUSE_MS);
    assert_int_equal(world->sent_count, 3);
    assert_string_equal(world->sent[2].message, "page");
    assert_string_equal(world->sent[2].request_id, "request-1");
    complete(world, 2, ATTEMPT_LOST);
    assert_told(world, 2, ATTEMPT_SAY_REFUSED);
    assert_told(world, 3, ATTEMPT_SAY_REFUSED);
    assert_int_equal(world->sent_count, 4);
    complete(world, 3, ATTEMPT_DONE);
    assert_told(world, 4, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* A refusal is an answer like any other: SALE_NOT_FOUND for one is so for all. */
static void joiner_refusal_is_told_to_all(void **state)
{
    struct world *world = *state;
    start(world, 0, "page");
    start(world, 1, "page");
    start(world, 2, "page");
    complete(world, 0, ATTEMPT_REFUSED);
    complete(world, 1, ATTEMPT_REFUSED);
    for (size_t i = 0; i < 3; i++) {
        assert_told(world, i, ATTEMPT_SAY_REFUSED);
    }
    assert_empty(world);
}

/* Without a connection nobody waits: neither who comes, nor who gathered behind a lost call. */
static void joiner_no_connection_is_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    start(world, 0, "page");
    start(world, 1, "page");
    world->ready = false;
    assert_false(submit(world, 2, "page", &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_false(submit(world, 3, "other", &refusal));
    complete(world, 0, ATTEMPT_LOST);
    pass(world, PAUSE_MS);
    assert_told(world, 0, ATTEMPT_SAY_OVERLOADED);
    assert_told(world, 1, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(world->sent_count, 1);
    assert_empty(world);
}

/* A connection that is back in a moment refuses nobody, and one call is enough for all. */
static void joiner_connection_that_comes_back_refuses_nothing(void **state)
{
    struct world *world = *state;
    world->ready = false;
    world->reconnects = true;
    start(world, 0, "page");
    start(world, 1, "page");
    pass(world, PAUSE_MS);
    assert_int_equal(world->sent_count, 0);
    world->ready = true;
    joiner_tick(&world->joiner);
    assert_int_equal(world->sent_count, 1);
    complete(world, 0, ATTEMPT_DONE);
    complete(world, 1, ATTEMPT_DONE);
    assert_told(world, 0, ATTEMPT_SAY_DONE);
    assert_told(world, 1, ATTEMPT_SAY_DONE);
}

/* Who finds no room is told how long the reads before it take: one was answered in two seconds, and
 * four wait. */
static void joiner_full_tells_how_long_reads_take(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    start(world, 0, "a");
    start(world, 1, "b");
    start(world, 2, "c");
    start(world, 3, "d");
    pass(world, 2000);
    complete(world, 0, ATTEMPT_DONE);
    start(world, 4, "e");
    assert_false(submit(world, 5, "f", &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_int_equal(refusal.retry_after_ms, 8000);
    for (size_t i = 1; i < 5; i++) {
        complete(world, i, ATTEMPT_DONE);
    }
    assert_empty(world);
}

/* Every bound refuses who comes too many, and nobody else: questions, */
static void joiner_too_many_questions_are_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    start(world, 0, "a");
    start(world, 1, "b");
    start(world, 2, "c");
    start(world, 3, "d");
    assert_false(submit(world, 4, "e", &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_true(refusal.retry_after_ms > 0);
    assert_false(submit(world, 4, "a", &refusal));
    complete(world, 0, ATTEMPT_DONE);
    assert_true(submit(world, 4, "b", &refusal));
    assert_int_equal(joiner_calls(&world->joiner), CALLS_MAX);
}

/* readers of one page, */
static void joiner_too_many_reads_of_one_call_are_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    start(world, 0, "a");
    for (size_t i = 1; i <= READS_PER_CALL_MAX; i++) {
        start(world, i, "a");
    }
    assert_false(submit(world, 6, "a", &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    assert_true(submit(world, 6, "b", &refusal));
}

/* and readers in all. */
static void joiner_too_many_reads_are_refused(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    start(world, 0, "a");
    start(world, 1, "a");
    start(world, 2, "a");
    start(world, 3, "a");
    start(world, 4, "b");
    start(world, 5, "b");
    start(world, 6, "b");
    start(world, 7, "b");
    assert_int_equal(joiner_reads(&world->joiner), READS_MAX);
    assert_false(submit(world, 8, "b", &refusal));
    joiner_forget(&world->joiner, &world->reads[7]);
    assert_true(submit(world, 8, "b", &refusal));
}

/* A call that nobody waits for takes its slot until it is back: the port counts on that. Who
 * gathered and finds no slot is refused, not lost. */
static void joiner_calls_that_are_owed_keep_their_slots(void **state)
{
    struct world *world = *state;
    struct attempt_answer refusal;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        start(world, i, "page");
        joiner_forget(&world->joiner, &world->reads[i]);
        pass(world, REQUEST_MS);
    }
    assert_int_equal(world->sent_count, CALLS_MAX);
    assert_int_equal(joiner_calls_in_flight(&world->joiner), CALLS_MAX);
    assert_false(submit(world, 8, "page", &refusal));
    assert_int_equal(refusal.verdict, ATTEMPT_SAY_OVERLOADED);
    complete(world, 0, ATTEMPT_DONE);
    assert_true(submit(world, 8, "page", &refusal));
    for (size_t i = 1; i <= CALLS_MAX; i++) {
        complete(world, i, ATTEMPT_DONE);
    }
    assert_told(world, 8, ATTEMPT_SAY_DONE);
    assert_empty(world);
}

/* The end of a drain: a read has no effect, so it is simply not done. */
static void joiner_stop_says_draining(void **state)
{
    struct world *world = *state;
    struct attempt_answer answer;
    start(world, 0, "page");
    start(world, 1, "page");
    joiner_stop(&world->joiner, &world->reads[0], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_DRAINING);
    joiner_stop(&world->joiner, &world->reads[1], &answer);
    assert_int_equal(answer.verdict, ATTEMPT_SAY_DRAINING);
    complete(world, 0, ATTEMPT_DONE);
    assert_empty(world);
}

/* The next number of a small generator; good enough to mix steps. */
static unsigned next(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*random >> 33);
}

/* Whatever the order of things: nobody is told twice, nobody gets an answer of a call that left
 * before the read came, nobody is forgotten, and nothing is left at the end. */
static void joiner_any_order_of_events_keeps_its_rules(void **state)
{
    static const char *const pages[] = {"a", "b", "c"};
    struct world *world = *state;
    uint64_t random = 42;
    for (world->step = 1; world->step < 200000; world->step++) {
        struct attempt_answer refusal;
        size_t index = next(&random) % READS;
        bool is_inside = world->reads[index]._call != NULL;
        unsigned what = next(&random) % 8;
        if (what < 3 && !is_inside) {
            world->times[index] = 0;
            world->comings[index] = world->step;
            (void)submit(world, index, pages[next(&random) % 3], &refusal);
        } else if (what == 3) {
            joiner_forget(&world->joiner, &world->reads[index]);
        } else if (what < 7 && world->sent_count > 0) {
            size_t sent = next(&random) % world->sent_count;
            struct sent returned = world->sent[sent];
            world->sent[sent] = world->sent[--world->sent_count];
            world->returned_left = returned.left;
            unsigned how = next(&random) % 4;
            joiner_complete(&world->joiner, returned.unary,
                            how == 0   ? ATTEMPT_LOST
                            : how == 1 ? ATTEMPT_REFUSED_DRAINING
                                       : ATTEMPT_DONE,
                            returned.message);
        } else {
            pass(world, next(&random) % 200);
        }
        for (size_t i = 0; i < READS; i++) {
            assert_true(world->times[i] <= 1);
        }
        assert_true(joiner_reads(&world->joiner) <= READS_MAX);
        assert_true(joiner_calls(&world->joiner) <= CALLS_MAX);
    }
    for (size_t i = 0; i < READS; i++) {
        joiner_forget(&world->joiner, &world->reads[i]);
    }
    while (world->sent_count > 0) {
        struct unary_call *unary = world->sent[--world->sent_count].unary;
        joiner_complete(&world->joiner, unary, ATTEMPT_DONE, NULL);
    }
    pass(world, REQUEST_MS);
    assert_empty(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(joiner_lone_read_leaves_at_once),
        TEST(joiner_reads_during_a_call_share_the_next),
        TEST(joiner_next_call_leaves_before_the_answers),
        TEST(joiner_different_questions_go_apart),
        TEST(joiner_credentials_are_part_of_the_question),
        TEST(joiner_questions_in_one_chain_stay_apart),
        TEST(joiner_long_questions_are_not_taken),
        TEST(joiner_late_read_does_not_stop_the_others),
        TEST(joiner_call_has_the_latest_deadline_of_its_reads),
        TEST(joiner_silence_is_told_when_it_is_late),
        TEST(joiner_stuck_call_is_overtaken),
        TEST(joiner_forgotten_reads_are_dropped),
        TEST(joiner_last_read_that_leaves_ends_only_what_gathers),
        TEST(joiner_reads_forgotten_while_answering_are_left_out),
        TEST(joiner_read_that_comes_while_answering_waits_for_the_next),
        TEST(joiner_lost_call_is_tried_once_more_for_all),
        TEST(joiner_refusal_is_told_to_all),
        TEST(joiner_no_connection_is_refused),
        TEST(joiner_connection_that_comes_back_refuses_nothing),
        TEST(joiner_full_tells_how_long_reads_take),
        TEST(joiner_too_many_questions_are_refused),
        TEST(joiner_too_many_reads_of_one_call_are_refused),
        TEST(joiner_too_many_reads_are_refused),
        TEST(joiner_calls_that_are_owed_keep_their_slots),
        TEST(joiner_stop_says_draining),
        TEST(joiner_any_order_of_events_keeps_its_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
