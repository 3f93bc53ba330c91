/* Where the system under test is: addresses and a token from the environment, and nothing else. */
#ifndef COMPOSE_TARGET_H
#define COMPOSE_TARGET_H

#include "base/check.h"

#define TARGET_URL_BYTES   256
#define TARGET_TOKEN_BYTES 520

struct target {
    char base_url[TARGET_URL_BYTES];    /* "http://host:port", without a slash at its end */
    char grpc_target[TARGET_URL_BYTES]; /* of the orders service */
    char edge_ops_url[TARGET_URL_BYTES], orders_ops_url[TARGET_URL_BYTES];
    char token[TARGET_TOKEN_BYTES];
};

/*
 * Reads STAMPEDE_BASE_URL, STAMPEDE_GRPC_TARGET, STAMPEDE_EDGE_OPS_URL, STAMPEDE_ORDERS_OPS_URL and
 * STAMPEDE_ADMIN_TOKEN; the first four have the addresses of .stampede/env for their defaults
 * (EDGE_HTTP_ADDR, EDGE_ORDERS_TARGET, EDGE_OPS_ADDR, ORDERS_OPS_ADDR). Returns 0, or -EINVAL with
 * what is missing on stderr.
 */
int target_read(struct target *ret) MUST_CHECK;

#endif
