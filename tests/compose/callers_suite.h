/* What other services of the house may do by gRPC, without the edge between. */
#ifndef COMPOSE_CALLERS_SUITE_H
#define COMPOSE_CALLERS_SUITE_H

#include "target.h"

/* Runs it as a cmocka group; returns how many of its tests failed. */
int callers_suite_run(const struct target *target);

/* Asks one replica of the orders service to drain (OpsService.Drain). Returns 0, or 1 with the
 * reason on stderr. */
int callers_suite_drain(const struct target *target, const char *grpc_target);

#endif
