#include "edge/http/http_metrics.h"

#include "base/clock.h"
#include "contract/contract.h"
#include "edge/routes/routes.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <stdlib.h>

#define CLASSES     6 /* 0: not HTTP, 1xx to 5xx */
#define REASONS_MAX 64
#define UNMATCHED   ROUTES_MAX

struct http_metrics {
    struct metrics_histogram *durations[ROUTES_MAX + 1][CLASSES];
    struct metrics_counter *refused[REASONS_MAX];
};

static void register_route(struct http_metrics *made, struct metrics *metrics, size_t index,
                           const char *http_method, const char *route)
{
    static const char *const classes[CLASSES] = {NULL, NULL, "2xx", "3xx", "4xx", "5xx"};
    for (size_t i = 0; i < CLASSES; i++) {
        if (classes[i] != NULL) {
            made->durations[index][i] = metrics_histogram(
                metrics, "stampede_http_request_duration_seconds",
                "From the request's head read to its answer handed to the socket.",
                METRICS_LABELS({"method", http_method}, {"route", route}, {"status", classes[i]}),
                &metrics_bounds_seconds);
        }
    }
}

int http_metrics_create(struct metrics *metrics, const struct routes *routes,
                        struct http_metrics **ret)
{
    CHECK(contract_reason_count <= REASONS_MAX);
    struct http_metrics *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < routes->count; i++) {
        const struct contract_route *binding = routes->entries[i].binding;
        register_route(made, metrics, i, binding->http_method, binding->template_text);
    }
    register_route(made, metrics, UNMATCHED, "", "unmatched");
    for (size_t i = 0; i < contract_reason_count; i++) {
        made->refused[i] =
            metrics_counter(metrics, "stampede_refused_total", "Requests refused, by reason.",
                            METRICS_LABELS({"reason", contract_reasons[i].name}));
    }
    *ret = made;
    return 0;
}

void http_metrics_destroy(struct http_metrics *metrics)
{
    free(metrics);
}

void http_metrics_observe(struct http_metrics *metrics, const struct route *route, int status,
                          int64_t duration_ns)
{
    size_t index = route == NULL ? UNMATCHED : route->index;
    size_t class = (size_t)status / 100;
    if (class < CLASSES && metrics->durations[index][class] != NULL) {
        metrics_histogram_observe(metrics->durations[index][class],
                                  (double)duration_ns / (double)CLOCK_NS_PER_SECOND);
    }
}

void http_metrics_refused(struct http_metrics *metrics, const struct contract_reason *reason)
{
    metrics_counter_add(metrics->refused[reason - contract_reasons], 1);
}
