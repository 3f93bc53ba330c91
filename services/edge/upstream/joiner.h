/*
 * The read joiner: identical reads that wait at the same time share one call.
 *
 * While a call is in flight, further reads that ask the same (same method, same message, same
 * credentials) gather; when it returns, one call leaves for all of them. So a lone read leaves at
 * once and waits for nobody, and a crowd that reloads one page costs one call after the other, each
 * for as many as came during the one before.
 *
 * A read never shares a call that left before it came, though its answer would be there sooner:
 *
 *     reader A's call leaves; the sale is read at version 5
 *     customer B's order is committed (version 6) and B is told so
 *     B reloads the page while A's answer is still on its way
 *
 * With A's answer B would not see the own order. B's call leaves after B asked, so what it reads is
 * not older than anything that B was told: everyone reads their own writes, and one connection
 * never sees a version go back.
 *
 *               submit                                     complete
 *     (nobody) ─────────▶ IN_FLIGHT, leads its question ─────────────────▶ answers its reads
 *                          │                      │                          ▲
 *                submit    ▼                      │ not back in patience_ms  │ complete
 *                       GATHERING ───────┐        ▼                          │
 *                          goes in flight when   OVERTAKEN: holds nobody up ─┘
 *                          its leader stops to lead
 *
 * A question has one call that leads and one that gathers; a call that a stuck replica keeps is
 * overtaken, so that those who came after it need not share its fate. Each read has its own
 * deadline and may leave at any time; a call in flight goes on without its reads, one that gathers
 * ends with its last. What a call's end means is judged by unary.h, once for all of its reads.
 *
 * A pure state machine, like the combiner; nothing allocates after init. One thread.
 */
#ifndef EDGE_UPSTREAM_JOINER_H
#define EDGE_UPSTREAM_JOINER_H

#include "base/check.h"
#include "base/list.h"
#include "edge/limits.h"
#include "edge/upstream/attempt.h"
#include "edge/upstream/rate.h"
#include "edge/upstream/unary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request id or a traceparent with its end. */
#define JOINER_NAME_BYTES 136

/* What is asked; borrowed. Two are the same when the first four members are. */
struct joiner_question {
    const void *method; /* whose; compared as a pointer */
    const uint8_t *message;
    size_t message_length;
    const char *authorization; /* NULL: none, which is not the same as an empty one */
    const char *request_id;    /* of who asks; the call has those of the first */
    const char *traceparent;
};

enum joiner_state {
    JOINER_FREE,
    JOINER_GATHERING,
    JOINER_IN_FLIGHT,
    JOINER_OVERTAKEN,
};

/* A call for all who ask the same. The sender reads the first part. */
struct joiner_call {
    const void *method;
    size_t message_length;
    const char *authorization; /* NULL: none */
    int64_t deadline_ns;       /* the latest of its reads */
    char request_id[JOINER_NAME_BYTES];
    char traceparent[JOINER_NAME_BYTES];
    uint8_t message[EDGE_JOINED_QUESTION_BYTES_MAX]; /* the credentials lie behind it */

    enum joiner_state _state;
    struct unary_request _request;
    struct list _reads;
    struct list_link _link;         /* on the free list, or on the list of those that lead */
    uint64_t _hash;                 /* of the question */
    struct joiner_call *_next;      /* in the chain, while it leads */
    struct joiner_call *_gathering; /* while it leads: the next of its question, or NULL */
    struct joiner_call *_leader;    /* while it gathers */
    int64_t _overtaken_at_ns;       /* while it leads */
};

/* One read; embedded in its owner, who sets the first member and zeroes the rest. */
struct joiner_read {
    int64_t deadline_ns; /* monotonic; the caller is answered by then */
    bool has_company;    /* set for the answer: others get the same one, in the same go */

    struct joiner_call *_call; /* NULL: outside */
    struct list_link _link;    /* in the call */
    struct list_link _by_deadline;
};

/* What the joiner needs; all members on its thread, none may block. */
struct joiner_port {
    int64_t (*now_ns)(void *data);
    /* Whether a call that is sent now will leave. */
    bool (*is_ready)(void *data);
    /* Whether it is not worth waiting for that. Never while it is ready. */
    bool (*is_gone)(void *data);
    /* Starts the call; the sender owes one joiner_complete with sent, later. The call may be gone
     * and another by then. */
    void (*send)(const struct joiner_call *call, struct unary_call *sent, void *data);
    /* Tells a read its fate; it is outside then and may be freed. Reads may come in from here, and
     * others may be forgotten. */
    void (*answer)(struct joiner_read *read, const struct attempt_answer *answer, void *data);
    void *data;
};

/* Bounds; limits.h has the program's. */
struct joiner_config {
    size_t calls_max;          /* in flight and gathering */
    size_t reads_max;          /* in all of them */
    size_t reads_per_call_max; /* in one */
    size_t chains;             /* a power of two */
    int64_t patience_ms;       /* how long a call may keep the next of its question waiting */
    int64_t retry_pause_ms;
    uint64_t secret[2]; /* random: strangers choose the questions */
};

struct joiner {
    struct joiner_config _config;
    struct joiner_port _port;
    struct unary _unary;
    struct joiner_call *_calls;
    struct joiner_call **_chains; /* of the calls that lead, by question */
    struct list _free_calls;
    struct list _leading; /* by the time at which they are overtaken */
    struct list _by_deadline;
    struct rate _rate; /* of reads that were answered */
};

/* The port is copied. Errors: -ENOMEM. */
int joiner_init(struct joiner *joiner, const struct joiner_config *config,
                const struct joiner_port *port) MUST_CHECK;

/* Reads and calls may still be inside; they are forgotten. A zeroed joiner is fine. */
void joiner_fini(struct joiner *joiner);

/* Whether a question is short enough to be kept and compared; one that is not goes alone. */
bool joiner_takes(const struct joiner_question *question);

/*
 * Takes in a read whose question joiner_takes, and sends its call unless one like it is in flight.
 * False when it is refused (no connection, no room): then *ret_answer says why, where there is no
 * room how long the reads before it will take, and the read is outside. Calls the port's send,
 * never its answer.
 */
bool joiner_submit(struct joiner *joiner, struct joiner_read *read,
                   const struct joiner_question *question,
                   struct attempt_answer *ret_answer) MUST_CHECK;

/* The owner goes away: the read leaves without an answer. One that is outside is fine. */
void joiner_forget(struct joiner *joiner, struct joiner_read *read);

/* The program stops: the read leaves, and *ret_answer says what may be told. It must be inside. */
void joiner_stop(struct joiner *joiner, struct joiner_read *read,
                 struct attempt_answer *ret_answer);

/* A call has returned. The next of its question leaves first, then its reads are answered; detail
 * is handed through to each. */
void joiner_complete(struct joiner *joiner, struct unary_call *sent, enum attempt_result result,
                     const void *detail);

/* Answers what is late, lets what is stuck be overtaken, sends again what has paused. Once a loop
 * round. */
void joiner_tick(struct joiner *joiner);

/* When the next tick is due by itself, monotonic; CLOCK_DEADLINE_NEVER when there is nothing. */
int64_t joiner_next_due_ns(const struct joiner *joiner);

/* Calls in flight or gathering, those that the sender still owes included; reads inside. */
size_t joiner_calls(const struct joiner *joiner);
size_t joiner_calls_in_flight(const struct joiner *joiner);
size_t joiner_reads(const struct joiner *joiner);

#endif
