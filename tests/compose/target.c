#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The first of two variables that is set, with a scheme before the second. */
static int read_address(const char *name, const char *address_name, const char *scheme,
                        char ret[TARGET_URL_BYTES])
{
    const char *value = getenv(name);
    const char *prefix = "";

    if (value == NULL || value[0] == '\0') {
        value = getenv(address_name);
        prefix = scheme;
    }
    if (value == NULL || value[0] == '\0') {
        fprintf(stderr, "neither %s nor %s is set\n", name, address_name);
        return -EINVAL;
    }
    int length = snprintf(ret, TARGET_URL_BYTES, "%s%s", prefix, value);
    if (length < 0 || length >= TARGET_URL_BYTES) {
        fprintf(stderr, "%s is too long\n", name);
        return -EINVAL;
    }
    return 0;
}

int target_read(struct target *ret)
{
    struct target target;
    const char *token = getenv("STAMPEDE_ADMIN_TOKEN");

    if (read_address("STAMPEDE_BASE_URL", "EDGE_HTTP_ADDR", "http://", target.base_url) != 0 ||
        read_address("STAMPEDE_GRPC_TARGET", "EDGE_ORDERS_TARGET", "", target.grpc_target) != 0 ||
        read_address("STAMPEDE_EDGE_OPS_URL", "EDGE_OPS_ADDR", "http://", target.edge_ops_url) !=
            0 ||
        read_address("STAMPEDE_ORDERS_OPS_URL", "ORDERS_OPS_ADDR", "http://",
                     target.orders_ops_url) != 0) {
        return -EINVAL;
    }
    if (token == NULL ||
        snprintf(target.token, sizeof(target.token), "%s", token) >= (int)sizeof(target.token)) {
        fprintf(stderr, "STAMPEDE_ADMIN_TOKEN is not set, or too long\n");
        return -EINVAL;
    }
    *ret = target;
    return 0;
}
