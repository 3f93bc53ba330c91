/*
 * What the parts of the PostgreSQL store share: its session, how it is opened again, and how a
 * database error becomes a store result. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_CONNECTION_H
#define ORDERS_ADAPTERS_POSTGRES_CONNECTION_H

#include "orders/adapters/postgres/sale_terms.h"
#include "orders/adapters/postgres/store_postgres.h"
#include "postgres/backoff.h"
#include "postgres/session.h"

#define CONNECTION_MAGIC UINT32_C(0x5706e905)

struct store_postgres {
    uint32_t magic;
    struct store_postgres_config config;
    struct session_config session_config;
    struct session session;
    struct backoff backoff;
    int64_t next_attempt_ns; /* not before: the back-off's rule */
    struct sale_terms_memory terms;
};

/* The store behind a port's data pointer. */
struct store_postgres *connection_of(void *data);

/* The port's is_connected. */
bool connection_is_open(void *data);

/* The port's wait_connected: opens the session with a back-off until the deadline; true once it is
 * open and the schema fits. */
bool connection_wait_open(void *data, int64_t deadline_ns);

/*
 * Before work: true when the session is open, after one quick attempt to open it again where the
 * server has ended it meanwhile.
 */
bool connection_prepare(struct store_postgres *store, int64_t deadline_ns);

/*
 * What an error means while certainly no COMMIT was sent. Tells the observer, ends a failed
 * transaction with ROLLBACK, and closes a session that cannot go on.
 */
enum store_result connection_fail(struct store_postgres *store, enum db_status status,
                                  int64_t deadline_ns);

/*
 * The same for a statement that a COMMIT follows in its group. Its error alone proves nothing, for
 * a proxy in between can say one too: only the server's word that the transaction has failed, which
 * ends the group, proves that the COMMIT was skipped. Without it the session is closed and the
 * result is STORE_UNKNOWN.
 */
enum store_result connection_fail_before_commit(struct store_postgres *store, enum db_status status,
                                                int64_t deadline_ns);

/* Tells the observer about the session's last error. */
void connection_report(struct store_postgres *store, enum db_status status);

/* A load begins: the time, for connection_end_load. */
int64_t connection_begin_load(const struct store_postgres *store);

/* A load of a sale has ended: tells the observer how long it took, and says what it came to.
 * STORE_NOT_FOUND where there is no such sale, and the transaction stays open; what connection_fail
 * says where status is an error. */
enum store_result connection_end_load(struct store_postgres *store, const struct uuid *sale_id,
                                      int64_t begun_ns, enum db_status status, bool found,
                                      int64_t deadline_ns);

/* Tells the observer that an answer makes no sense or does not fit the arena: STORE_BROKEN. */
enum store_result connection_unsound(struct store_postgres *store);

/* Rolls back what is open; closes the session when even that fails. */
void connection_rollback(struct store_postgres *store, int64_t deadline_ns);

/*
 * Judges the answer to a COMMIT that was sent: STORE_OK committed; STORE_CONFLICT or STORE_REJECTED
 * proved to be rolled back; STORE_UNKNOWN everything else, a success with a warning included
 * (CORRECTNESS A3). The session is closed on STORE_UNKNOWN.
 */
enum store_result connection_receive_commit(struct store_postgres *store, int64_t deadline_ns);

/* Sends COMMIT by itself, with nothing pending, and judges its answer. */
enum store_result connection_commit(struct store_postgres *store, int64_t deadline_ns);

#endif
