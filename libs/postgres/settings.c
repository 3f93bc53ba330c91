#include "postgres/settings.h"

#include "postgres/row.h"
#include "postgres/session.h"

#include <stdio.h>
#include <string.h>

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/*
 * CONSTANT(name, value) and CONFIGURED(name, member of the config, in ms). Numbers are in the
 * setting's base unit, which is how pg_settings shows them.
 *
 * client_connection_check_interval: without it the backends of killed clients stay queued for the
 * sale's lock. plan_cache_mode, enable_seqscan and jit: a plan made while a table was small stays
 * an index scan, and none is made anew per batch.
 */
#define SETTINGS_TABLE(CONSTANT, CONFIGURED)                                                       \
    CONSTANT(synchronous_commit, "on")                                                             \
    CONFIGURED(lock_timeout, lock_timeout_ms)                                                      \
    CONFIGURED(statement_timeout, statement_timeout_ms)                                            \
    CONFIGURED(idle_in_transaction_session_timeout, idle_in_transaction_timeout_ms)                \
    CONSTANT(client_connection_check_interval, TEXT_OF(SESSION_CLIENT_CHECK_MS))                   \
    CONSTANT(plan_cache_mode, "force_generic_plan")                                                \
    CONSTANT(enable_seqscan, "off")                                                                \
    CONSTANT(jit, "off")                                                                           \
    CONSTANT(TimeZone, "UTC")                                                                      \
    CONSTANT(client_encoding, "UTF8")

static const struct {
    const char *name;
    const char *constant; /* or NULL, and then the member */
    size_t member_offset;
} demanded[] = {
#define SETTINGS_CONSTANT_ROW(name, value) {#name, value, 0},
#define SETTINGS_CONFIGURED_ROW(name, member)                                                      \
    {#name, NULL, offsetof(struct session_config, member)},
    SETTINGS_TABLE(SETTINGS_CONSTANT_ROW, SETTINGS_CONFIGURED_ROW)
#undef SETTINGS_CONSTANT_ROW
#undef SETTINGS_CONFIGURED_ROW
};

#define SETTINGS_QUOTED(name, value) "'" #name "',"
const struct statement settings_statement = {
    .name = "session_settings",
    .sql = "SELECT name, setting FROM pg_catalog.pg_settings"
           " WHERE name IN (" SETTINGS_TABLE(SETTINGS_QUOTED, SETTINGS_QUOTED) "'')",
};
#undef SETTINGS_QUOTED

static void demanded_value(const struct session_config *config, size_t index,
                           char ret_value[SETTINGS_VALUE_BYTES])
{
    if (demanded[index].constant != NULL) {
        snprintf(ret_value, SETTINGS_VALUE_BYTES, "%s", demanded[index].constant);
        return;
    }
    int milliseconds;
    memcpy(&milliseconds, (const char *)config + demanded[index].member_offset,
           sizeof(milliseconds));
    snprintf(ret_value, SETTINGS_VALUE_BYTES, "%d", milliseconds);
}

void settings_write_options(const struct session_config *config,
                            char ret_options[SETTINGS_OPTIONS_BYTES])
{
    char value[SETTINGS_VALUE_BYTES];
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(demanded); i++) {
        demanded_value(config, i, value);
        used += (size_t)snprintf(ret_options + used, SETTINGS_OPTIONS_BYTES - used, "-c %s=%s ",
                                 demanded[i].name, value);
        CHECK(used < SETTINGS_OPTIONS_BYTES);
    }
    /* Of no use on a Unix socket, where the server shows 0 whatever is asked: not verified. */
    used += (size_t)snprintf(ret_options + used, SETTINGS_OPTIONS_BYTES - used,
                             "-c tcp_keepalives_idle=%d -c tcp_keepalives_interval=%d "
                             "-c tcp_keepalives_count=%d -c tcp_user_timeout=%d",
                             SESSION_KEEPALIVE_IDLE_S, SESSION_KEEPALIVE_INTERVAL_S,
                             SESSION_KEEPALIVE_COUNT, config->tcp_user_timeout_ms);
    CHECK(used < SETTINGS_OPTIONS_BYTES);
}

/* The value in force as the server told it, or "". */
static void find_value(const struct session_result *result, const char *name,
                       char ret_value[SETTINGS_VALUE_BYTES])
{
    ret_value[0] = '\0';
    for (size_t i = 0; i < result->row_count; i++) {
        struct row row;
        row_init(&row, result, i);
        struct sql_text row_name = row_text(&row, 0), value = row_text(&row, 1);
        if (!row_failed(&row) && row_name.length == strlen(name) &&
            memcmp(row_name.bytes, name, row_name.length) == 0) {
            snprintf(ret_value, SETTINGS_VALUE_BYTES, "%.*s", (int)value.length, value.bytes);
        }
    }
}

bool settings_find_override(const struct session_config *config,
                            const struct session_result *result, struct settings_override *ret)
{
    struct settings_override override;

    for (size_t i = 0; i < COUNT_OF(demanded); i++) {
        override.name = demanded[i].name;
        demanded_value(config, i, override.demanded);
        find_value(result, override.name, override.found);
        if (strcmp(override.demanded, override.found) != 0) {
            *ret = override;
            return true;
        }
    }
    return false;
}
