#include "edge/upstream/attempt.h"

#include "contract/contract.h"
#include "edge/limits.h"
#include "rpc/status.h"
#include "stampede/api/v1/reason.pb-c.h"

#include <stddef.h>
#include <string.h>

#define READ_RETRIES_MAX 1

const char attempt_why_disconnected[] = "The orders service cannot be reached; nothing was sent.";
const char attempt_why_full[] = "Too many requests are waiting; nothing was sent.";
const char attempt_why_sales_full[] =
    "Orders of too many different sales are waiting; nothing was sent.";
const char attempt_why_late[] = "The orders service did not answer in time.";
const char attempt_why_unknown[] =
    "Whether this was done is not known yet; ask again with the same key.";

static const char why_draining[] = "This edge is stopping; nothing was done.";

enum attempt_step attempt_judge(struct attempt_history *history, enum attempt_result result)
{
    switch (result) {
    case ATTEMPT_DONE:
        return ATTEMPT_ANSWER;
    case ATTEMPT_LOST:
        history->unresolved = true;
        return ATTEMPT_RETRY;
    case ATTEMPT_LOST_FOR_GOOD:
        history->unresolved = true;
        return ATTEMPT_UNKNOWN;
    case ATTEMPT_REFUSED:
        return history->unresolved ? ATTEMPT_UNKNOWN : ATTEMPT_ANSWER;
    case ATTEMPT_REFUSED_FOR_NOW:
        return history->unresolved ? ATTEMPT_RETRY : ATTEMPT_ANSWER;
    case ATTEMPT_REFUSED_DRAINING:
        if (history->unresolved) {
            return ATTEMPT_RETRY;
        }
        history->retries++;
        return history->retries <= EDGE_DRAINING_RETRIES_MAX ? ATTEMPT_RETRY : ATTEMPT_ANSWER;
    }
    UNREACHABLE("every result is judged");
}

enum attempt_step attempt_judge_read(struct attempt_history *history, enum attempt_result result)
{
    if (result != ATTEMPT_LOST && result != ATTEMPT_REFUSED_DRAINING) {
        return ATTEMPT_ANSWER;
    }
    history->retries++;
    return history->retries <= READ_RETRIES_MAX ? ATTEMPT_RETRY : ATTEMPT_ANSWER;
}

/* What a reason of ours proves; NULL: one that this program does not know. */
static enum attempt_result result_of_reason(const struct contract_reason *reason)
{
    switch (reason == NULL ? STAMPEDE__API__V1__REASON__REASON_UNSPECIFIED : reason->number) {
    case STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN:
        return ATTEMPT_LOST;
    case STAMPEDE__API__V1__REASON__OVERLOADED:
    case STAMPEDE__API__V1__REASON__DATABASE_UNAVAILABLE:
        return ATTEMPT_REFUSED_FOR_NOW;
    case STAMPEDE__API__V1__REASON__DRAINING:
        return ATTEMPT_REFUSED_DRAINING;
    default:
        return ATTEMPT_REFUSED;
    }
}

enum attempt_result attempt_result_of(const struct rpc_status *status,
                                      const struct contract_reason **ret_reason)
{
    if (ret_reason != NULL) {
        *ret_reason = NULL;
    }
    if (status->code == RPC_OK) {
        return ATTEMPT_DONE;
    }
    if (status->reason == NULL || status->domain == NULL ||
        strcmp(status->domain, CONTRACT_ERROR_DOMAIN) != 0) {
        return status->code == RPC_RESOURCE_EXHAUSTED ? ATTEMPT_LOST_FOR_GOOD : ATTEMPT_LOST;
    }
    const struct contract_reason *reason = contract_reason_by_name(status->reason);
    if (ret_reason != NULL) {
        *ret_reason = reason;
    }
    return result_of_reason(reason);
}

struct attempt_answer attempt_tell(enum attempt_result result, const void *detail)
{
    return (struct attempt_answer){
        .verdict = result == ATTEMPT_DONE ? ATTEMPT_SAY_DONE : ATTEMPT_SAY_REFUSED,
        .detail = detail,
    };
}

struct attempt_answer attempt_tell_unknown(void)
{
    return (struct attempt_answer){.verdict = ATTEMPT_SAY_UNKNOWN,
                                   .why = attempt_why_unknown,
                                   .retry_after_ms = EDGE_ATTEMPT_LIFE_MS};
}

struct attempt_answer attempt_tell_draining(void)
{
    return (struct attempt_answer){.verdict = ATTEMPT_SAY_DRAINING, .why = why_draining};
}
