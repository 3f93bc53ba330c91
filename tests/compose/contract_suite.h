/* The public contract over HTTP. */
#ifndef COMPOSE_CONTRACT_SUITE_H
#define COMPOSE_CONTRACT_SUITE_H

#include "target.h"

/* Runs it as a cmocka group; returns how many of its tests failed. */
int contract_suite_run(const struct target *target);

#endif
