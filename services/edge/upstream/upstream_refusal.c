#include "edge/upstream/upstream_refusal.h"

#include "log/log.h"

#define LOST_LOG_INTERVAL_MS 1000

enum attempt_result upstream_refusal_read(const struct rpc_status *status,
                                          struct upstream_refusal *ret_refusal)
{
    *ret_refusal = (struct upstream_refusal){.status = *status};
    return attempt_result_of(&ret_refusal->status, &ret_refusal->reason);
}

void upstream_refusal_log_lost(enum attempt_result result, const char *method,
                               const struct rpc_status *status)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOST_LOG_INTERVAL_MS);
    if (result == ATTEMPT_LOST || result == ATTEMPT_LOST_FOR_GOOD) {
        log_event_limited(&limit, LOG_WARN, "call_lost", LOG_STR("method", method),
                          LOG_INT("code", status->code), LOG_STR("message", status->message));
    }
}
