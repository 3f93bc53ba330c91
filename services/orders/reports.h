/*
 * What calls and workers tell of their work, and who is to hear of it: the metrics, the drain's
 * account, the view of the pool, the log of long waits, the duties. Any thread; none of these
 * blocks.
 */
#ifndef ORDERS_REPORTS_H
#define ORDERS_REPORTS_H

#include "orders/lanes/lanes_work.h"
#include "rpc/status.h"

struct access;
struct drain;
struct duties;
struct lanes;
struct observe;
struct pool_view;
struct rpc_call;
struct waits;

/* All of it must outlive the last report, and is the data of each. */
struct reports {
    const struct access *access;
    struct lanes *lanes;
    const struct observe *observe;
    struct drain *drain;
    struct waits *waits;
    struct pool_view *pool_view;
    struct duties *duties;
};

/* As struct rpc_server_config wants them. */
bool reports_admit(struct rpc_call *call, struct rpc_status *ret_refusal, void *data);
int64_t reports_overload_retry_ms(void *data);
void reports_on_rpc(const char *full_method, enum rpc_code code, int64_t duration_ns, void *data);

/* As struct calls_observer wants them. */
void reports_on_orders(void *data, const size_t counts[VERDICT_COUNT]);
void reports_on_refused(void *data, const char *reason);

/* As struct workers_observer wants them. */
void reports_on_taken(void *data, const struct lane_task *task);
void reports_on_batch(void *data, const struct lane_task *task, int64_t duration_ns);
void reports_on_settled(void *data, const struct lane_task *task, int64_t duration_ns);
void reports_on_swept(void *data, size_t expired, int32_t matured);
void reports_on_connection(void *data, size_t worker, bool connected);

/* As struct duties_config wants it. */
void reports_on_pruned(void *data, size_t count);

#endif
