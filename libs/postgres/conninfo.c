#include "postgres/conninfo.h"

#include "postgres/session.h"
#include "postgres/settings.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void add(struct conninfo *conninfo, const char *keyword, const char *value)
{
    CHECK(conninfo->_count < CONNINFO_KEYWORDS_MAX);
    conninfo->keywords[conninfo->_count] = keyword;
    conninfo->values[conninfo->_count] = value;
    conninfo->_count++;
}

/* The value that the caller's string gave, or NULL. */
static const char *given(const struct conninfo *conninfo, const char *keyword)
{
    const PQconninfoOption *option = conninfo->_parsed;
    for (; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option->val;
        }
    }
    return NULL;
}

static void add_unless_given(struct conninfo *conninfo, const char *keyword, const char *value)
{
    if (given(conninfo, keyword) == NULL) {
        add(conninfo, keyword, value);
    }
}

/* The start of element number index of a comma-separated list. */
static const char *element(const char *list, size_t index)
{
    while (index-- > 0) {
        list = strchr(list, ',') + 1;
    }
    return list;
}

/* Adds a list keyword with its elements turned by offset, if it was given. */
static int add_rotated(struct conninfo *conninfo, const char *keyword, size_t offset,
                       char room[CONNINFO_LIST_BYTES])
{
    const char *list = given(conninfo, keyword);
    size_t count = 1;

    if (list == NULL) {
        return 0;
    }
    if (strlen(list) + 1 >= CONNINFO_LIST_BYTES) {
        return -E2BIG;
    }
    for (const char *comma = strchr(list, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        count++;
    }
    const char *first = element(list, offset % count);
    if (first == list) {
        memcpy(room, list, strlen(list) + 1);
    } else {
        size_t wrapped = (size_t)(first - list) - 1; /* without the comma before first */
        snprintf(room, CONNINFO_LIST_BYTES, "%s,%.*s", first, (int)wrapped, list);
    }
    add(conninfo, keyword, room);
    return 0;
}

/* The server obeys the last of equal options, so ours stand behind the caller's. */
static int add_options(struct conninfo *conninfo, const struct session_config *config)
{
    const char *theirs = given(conninfo, "options");
    const char *extra = config->extra_options;
    char ours[SETTINGS_OPTIONS_BYTES];

    settings_write_options(config, ours);
    int length = snprintf(conninfo->_options, sizeof(conninfo->_options), "%s %s %s",
                          theirs == NULL ? "" : theirs, extra == NULL ? "" : extra, ours);
    if (length < 0 || (size_t)length >= sizeof(conninfo->_options)) {
        return -E2BIG;
    }
    add(conninfo, "options", conninfo->_options);
    return 0;
}

static void add_number(struct conninfo *conninfo, const char *keyword, int value,
                       char room[CONNINFO_NUMBER_BYTES])
{
    snprintf(room, CONNINFO_NUMBER_BYTES, "%d", value);
    add_unless_given(conninfo, keyword, room);
}

static void add_defaults(struct conninfo *conninfo, const struct session_config *config)
{
    add(conninfo, "client_encoding", "UTF8");
    add_unless_given(conninfo, "fallback_application_name", config->application_name);
    add_unless_given(conninfo, "keepalives", "1");
    add_number(conninfo, "keepalives_idle", SESSION_KEEPALIVE_IDLE_S, conninfo->_idle);
    add_number(conninfo, "keepalives_interval", SESSION_KEEPALIVE_INTERVAL_S, conninfo->_interval);
    add_number(conninfo, "keepalives_count", SESSION_KEEPALIVE_COUNT, conninfo->_probes);
    add_number(conninfo, "tcp_user_timeout", config->tcp_user_timeout_ms, conninfo->_user_timeout);
    /* "prefer" asks the Kerberos library first, which may go to the network without our deadline.
     */
    add_unless_given(conninfo, "gssencmode", "disable");
}

static bool is_set_by_us(const char *keyword)
{
    static const char *const ours[] = {"options", "host", "hostaddr", "port", "client_encoding"};
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        if (strcmp(keyword, ours[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_given(struct conninfo *conninfo)
{
    const PQconninfoOption *option = conninfo->_parsed;
    for (; option->keyword != NULL; option++) {
        if (option->val != NULL && !is_set_by_us(option->keyword)) {
            add(conninfo, option->keyword, option->val);
        }
    }
}

static int add_all(struct conninfo *conninfo, const struct session_config *config,
                   size_t host_offset)
{
    int error;

    if ((error = add_rotated(conninfo, "host", host_offset, conninfo->_hosts)) < 0 ||
        (error = add_rotated(conninfo, "hostaddr", host_offset, conninfo->_addresses)) < 0 ||
        (error = add_rotated(conninfo, "port", host_offset, conninfo->_ports)) < 0 ||
        (error = add_options(conninfo, config)) < 0) {
        return error;
    }
    add_given(conninfo);
    add_defaults(conninfo, config);
    conninfo->keywords[conninfo->_count] = NULL;
    conninfo->values[conninfo->_count] = NULL;
    return 0;
}

int conninfo_init(struct conninfo *conninfo, const struct session_config *config,
                  size_t host_offset)
{
    char *message = NULL;

    conninfo->_count = 0;
    conninfo->_parsed = PQconninfoParse(config->conninfo, &message);
    if (conninfo->_parsed == NULL) {
        int error = message == NULL ? -ENOMEM : -EINVAL;
        PQfreemem(message);
        return error;
    }
    int error = add_all(conninfo, config, host_offset);
    if (error < 0) {
        conninfo_fini(conninfo);
    }
    return error;
}

void conninfo_fini(struct conninfo *conninfo)
{
    PQconninfoFree(conninfo->_parsed);
    conninfo->_parsed = NULL;
}
