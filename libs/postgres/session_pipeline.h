/*
 * The wire side of a session: the ring of what was sent and not yet received, and the waits. libpq
 * does not say which statement a result belongs to, so the ring remembers; the head is what the
 * next bytes from the server speak of. Part of a session; other code uses session.h.
 *
 * Every function leaves its reason in session->_error when it fails, and SESSION_BROKEN where
 * nothing can be received any more.
 */
#ifndef POSTGRES_SESSION_PIPELINE_H
#define POSTGRES_SESSION_PIPELINE_H

#include "base/check.h"
#include "postgres/sqlstate.h"

#include <stdbool.h>
#include <stdint.h>

struct params;
struct session;
struct session_item;
struct session_result;
struct statement;

/* Waits for poll(2) events: above 0 when some came, 0 when the deadline passed, or -errno. */
int session_pipeline_wait(const struct session *session, short events,
                          int64_t deadline_ns) MUST_CHECK;

enum db_status session_pipeline_send_parse(struct session *session,
                                           const struct statement *statement) MUST_CHECK;
enum db_status session_pipeline_send_execute(struct session *session,
                                             const struct statement *statement,
                                             const struct params *params, bool streamed) MUST_CHECK;
enum db_status session_pipeline_send_sync(struct session *session) MUST_CHECK;

/* The oldest item; there must be one (asserted). */
const struct session_item *session_pipeline_head(const struct session *session);

/* Each takes its kind of item off the head. The Sync behind an Execute is taken with it. */
enum db_status session_pipeline_receive_parse(struct session *session,
                                              int64_t deadline_ns) MUST_CHECK;
enum db_status session_pipeline_receive_execute(struct session *session, int64_t deadline_ns,
                                                struct session_result *ret) MUST_CHECK;
enum db_status session_pipeline_receive_sync(struct session *session,
                                             int64_t deadline_ns) MUST_CHECK;

/* Ends the session's use because libpq refused a call, or because of an answer nobody asked for. */
enum db_status session_pipeline_break_by_libpq(struct session *session);
enum db_status session_pipeline_break_by_answer(struct session *session, const char *what);

#endif
