#include "postgres/sqlstate.h"

#include "base/check.h"

#include <stddef.h>
#include <string.h>

/* One line per rule; the first whose prefix fits decides, so whole codes stand before classes. */
static const struct {
    const char *prefix;
    enum db_status status;
} rules[] = {
    {"00000", DB_OK},
    {"08", DB_CONNECTION_LOST},
    {"0A000", DB_STATEMENT}, /* "cached plan must not change result type", among others */
    {"22", DB_DATA},
    {"23", DB_CONSTRAINT},
    {"25006", DB_READ_ONLY},
    {"25P03", DB_CONNECTION_LOST}, /* idle_in_transaction_session_timeout */
    {"25P04", DB_CONNECTION_LOST}, /* transaction_timeout (PostgreSQL 17) */
    {"26000", DB_STATEMENT},
    {"28", DB_ACCESS},
    {"3D000", DB_ACCESS},
    {"40", DB_ROLLBACK},
    {"42501", DB_ACCESS},
    {"42", DB_STATEMENT},
    {"53300", DB_TOO_MANY},
    {"53", DB_RESOURCES},
    {"54", DB_RESOURCES},
    {"55P03", DB_TIMEOUT},
    {"57014", DB_TIMEOUT},
    {"57P01", DB_SHUTDOWN},
    {"57P02", DB_SHUTDOWN},
    {"57P03", DB_SHUTDOWN},
    {"57P05", DB_SHUTDOWN},
};

static bool begins_with(const char *sqlstate, const char *prefix)
{
    return strncmp(sqlstate, prefix, strlen(prefix)) == 0;
}

enum db_status sqlstate_classify(const char *sqlstate)
{
    if (sqlstate == NULL || sqlstate[0] == '\0') {
        return DB_CONNECTION_LOST;
    }
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (begins_with(sqlstate, rules[i].prefix)) {
            return rules[i].status;
        }
    }
    return DB_OTHER;
}

const char *sqlstate_status_label(enum db_status status)
{
    static const char *const labels[] = {
#define SQLSTATE_STATUS_LABEL(name, label) [name] = (label),
        SQLSTATE_STATUS_TABLE(SQLSTATE_STATUS_LABEL)
#undef SQLSTATE_STATUS_LABEL
    };
    CHECK((size_t)status < COUNT_OF(labels));
    return labels[status];
}

bool sqlstate_proves_rollback(const char *sqlstate)
{
    if (sqlstate == NULL) {
        return false;
    }
    if (begins_with(sqlstate, "40003")) {
        return false; /* statement_completion_unknown, which distributed engines answer */
    }
    return begins_with(sqlstate, "23") || begins_with(sqlstate, "40");
}
