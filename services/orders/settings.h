/* What an operator may set, from the environment or .env (ARCHITECTURE, "Settings"). */
#ifndef ORDERS_SETTINGS_H
#define ORDERS_SETTINGS_H

#include "config/config.h"

#include <stdint.h>

#define SETTINGS_PROGRAM     "stampede-orders"
#define SETTINGS_POOL_MAX    100
#define SETTINGS_TOKEN_CHARS 16 /* a shorter admin token could be guessed */

struct settings {
    const char *database_url;
    const char *admin_token; /* NULL: admin is closed */
    int64_t pool_size;
    struct config_address grpc_address, ops_address;
    int64_t queue_max;
    int64_t events_max_age_s;
    int64_t slow_wait_ms;
    int64_t drain_timeout_ms, drain_pause_ms;
    int log_level, log_format;
};

/* The table, for config_load. Constant. */
extern const struct config_program settings_program;

#endif
