/*
 * Why a call, or one item of a batch, did not end well: what combiner, joiner and unary hand
 * through as the detail of everything but a success.
 */
#ifndef EDGE_UPSTREAM_UPSTREAM_REFUSAL_H
#define EDGE_UPSTREAM_UPSTREAM_REFUSAL_H

#include "base/check.h"
#include "edge/upstream/attempt.h"
#include "rpc/status.h"

struct contract_reason;

struct upstream_refusal {
    struct rpc_status status;             /* what it points to is its reply's or its arena's */
    const struct contract_reason *reason; /* of that status; NULL: none, or an unknown one */
};

/* What status proves, by the rules of attempt.h; *ret_refusal says the same to the caller. */
enum attempt_result upstream_refusal_read(const struct rpc_status *status,
                                          struct upstream_refusal *ret_refusal) MUST_CHECK;

/* Logs that a call of a method ended without a proof, if result says so; not more than once in a
 * while. Any thread. */
void upstream_refusal_log_lost(enum attempt_result result, const char *method,
                               const struct rpc_status *status);

#endif
