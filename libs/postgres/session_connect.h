/*
 * How a closed session becomes an open one: libpq's handshake by our own deadline, then one round
 * trip that asks for the settings in force and prepares the configured statements. Part of
 * session_open().
 */
#ifndef POSTGRES_SESSION_CONNECT_H
#define POSTGRES_SESSION_CONNECT_H

#include "base/check.h"
#include "postgres/sqlstate.h"

#include <stdint.h>

struct session;

/* DB_OK, or the reason is in session->_error and the caller closes what was begun. */
enum db_status session_connect(struct session *session, int64_t deadline_ns) MUST_CHECK;

#endif
