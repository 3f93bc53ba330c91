/*
 * Every bound of stampede-orders that is not a setting, and how the bounds relate. The settings are
 * in settings.h; what is in use is reported by gauges.h.
 */
#ifndef ORDERS_LIMITS_H
#define ORDERS_LIMITS_H

#include "contract/timing.h"
#include "orders/domain/placement.h"

#include <stdint.h>

/* --- Time: each bound nests in the next one (CORRECTNESS A6) --------------------------------- */

/* How long a statement waits for the sale's lock, and how long it may take in all. */
#define LIMITS_LOCK_MS      INT64_C(1000)
#define LIMITS_STATEMENT_MS INT64_C(1500)
/* How long a worker waits for one transaction, from BEGIN to the answer to COMMIT. */
#define LIMITS_TRANSACTION_MS ((int64_t)CONTRACT_TRANSACTION_MS)
/* The longest life of a call here: a caller that asks for more gets this. No transaction for it
 * begins later, not even to look what became of a COMMIT. */
#define LIMITS_CALL_MS ((int64_t)CONTRACT_DECISION_MS)
/* How long a worker goes on with one batch, an unknown COMMIT asked about included. */
#define LIMITS_DECISION_MS ((int64_t)CONTRACT_DECISION_MS)
/* A transaction in which nothing happens is ended by the server: a frozen holder of a lock. */
#define LIMITS_IDLE_IN_TRANSACTION_MS INT64_C(1000)
/* Bytes that the server does not acknowledge: the connection is given up. */
#define LIMITS_TCP_USER_MS INT64_C(2000)
/* What a caller waits at least before asking again about an order whose outcome is not known: the
 * longest that an attempt on it may still be under way. */
#define LIMITS_UNKNOWN_RETRY_MS ((int64_t)CONTRACT_ATTEMPT_LIFE_MS)

_Static_assert(LIMITS_LOCK_MS < LIMITS_STATEMENT_MS, "a lock wait ends as what it is");
_Static_assert(LIMITS_STATEMENT_MS < LIMITS_TRANSACTION_MS, "a statement ends before its worker");
_Static_assert(2 * LIMITS_TRANSACTION_MS < LIMITS_CALL_MS, "there is room for one retry");
_Static_assert(LIMITS_CALL_MS + LIMITS_TRANSACTION_MS <= LIMITS_UNKNOWN_RETRY_MS,
               "whoever waited as told asks when no earlier attempt can place anything any more");
_Static_assert(LIMITS_DECISION_MS >= LIMITS_CALL_MS,
               "an order's end is its call's, not its batch's");
_Static_assert(LIMITS_IDLE_IN_TRANSACTION_MS < LIMITS_TRANSACTION_MS,
               "a frozen holder is gone before a waiter is");

/* --- Calls ----------------------------------------------------------------------------------- */

/* One: a second only takes over what the first has begun, at the price of waking it. */
#define LIMITS_RPC_THREADS       1
#define LIMITS_CALLS_MAX         2048 /* in flight */
#define LIMITS_MESSAGE_BYTES_MAX ((int64_t)CONTRACT_MESSAGE_BYTES_MAX)
/* The unpacked request and the reply; taken in blocks as they are needed. */
#define LIMITS_CALL_ARENA_BYTES (INT64_C(4) * 1024 * 1024)
/* Then a client looks for new replicas. */
#define LIMITS_CONNECTION_AGE_MS INT64_C(300000)

/* The bytes on the wire of an item whose every field is as long as allowed, tags and lengths
 * included; a traceparent of the W3C has 55 characters. */
#define LIMITS_ITEM_BYTES_MAX 640

_Static_assert(LIMITS_MESSAGE_BYTES_MAX / PLACEMENT_BATCH_MAX > LIMITS_ITEM_BYTES_MAX,
               "a full batch of the longest orders fits a message");
_Static_assert(LIMITS_CALL_ARENA_BYTES >= 4 * LIMITS_MESSAGE_BYTES_MAX,
               "a full batch of the longest orders fits unpacked, with its reply");

/* --- Lanes ----------------------------------------------------------------------------------- */

#define LIMITS_LANES_MAX 10000
#define LIMITS_JOBS_MAX  1024 /* reads and the making of sales that wait */
#define LIMITS_ACTS_MAX  256  /* acts on sales that wait; half of them on one */

_Static_assert(LIMITS_JOBS_MAX + LIMITS_ACTS_MAX < LIMITS_CALLS_MAX,
               "waiting reads and acts leave calls for orders");

/* --- What nobody asks for -------------------------------------------------------------------- */

/* How often sales are looked for that have something due. */
#define LIMITS_SWEEP_INTERVAL_MS INT64_C(150)
/* What the clocks of two machines may differ by in the length of one lease, and some more. */
#define LIMITS_LEASE_MARGIN_MS INT64_C(15)
/* How often old events are looked for. */
#define LIMITS_PRUNE_INTERVAL_MS INT64_C(60000)

_Static_assert(2 * LIMITS_SWEEP_INTERVAL_MS + CONTRACT_BOARD_LEASE_MS + LIMITS_LEASE_MARGIN_MS <
                   1000 - 150,
               "a unit is sold again within a second of its hold's end, transactions included");

/* How often the database is asked what our sessions do there. Unanswered for
 * LIMITS_SESSIONS_STALE_MS the last answer is no longer shown. */
#define LIMITS_SESSIONS_INTERVAL_MS INT64_C(1000)
#define LIMITS_SESSIONS_STALE_MS    INT64_C(10000)

_Static_assert(2 * (LIMITS_SESSIONS_INTERVAL_MS + LIMITS_TRANSACTION_MS) <=
                   LIMITS_SESSIONS_STALE_MS,
               "one question that fails hides nothing");

/* --- The board and streams ------------------------------------------------------------------- */

#define LIMITS_BOARD_SALES_MAX     2048 /* that are read again and again */
#define LIMITS_BOARD_STRANGERS_MAX 512  /* ids that edges ask for and that were not found yet */
/* All filters of order ids together; the largest has a third of this. */
#define LIMITS_BOARD_FILTER_BYTES ((size_t)64 * 1024 * 1024)
#define LIMITS_SALE_STREAMS_MAX   512 /* WatchSales */
#define LIMITS_EVENT_STREAMS_MAX  64  /* StreamOrderEvents */
/* The page of events that a stream is sending. */
#define LIMITS_EVENT_PAGE_BYTES ((size_t)4 * 1024 * 1024)

_Static_assert(LIMITS_SALE_STREAMS_MAX + LIMITS_EVENT_STREAMS_MAX + LIMITS_JOBS_MAX +
                       LIMITS_ACTS_MAX <
                   LIMITS_CALLS_MAX,
               "streams, waiting reads and acts leave calls for orders");

/* --- Being alive --------------------------------------------------------------------------------
 */

/* The janitor turns every second, for its duties only hand work on, and so do the threads of the
 * gRPC server (rpc/server.h), whose handlers do not block; a worker that has a connection turns
 * after every task, each of whose waits has a bound. Beyond these /livez says that they are stuck.
 */
#define LIMITS_JANITOR_TURN_MS INT64_C(15000)
#define LIMITS_RPC_TURN_MS     INT64_C(15000)
#define LIMITS_WORKER_TURN_MS  INT64_C(60000)

_Static_assert(LIMITS_WORKER_TURN_MS >= 4 * (LIMITS_DECISION_MS + LIMITS_TRANSACTION_MS),
               "what is slow is not stuck");

/* --- Start and stop -------------------------------------------------------------------------- */

/* A program that has found no database for so long asks for calls all the same, to refuse them with
 * the reason. */
#define LIMITS_ANNOUNCE_MS INT64_C(3000)
/* How often a drain looks whether everything has been answered. */
#define LIMITS_DRAIN_LOOK_MS 10
/* After a drain's timeout: how long the refusals of what still waited have to leave the program. */
#define LIMITS_DRAIN_REPLIES_MS 500

#endif
