#include "checks.h"

#include "base/clock.h"
#include "drain.h"
#include "duties.h"
#include "limits.h"
#include "orders/lanes/workers.h"
#include "pool_view.h"
#include "rpc/server.h"

#include <inttypes.h>
#include <stdio.h>

/* --- Readiness ------------------------------------------------------------------------------- */

static bool is_database_ready(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct checks *checks = data;
    return pool_view_explain(checks->pool_view, ret_reason, reason_bytes);
}

static bool is_not_draining(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct checks *checks = data;
    if (!drain_has_begun(checks->drain)) {
        return true;
    }
    snprintf(ret_reason, reason_bytes, "draining for %" PRId64 " ms",
             drain_elapsed_ms(checks->drain));
    return false;
}

/* --- Liveness -------------------------------------------------------------------------------- */

static bool is_turning(int64_t turn_ns, int64_t turn_ms_max, char *ret_reason, size_t reason_bytes)
{
    if (turn_ns <= turn_ms_max * CLOCK_NS_PER_MS) {
        return true;
    }
    snprintf(ret_reason, reason_bytes, "no turn for %" PRId64 " s", turn_ns / CLOCK_NS_PER_SECOND);
    return false;
}

static bool are_workers_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct checks *checks = data;
    return is_turning(workers_stats(checks->workers).longest_turn_ns, LIMITS_WORKER_TURN_MS,
                      ret_reason, reason_bytes);
}

static bool is_janitor_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct checks *checks = data;
    return is_turning(duties_turn_ns(checks->duties), LIMITS_JANITOR_TURN_MS, ret_reason,
                      reason_bytes);
}

/* Whether the threads that take calls in and send replies turn. */
static bool is_server_turning(void *data, char *ret_reason, size_t reason_bytes)
{
    const struct checks *checks = data;
    return is_turning(rpc_server_turn_ns(checks->server), LIMITS_RPC_TURN_MS, ret_reason,
                      reason_bytes);
}

/* --- The lists ------------------------------------------------------------------------------- */

void checks_list(struct checks *checks, struct ops_check ret_ready[CHECKS_READY],
                 struct ops_check ret_live[CHECKS_LIVE])
{
    ret_ready[0] = (struct ops_check){"database", is_database_ready, checks};
    ret_ready[1] = (struct ops_check){"serving", is_not_draining, checks};
    ret_live[0] = (struct ops_check){"workers", are_workers_turning, checks};
    ret_live[1] = (struct ops_check){"janitor", is_janitor_turning, checks};
    ret_live[2] = (struct ops_check){"grpc", is_server_turning, checks};
}
