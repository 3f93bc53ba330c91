/*
 * grpc.health.v1 on an rpc_server: Check, List and Watch over a small table of service names.
 *
 * The empty name is the whole server. Its methods are reserved ones (server.h), so a full server
 * still answers them. When the server stops, watches end by themselves. Any thread but where said
 * otherwise.
 */
#ifndef RPC_HEALTH_H
#define RPC_HEALTH_H

#include "base/check.h"

#include <stdbool.h>

struct rpc_health;
struct rpc_server;

#define RPC_HEALTH_SERVICES_MAX 32
#define RPC_HEALTH_WATCHES_MAX  128 /* further ones are refused with RESOURCE_EXHAUSTED */

/* Makes a table that knows the whole server ("") as not serving. Errors: -ENOMEM. */
int rpc_health_create(struct rpc_health **ret) MUST_CHECK;

/* Frees it; the server that it was added to has been stopped before. NULL is fine. */
void rpc_health_destroy(struct rpc_health *health);

/*
 * Adds the three methods to a server that has not started; health must outlive it. Errors: as
 * rpc_server_add.
 */
int rpc_health_add_to(struct rpc_health *health, struct rpc_server *server) MUST_CHECK;

/*
 * Sets the status of a service ("" for the whole server) and tells who watches it; a new name is
 * copied. Errors: -ENOSPC more than RPC_HEALTH_SERVICES_MAX names, -ENOMEM.
 */
int rpc_health_set(struct rpc_health *health, const char *service, bool serving) MUST_CHECK;

/* Sets every service that is known, the whole server included: how a drain begins. */
void rpc_health_set_all(struct rpc_health *health, bool serving);

#endif
