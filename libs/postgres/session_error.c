#include "postgres/session_error.h"

#include "base/text.h"

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void session_error_copy_line(char *ret_line, size_t line_bytes, const char *text)
{
    size_t length = strnlen(text, line_bytes);

    CHECK(line_bytes > 0);
    if (length == line_bytes) {
        length = line_bytes - 1;
        while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80) {
            length--; /* do not cut a character in two */
        }
    }
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) {
        length--;
    }
    bool is_utf8 = text_is_utf8(text, length);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        ret_line[i] = byte < 0x20 ? ' ' : !is_utf8 && byte >= 0x80 ? '?' : text[i];
    }
    ret_line[length] = '\0';
}

static enum db_status set(struct session_error *error, enum db_status status, const char *sqlstate,
                          const char *constraint, const char *message)
{
    CHECK(status != DB_OK);
    error->status = status;
    session_error_copy_line(error->sqlstate, sizeof(error->sqlstate), sqlstate);
    session_error_copy_line(error->constraint, sizeof(error->constraint), constraint);
    session_error_copy_line(error->message, sizeof(error->message), message);
    return status;
}

enum db_status session_error_set(struct session_error *error, enum db_status status,
                                 const char *format, ...)
{
    char message[2 * SESSION_ERROR_MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return set(error, status, "", "", message);
}

void session_error_name_statement(struct session_error *error, const char *name)
{
    char message[2 * SESSION_ERROR_MESSAGE_BYTES];
    snprintf(message, sizeof(message), "statement %s: %s", name, error->message);
    session_error_copy_line(error->message, sizeof(error->message), message);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

enum db_status session_error_set_result(struct session_error *error, const struct pg_result *result)
{
    const char *sqlstate = or_empty(PQresultErrorField(result, PG_DIAG_SQLSTATE));
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum db_status status = sqlstate_classify(sqlstate);

    return set(error, status == DB_OK ? DB_PROTOCOL : status, sqlstate,
               or_empty(PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME)),
               message != NULL ? message : PQresultErrorMessage(result));
}

static bool is_sqlstate(const char *text)
{
    for (size_t i = 0; i < SQLSTATE_CHARS; i++) {
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'A' && text[i] <= 'Z')) {
            return false;
        }
    }
    return true;
}

/* The last "FATAL:  53300: " in libpq's text; the severity's word may be translated. */
static void find_sqlstate(const char *text, char ret_sqlstate[SQLSTATE_CHARS + 1])
{
    ret_sqlstate[0] = '\0';
    for (const char *at = strstr(text, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *candidate = at + strlen(":  ");
        if (strlen(candidate) > SQLSTATE_CHARS && candidate[SQLSTATE_CHARS] == ':' &&
            is_sqlstate(candidate)) {
            memcpy(ret_sqlstate, candidate, SQLSTATE_CHARS);
            ret_sqlstate[SQLSTATE_CHARS] = '\0';
        }
    }
}

/* Copies the lines but for the server's source location, which nobody here can use. */
static void drop_location_lines(const char *text, char *ret_text, size_t text_bytes)
{
    size_t used = 0;
    while (*text != '\0' && used + 1 < text_bytes) {
        size_t line = strcspn(text, "\n");
        line += text[line] == '\n';
        if (strncmp(text, "LOCATION:", strlen("LOCATION:")) != 0) {
            size_t copied = line < text_bytes - 1 - used ? line : text_bytes - 1 - used;
            memcpy(ret_text + used, text, copied);
            used += copied;
        }
        text += line;
    }
    ret_text[used] = '\0';
}

/* With target_session_attrs libpq itself turns away a server that cannot be written to, and has
 * only words for it; they are English in programs that set no locale. */
static bool libpq_says_read_only(const char *text)
{
    return strstr(text, "session is read-only") != NULL ||
           strstr(text, "server is in hot standby mode") != NULL;
}

enum db_status session_error_set_connect(struct session_error *error,
                                         const struct pg_conn *connection)
{
    char sqlstate[SQLSTATE_CHARS + 1] = "";
    char message[4 * SESSION_ERROR_MESSAGE_BYTES] = "";
    const char *text = PQerrorMessage(connection);
    enum db_status status;

    find_sqlstate(text, sqlstate);
    drop_location_lines(text, message, sizeof(message));
    status = sqlstate_classify(sqlstate);
    if (sqlstate[0] == '\0' && PQconnectionNeedsPassword(connection)) {
        status = DB_ACCESS;
    }
    if (sqlstate[0] == '\0' && libpq_says_read_only(text)) {
        status = DB_READ_ONLY;
    }
    return set(error, status == DB_OK ? DB_PROTOCOL : status, sqlstate, "", message);
}
