/*
 * What the program counts and times (ARCHITECTURE, "Metrics"). Every set of labels is fixed when
 * the program starts; after that each function is a few atomic operations and may be called from
 * any thread. What is read instead of counted is in gauges.h.
 */
#ifndef ORDERS_OBSERVE_H
#define ORDERS_OBSERVE_H

#include "base/check.h"
#include "orders/logic/verdict.h"
#include "rpc/status.h"

#include <stddef.h>
#include <stdint.h>

struct metrics;
struct metrics_counter;
struct metrics_histogram;

/* How a call ended, coarsely: OK; the caller's doing; ours, the network's or the load's. */
enum observe_result { OBSERVE_OK, OBSERVE_REFUSED, OBSERVE_FAILED, OBSERVE_RESULT_COUNT };

/* The classes of SQLSTATE that are told apart; the first stands for no SQLSTATE at all, the last
 * for all others. */
#define OBSERVE_SQLSTATE_CLASSES 16

struct observe {
    /* By index in contract_methods; the last row is for methods that nobody serves. */
    struct metrics_histogram *(*_rpc)[OBSERVE_RESULT_COUNT];
    struct metrics_histogram *_batch_size, *_batch_seconds;
    struct metrics_counter *_orders[VERDICT_COUNT];
    struct metrics_counter *_settlements[VERDICT_COUNT];
    struct metrics_histogram *_settle_size, *_settle_seconds;
    struct metrics_counter *_expired, *_matured, *_events_pruned;
    struct metrics_counter **_refused;                      /* by index in contract_reasons */
    struct metrics_counter *_refused_orders[VERDICT_COUNT]; /* the same counters, by verdict */
    struct metrics_counter *_db_errors[OBSERVE_SQLSTATE_CLASSES];
    struct metrics_counter *_db_reconnects;
};

/* Registers everything in metrics, which must outlive it. version is kept. Errors: -ENOMEM. */
int observe_init(struct observe *observe, struct metrics *metrics, const char *version) MUST_CHECK;

/* A zeroed struct is fine. */
void observe_fini(struct observe *observe);

void observe_rpc(const struct observe *observe, const char *full_method, enum rpc_code code,
                 int64_t duration_ns);
void observe_batch(const struct observe *observe, size_t orders, int64_t duration_ns);
void observe_orders(const struct observe *observe, const size_t counts[VERDICT_COUNT]);
void observe_refused(const struct observe *observe, const char *reason);
/* A batch of confirmations and cancellations was decided. */
void observe_settled(const struct observe *observe, const size_t counts[VERDICT_COUNT],
                     int64_t duration_ns);
/* A sweep let so many holds expire and so many units be sold again. */
void observe_swept(const struct observe *observe, size_t expired, int32_t matured);
void observe_pruned(const struct observe *observe, size_t events);
void observe_db_error(const struct observe *observe, const char *sqlstate);
void observe_db_reconnect(const struct observe *observe);

#endif
