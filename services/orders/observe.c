#include "observe.h"

#include "base/clock.h"
#include "contract/contract.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const result_names[OBSERVE_RESULT_COUNT] = {
    [OBSERVE_OK] = "ok",
    [OBSERVE_REFUSED] = "refused",
    [OBSERVE_FAILED] = "failed",
};

static const char *const sqlstate_classes[OBSERVE_SQLSTATE_CLASSES] = {
    "none", "08", "0A", "22", "23", "25", "26", "28",
    "40",   "42", "53", "55", "57", "58", "XX", "other",
};

static const double per_ns = 1.0 / (double)CLOCK_NS_PER_SECOND;

/* --- Registering ----------------------------------------------------------------------------- */

static void register_rpc(struct observe *observe, struct metrics *metrics)
{
    for (size_t i = 0; i <= contract_method_count; i++) {
        const char *method =
            i < contract_method_count ? contract_methods[i].full_name + 1 : "unknown";
        for (size_t result = 0; result < OBSERVE_RESULT_COUNT; result++) {
            observe->_rpc[i][result] = metrics_histogram(
                metrics, "stampede_rpc_duration_seconds",
                "How long calls took from arrival to reply, by how they ended.",
                METRICS_LABELS({"method", method}, {"result", result_names[result]}),
                &metrics_bounds_seconds);
        }
    }
}

static void register_orders(struct observe *observe, struct metrics *metrics)
{
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        observe->_orders[verdict] =
            metrics_counter(metrics, "stampede_orders_total", "Orders answered, by outcome.",
                            METRICS_LABELS({"outcome", verdict_name(verdict)}));
    }
    for (size_t i = 0; i < contract_reason_count; i++) {
        observe->_refused[i] = metrics_counter(
            metrics, "stampede_refused_total", "Calls and orders of batches refused, by reason.",
            METRICS_LABELS({"reason", contract_reasons[i].name}));
    }
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        const struct contract_reason *reason = contract_reason_by_name(verdict_name(verdict));
        observe->_refused_orders[verdict] =
            reason == NULL ? NULL : observe->_refused[reason - contract_reasons];
    }
}

static void register_batches(struct observe *observe, struct metrics *metrics)
{
    observe->_batch_size =
        metrics_histogram(metrics, "stampede_place_batch_size",
                          "Orders decided in one transaction.", NULL, &metrics_bounds_sizes);
    observe->_batch_seconds = metrics_histogram(
        metrics, "stampede_place_batch_duration_seconds",
        "How long one batch of orders took, retries included.", NULL, &metrics_bounds_seconds);
}

static void register_settlements(struct observe *observe, struct metrics *metrics)
{
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        observe->_settlements[verdict] = metrics_counter(
            metrics, "stampede_settlements_total", "Confirmations and cancellations, by outcome.",
            METRICS_LABELS({"outcome", verdict_name(verdict)}));
    }
    observe->_settle_size = metrics_histogram(metrics, "stampede_settle_batch_size",
                                              "Confirmations and cancellations of one transaction.",
                                              NULL, &metrics_bounds_sizes);
    observe->_settle_seconds =
        metrics_histogram(metrics, "stampede_settle_batch_duration_seconds",
                          "How long one batch of confirmations and cancellations took.", NULL,
                          &metrics_bounds_seconds);
}

static void register_sweeps(struct observe *observe, struct metrics *metrics)
{
    observe->_expired =
        metrics_counter(metrics, "stampede_expired_total", "Holds that a sweep let expire.", NULL);
    observe->_matured =
        metrics_counter(metrics, "stampede_matured_units_total",
                        "Units that came back to a sold-out sale and can be sold again.", NULL);
    observe->_events_pruned = metrics_counter(metrics, "stampede_events_pruned_total",
                                              "Events of orders deleted for their age.", NULL);
}

static void register_database(struct observe *observe, struct metrics *metrics)
{
    for (size_t i = 0; i < OBSERVE_SQLSTATE_CLASSES; i++) {
        observe->_db_errors[i] = metrics_counter(
            metrics, "stampede_db_errors_total",
            "Errors of the database and of connections to it, by class of SQLSTATE.",
            METRICS_LABELS({"sqlstate_class", sqlstate_classes[i]}));
    }
    observe->_db_reconnects =
        metrics_counter(metrics, "stampede_db_reconnects_total",
                        "Connections opened in the place of lost ones.", NULL);
}

int observe_init(struct observe *observe, struct metrics *metrics, const char *version)
{
    *observe = (struct observe){
        ._rpc = calloc(contract_method_count + 1, sizeof(*observe->_rpc)),
        ._refused = calloc(contract_reason_count, sizeof(struct metrics_counter *)),
    };
    if (observe->_rpc == NULL || observe->_refused == NULL) {
        observe_fini(observe);
        return -ENOMEM;
    }
    metrics_gauge_set(metrics_gauge(metrics, "stampede_build_info", "1; the label says the build.",
                                    METRICS_LABELS({"version", version})),
                      1);
    register_rpc(observe, metrics);
    register_orders(observe, metrics);
    register_batches(observe, metrics);
    register_settlements(observe, metrics);
    register_sweeps(observe, metrics);
    register_database(observe, metrics);
    return 0;
}

void observe_fini(struct observe *observe)
{
    free(observe->_rpc);
    free(observe->_refused);
    *observe = (struct observe){0};
}

/* --- Counting -------------------------------------------------------------------------------- */

static enum observe_result result_of(enum rpc_code code)
{
    switch (code) {
    case RPC_OK:
        return OBSERVE_OK;
    case RPC_INVALID_ARGUMENT:
    case RPC_NOT_FOUND:
    case RPC_ALREADY_EXISTS:
    case RPC_PERMISSION_DENIED:
    case RPC_UNAUTHENTICATED:
    case RPC_FAILED_PRECONDITION:
    case RPC_OUT_OF_RANGE:
    case RPC_UNIMPLEMENTED:
        return OBSERVE_REFUSED;
    default:
        return OBSERVE_FAILED;
    }
}

void observe_rpc(const struct observe *observe, const char *full_method, enum rpc_code code,
                 int64_t duration_ns)
{
    const struct contract_method *method = contract_method_by_full_name(full_method);
    size_t row = method == NULL ? contract_method_count : (size_t)(method - contract_methods);
    metrics_histogram_observe(observe->_rpc[row][result_of(code)], (double)duration_ns * per_ns);
}

void observe_batch(const struct observe *observe, size_t orders, int64_t duration_ns)
{
    metrics_histogram_observe(observe->_batch_size, (double)orders);
    metrics_histogram_observe(observe->_batch_seconds, (double)duration_ns * per_ns);
}

void observe_orders(const struct observe *observe, const size_t counts[VERDICT_COUNT])
{
    for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        if (counts[verdict] == 0) {
            continue;
        }
        metrics_counter_add(observe->_orders[verdict], counts[verdict]);
        if (observe->_refused_orders[verdict] != NULL) {
            metrics_counter_add(observe->_refused_orders[verdict], counts[verdict]);
        }
    }
}

void observe_settled(const struct observe *observe, const size_t counts[VERDICT_COUNT],
                     int64_t duration_ns)
{
    size_t size = 0;
    for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        size += counts[verdict];
        if (counts[verdict] > 0) {
            metrics_counter_add(observe->_settlements[verdict], counts[verdict]);
        }
    }
    metrics_histogram_observe(observe->_settle_size, (double)size);
    metrics_histogram_observe(observe->_settle_seconds, (double)duration_ns * per_ns);
}

void observe_swept(const struct observe *observe, size_t expired, int32_t matured)
{
    CHECK(matured >= 0);
    metrics_counter_add(observe->_expired, expired);
    metrics_counter_add(observe->_matured, (uint64_t)matured);
}

void observe_pruned(const struct observe *observe, size_t events)
{
    metrics_counter_add(observe->_events_pruned, events);
}

void observe_refused(const struct observe *observe, const char *reason)
{
    const struct contract_reason *known = contract_reason_by_name(reason);
    CHECK(known != NULL);
    metrics_counter_add(observe->_refused[known - contract_reasons], 1);
}

void observe_db_error(const struct observe *observe, const char *sqlstate)
{
    size_t at = OBSERVE_SQLSTATE_CLASSES - 1;
    if (sqlstate[0] == '\0') {
        at = 0;
    }
    for (size_t i = 1; at != 0 && i < OBSERVE_SQLSTATE_CLASSES - 1; i++) {
        if (strncmp(sqlstate, sqlstate_classes[i], 2) == 0) {
            at = i;
        }
    }
    metrics_counter_add(observe->_db_errors[at], 1);
}

void observe_db_reconnect(const struct observe *observe)
{
    metrics_counter_add(observe->_db_reconnects, 1);
}
