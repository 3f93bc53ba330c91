/*
 * The program put together: stores, lanes, workers, the gRPC server and the listener for
 * operations; how they start, drain and stop.
 *
 *   create ─▶ start ─▶ serving ──drain_begin──▶ run returns ─▶ destroy
 *
 * Threads: the workers (one per connection) run the use cases; the completion-queue threads take
 * calls in and send replies; the ops thread answers /readyz and the like; the caller of
 * service_run waits and drains.
 */
#ifndef ORDERS_SERVICE_H
#define ORDERS_SERVICE_H

#include "base/check.h"

struct drain;
struct service;
struct settings;

/*
 * Makes everything and connects to nothing. settings and drain must outlive the service. Errors:
 * -ENOMEM, logged already.
 */
int service_create(const struct settings *settings, struct drain *drain,
                   struct service **ret) MUST_CHECK;

/*
 * Starts the workers, which connect by themselves, and the two listeners. Errors, logged already:
 * an address is taken or cannot be bound, no thread could be made. The service may then only be
 * destroyed.
 */
int service_start(struct service *service) MUST_CHECK;

/* Blocks until a drain begins, drains, stops everything and logs the account. */
void service_run(struct service *service);

/* Frees everything; stops first what still runs. NULL and half-made ones are fine. */
void service_destroy(struct service *service);

#endif
