/*
 * stampede-edge put together: the channel to the orders service, the HTTP server with its loops,
 * the ops listener, metrics and limits.
 *
 * Threads: one per loop, one of the channel (replies), one of the ops listener, those of the C
 * core, and the one that calls this. The edge holds nothing that must not be lost: it may be killed
 * at any moment.
 */
#ifndef EDGE_SERVICE_H
#define EDGE_SERVICE_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct service;
struct settings;

/* Whether the caller of a drain does not want to wait any longer. */
typedef bool (*service_hurry_fn)(int64_t wait_ms, void *data);

/*
 * Binds both listeners and serves; does not wait for the orders service. settings must outlive the
 * service. What went wrong has been logged when it fails. Errors: negative errno.
 */
int service_start(const struct settings *settings, struct service **ret) MUST_CHECK;

/*
 * Stops serving, without losing a request: not ready, a pause, no new connections, then what is
 * unanswered is waited for, and at last answered as it stands. wait sleeps for wait_ms at most and
 * tells whether to give up at once. True when the drain came to its end, false when it was given
 * up. Once.
 */
bool service_drain(struct service *service, service_hurry_fn wait, void *data);

/* After a drain: ends the threads, logs the account, frees. */
void service_destroy(struct service *service);

#endif
