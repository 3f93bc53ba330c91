/* What an operator asks one replica of the orders service by gRPC (OpsService). */
#ifndef SUPPORT_ORDERS_OPS_H
#define SUPPORT_ORDERS_OPS_H

#include <stdbool.h>
#include <stdint.h>

struct orders_ops_status {
    bool draining, ready;
    int pool_size, pool_active, pool_idle, pool_connecting, pool_waiting;
};

/* Drain of the replica at the gRPC port, with the tests' token; asserts that it is taken. */
void orders_ops_drain(int port);

/* GetStatus of it. */
void orders_ops_read(int port, struct orders_ops_status *ret);

#endif
