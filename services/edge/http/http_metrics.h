/*
 * What is counted about HTTP: how long requests take, by route and class of status, and how many
 * are refused, by reason. Every series is made at start; counting is lock-free, any thread.
 */
#ifndef EDGE_HTTP_HTTP_METRICS_H
#define EDGE_HTTP_HTTP_METRICS_H

#include "base/check.h"

#include <stdint.h>

struct contract_reason;
struct http_metrics;
struct metrics;
struct route;
struct routes;

/* The registry must outlive it. Errors: -ENOMEM. */
int http_metrics_create(struct metrics *metrics, const struct routes *routes,
                        struct http_metrics **ret) MUST_CHECK;

/* NULL is fine. */
void http_metrics_destroy(struct http_metrics *metrics);

/* A request was answered. route is NULL when none was found. */
void http_metrics_observe(struct http_metrics *metrics, const struct route *route, int status,
                          int64_t duration_ns);

/* A problem was answered. */
void http_metrics_refused(struct http_metrics *metrics, const struct contract_reason *reason);

#endif
