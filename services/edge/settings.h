/*
 * The edge's settings: what may be changed without a build. Read once at start, then constant. The
 * other bounds are in limits.h.
 */
#ifndef EDGE_SETTINGS_H
#define EDGE_SETTINGS_H

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_PROGRAM "stampede-edge"

struct settings {
    struct config_address http_address, ops_address;
    const char *orders_target;
    int64_t loops; /* 0: one per core */
    int64_t connections_max;
    int64_t body_bytes_max;
    int64_t request_timeout_ms;
    int64_t drain_timeout_ms;
    int64_t drain_pause_ms;
    bool speaks_http2;
    int log_level, log_format;
};

/* The table and what goes with it, for config_load. */
extern const struct config_program settings_program;

#endif
