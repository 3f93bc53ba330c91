/*
 * What a caller may be told after an attempt: the rules of placed, refused or unknown, for anything
 * that is sent upstream.
 *
 * An attempt ends with a success, with a refusal that proves that nothing was done, or without a
 * proof. Without a proof the same thing is sent again until its deadline. Once any attempt ended
 * so, only a success may be reported: a refusal of a later attempt says nothing about the copy that
 * may still be under way. A pure state machine; one thread at a time.
 */
#ifndef EDGE_UPSTREAM_ATTEMPT_H
#define EDGE_UPSTREAM_ATTEMPT_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct contract_reason;
struct rpc_status;

/* How one attempt ended. */
enum attempt_result {
    ATTEMPT_DONE,
    ATTEMPT_REFUSED,          /* not done, and asking again now would be refused again */
    ATTEMPT_REFUSED_FOR_NOW,  /* not done, for a cause that passes: overload, no database */
    ATTEMPT_REFUSED_DRAINING, /* not done by this replica; another may do it */
    ATTEMPT_LOST,             /* no proof: done, not done, or yet to be done */
    ATTEMPT_LOST_FOR_GOOD,    /* likewise, and the same message again would be lost again */
};

/* What to do next. */
enum attempt_step {
    ATTEMPT_ANSWER,  /* tell the caller what the attempt said */
    ATTEMPT_UNKNOWN, /* tell the caller that nobody knows */
    ATTEMPT_RETRY,
};

struct attempt_history {
    bool unresolved; /* an attempt ended without a proof */
    uint8_t retries; /* after refusals that another replica might not give, or lost reads */
};

/* What a result means for something that may have an effect. */
enum attempt_step attempt_judge(struct attempt_history *history,
                                enum attempt_result result) MUST_CHECK;

/* The same for a read, which has none: one retry, then the answer is whatever came. */
enum attempt_step attempt_judge_read(struct attempt_history *history,
                                     enum attempt_result result) MUST_CHECK;

/*
 * What a status proves. Only an ErrorInfo of our own domain proves anything, and OUTCOME_UNKNOWN
 * proves nothing. RESOURCE_EXHAUSTED without one is how gRPC itself ends a call whose request or
 * reply is too long for one of the two sides, which is so each time. ret_reason, if not NULL, is
 * the reason that was read: NULL when there is none of ours, or one that this program does not
 * know.
 */
enum attempt_result attempt_result_of(const struct rpc_status *status,
                                      const struct contract_reason **ret_reason);

/* --- What the caller is told ---------------------------------------------------------------- */

enum attempt_verdict {
    ATTEMPT_SAY_DONE,       /* detail is the success */
    ATTEMPT_SAY_REFUSED,    /* detail is the refusal; surely not done */
    ATTEMPT_SAY_UNKNOWN,    /* perhaps done */
    ATTEMPT_SAY_OVERLOADED, /* surely not done: no room, no connection or no time */
    ATTEMPT_SAY_DRAINING,   /* surely not done: this program stops */
};

struct attempt_answer {
    enum attempt_verdict verdict;
    const void *detail;     /* of the result that led here; NULL for the last three */
    const char *why;        /* a static sentence for the last three; NULL for the others */
    int64_t retry_after_ms; /* 0: nothing better is known than the default */
};

/* What a caller is told of an attempt's own word: ATTEMPT_DONE is a success, the others are
 * refusals that were judged to be answers. detail is handed through. */
struct attempt_answer attempt_tell(enum attempt_result result, const void *detail);

/* Nobody knows; asking again makes sense once no copy can be under way any more. */
struct attempt_answer attempt_tell_unknown(void);

/* Nothing was done, because this program stops. */
struct attempt_answer attempt_tell_draining(void);

/* Static sentences for an answer's why. */
extern const char attempt_why_disconnected[];
extern const char attempt_why_full[];
extern const char attempt_why_sales_full[];
extern const char attempt_why_late[];
extern const char attempt_why_unknown[];

#endif
