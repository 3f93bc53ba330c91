#include "reports.h"

#include "drain.h"
#include "duties.h"
#include "observe.h"
#include "orders/adapters/grpc/access.h"
#include "pool_view.h"
#include "waits.h"

#include <string.h>

/* --- Of calls -------------------------------------------------------------------------------- */

bool reports_admit(struct rpc_call *call, struct rpc_status *ret_refusal, void *data)
{
    const struct reports *reports = data;
    if (access_admit(reports->access, call, ret_refusal)) {
        return true;
    }
    observe_refused(reports->observe, ret_refusal->reason);
    return false;
}

/* What fills the server is calls that wait in the lanes. */
int64_t reports_overload_retry_ms(void *data)
{
    const struct reports *reports = data;
    return lanes_retry_after_ms(reports->lanes);
}

/* Health checks and the program's own questions are no work that a drain accounts for. */
static bool is_work(const char *full_method)
{
    return strncmp(full_method, "/stampede.orders.", 17) == 0 ||
           strncmp(full_method, "/stampede.sales.", 16) == 0;
}

void reports_on_rpc(const char *full_method, enum rpc_code code, int64_t duration_ns, void *data)
{
    const struct reports *reports = data;
    observe_rpc(reports->observe, full_method, code, duration_ns);
    if (is_work(full_method) && code != RPC_CANCELLED) {
        drain_note_answered(reports->drain);
    }
}

void reports_on_orders(void *data, const size_t counts[VERDICT_COUNT])
{
    const struct reports *reports = data;
    observe_orders(reports->observe, counts);
    if (counts[VERDICT_DRAINING] > 0) {
        drain_note_refused(reports->drain);
    }
}

void reports_on_refused(void *data, const char *reason)
{
    const struct reports *reports = data;
    observe_refused(reports->observe, reason);
    if (strcmp(reason, verdict_name(VERDICT_DRAINING)) == 0) {
        drain_note_refused(reports->drain);
    }
}

/* --- Of workers ------------------------------------------------------------------------------ */

void reports_on_taken(void *data, const struct lane_task *task)
{
    const struct reports *reports = data;
    waits_on_taken(reports->waits, task);
}

void reports_on_batch(void *data, const struct lane_task *task, int64_t duration_ns)
{
    const struct reports *reports = data;
    observe_batch(reports->observe, task->count, duration_ns);
}

void reports_on_settled(void *data, const struct lane_task *task, int64_t duration_ns)
{
    const struct reports *reports = data;
    size_t counts[VERDICT_COUNT] = {0};
    for (size_t i = 0; i < task->count; i++) {
        counts[task->changes[i]->item.verdict]++;
    }
    observe_settled(reports->observe, counts, duration_ns);
}

void reports_on_swept(void *data, size_t expired, int32_t matured)
{
    const struct reports *reports = data;
    observe_swept(reports->observe, expired, matured);
    if (expired > 0) {
        duties_hurry(reports->duties);
    }
}

void reports_on_connection(void *data, size_t worker, bool connected)
{
    const struct reports *reports = data;
    pool_view_on_connection(reports->pool_view, worker, connected);
}

void reports_on_pruned(void *data, size_t count)
{
    const struct reports *reports = data;
    observe_pruned(reports->observe, count);
}
