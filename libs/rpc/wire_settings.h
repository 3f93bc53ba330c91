/*
 * What both ends of a connection must agree on, so that neither takes the other's pings for an
 * attack, and how the core is told. Private to libs/rpc.
 */
#ifndef RPC_WIRE_SETTINGS_H
#define RPC_WIRE_SETTINGS_H

#include <grpc/grpc.h>
#include <stdint.h>

/* A connection that hears nothing for this long is pinged; also without calls. */
#define RPC_KEEPALIVE_PING_MS 20000
/* A ping that is not answered in this time ends the connection. */
#define RPC_KEEPALIVE_TIMEOUT_MS 5000
/* A server ends connections that ping more often ("too_many_pings"). */
#define RPC_KEEPALIVE_PING_INTERVAL_MIN_MS 10000

/* The set of compression algorithms that holds "identity" only. */
#define RPC_COMPRESSION_NONE 1

_Static_assert(RPC_KEEPALIVE_PING_MS >= 2 * RPC_KEEPALIVE_PING_INTERVAL_MIN_MS,
               "our own clients stay clear of our own servers' bound");

static inline grpc_arg rpc_integer_arg(const char *key, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value = {.integer = value}};
}

static inline grpc_arg rpc_string_arg(const char *key, const char *value)
{
    return (grpc_arg){.type = GRPC_ARG_STRING,
                      .key = (char *)(uintptr_t)key,
                      .value = {.string = (char *)(uintptr_t)value}};
}

#endif
