/*
 * Every bound of the edge that no setting changes, and how the bounds relate. Settings are in
 * settings.c; what is in force is logged at start and shown under /limits.
 */
#ifndef EDGE_LIMITS_H
#define EDGE_LIMITS_H

#include "contract/timing.h"

/* --- Placing orders ------------------------------------------------------------------------- */

/* Orders that one BatchPlaceOrders call carries; the contract's own bound. */
#define EDGE_ORDERS_PER_CALL_MAX 512
/* Units that one order may ask for; the contract's own bound too. */
#define EDGE_ORDER_UNITS_MAX 1000
/* What one call's orders may take on the wire, far enough below what the orders service takes for
 * the call's own fields; a full call of the longest orders is shorter still. */
#define EDGE_CALL_BYTES_MAX (CONTRACT_MESSAGE_BYTES_MAX / 4 * 3)
/* Numbers, tags and lengths of one order on the wire, beside its texts. */
#define EDGE_ORDER_OVERHEAD_BYTES 64
/* Batch calls of one sale in flight, per loop: below the loop's total, so that a stuck sale cannot
 * stop the others. One: a second would wait at the sale's lane for the first to be committed, with
 * orders that the next call could have carried together with later ones (docs/performance.md). */
#define EDGE_CALLS_PER_SALE_MAX       1
#define EDGE_BATCH_CALLS_PER_LOOP_MAX 32
/* Orders that wait for a call or for their next attempt, per loop. */
#define EDGE_WAITING_ORDERS_PER_LOOP_MAX 8192
/* Sales that have orders waiting or in flight, per loop. */
#define EDGE_SALES_PER_LOOP_MAX 4096

/* --- The board of sales ---------------------------------------------------------------------- */

/* Sales on the board: those that are known, and those that were asked for but may not exist. */
#define EDGE_BOARD_SALES_MAX 1024
/* Sales in one ReadBoard call, the contract's own bound, and how many of them are kept for sales
 * that nothing is known of yet. */
#define EDGE_BOARD_POSITIONS_MAX       100
#define EDGE_BOARD_NEWCOMERS_PER_ROUND 10
/* All filters of order ids together; without room for its filter a sale is not refused here. */
#define EDGE_BOARD_FILTER_BYTES_MAX (64 * 1024 * 1024)
/* A sale is asked about this often, */
#define EDGE_BOARD_ROUND_MS 150
/* while somebody placed an order there in the last so many milliseconds, */
#define EDGE_BOARD_TRAFFIC_MS 3000
/* and forgotten after this long without, its filter included. */
#define EDGE_BOARD_FORGET_MS 60000
/* A filter may be thrown out for another's sake when its sale is quiet for so long, and who found
 * no room tries again after the second time. */
#define EDGE_BOARD_FILTER_IDLE_MS  1000
#define EDGE_BOARD_FILTER_RETRY_MS 5000
/* A ReadBoard call. */
#define EDGE_BOARD_CALL_MS 300
/* A sale that opens sooner than this is not refused as not open: clocks, and the way here. */
#define EDGE_BOARD_START_MARGIN_MS 1000

/* --- Reads ---------------------------------------------------------------------------------- */

/* Different reads at a time, per loop: calls that are in flight or gather. */
#define EDGE_READ_CALLS_PER_LOOP_MAX 256
/* Chains in which the same read is looked for; a power of two. */
#define EDGE_READ_CHAINS_PER_LOOP 256
/* Requests that share one such call, and all that wait for one, per loop. */
#define EDGE_READS_PER_CALL_MAX 8192
#define EDGE_READS_PER_LOOP_MAX 32768
/* Message and credentials of a read that may share its call; a longer one goes alone. */
#define EDGE_JOINED_QUESTION_BYTES_MAX 512
/* A call that is not back after this long does not keep the next of its kind waiting any more. */
#define EDGE_READ_PATIENCE_MS 500

/* --- Everything else ------------------------------------------------------------------------ */

/* Calls other than batches and shared reads in flight, per loop. */
#define EDGE_UNARY_CALLS_PER_LOOP_MAX 256

/* --- Time ----------------------------------------------------------------------------------- */

/* What a 504 asks to wait: by then no attempt can place anything any more. */
#define EDGE_ATTEMPT_LIFE_MS CONTRACT_ATTEMPT_LIFE_MS
/* A call lives this long whatever becomes of its HTTP requests. */
#define EDGE_CALL_LIFE_MS 6000
/* An order is not sent with less time left than this, and its time upstream ends this much before
 * its HTTP time, so that the result can still travel back. */
#define EDGE_ORDER_MARGIN_MS 50
/* Between an attempt without a proof and the next. */
#define EDGE_RETRY_PAUSE_MS 75
/* A connection to the orders service that is back within this time was never gone, as far as others
 * can tell: what comes in waits for it. Longer than the pause between two attempts to connect. */
#define EDGE_RECONNECT_GRACE_MS 1500
/* How often a draining replica may refuse an order before its caller hears of it. */
#define EDGE_DRAINING_RETRIES_MAX 3
/* Retry-After of a 503 when nothing better is known. */
#define EDGE_RETRY_AFTER_MIN_MS 1000
#define EDGE_RETRY_AFTER_MAX_MS 30000
/* Head and body of a request must arrive in this time, and an idle connection is kept so long. */
#define EDGE_READ_TIMEOUT_MS 10000
/* A loop wakes at least this often. */
#define EDGE_LOOP_WAIT_MAX_MS 1000
/* A loop that has not turned for so long is stuck: /livez says so. */
#define EDGE_LOOP_TURN_MAX_MS INT64_C(15000)
/* The same of the channel's thread, which wakes at least every second too. */
#define EDGE_CHANNEL_TURN_MAX_MS INT64_C(15000)
/* After accept ran out of descriptors. */
#define EDGE_ACCEPT_PAUSE_MS 100
/* While draining, an idle connection has this long to send a request that was on its way. */
#define EDGE_DRAIN_IDLE_GRACE_MS 1000
/* After the drain's deadline, for writing the last answers. */
#define EDGE_DRAIN_FLUSH_MS 500

/* --- Memory --------------------------------------------------------------------------------- */

#define EDGE_LOOPS_MAX      64
#define EDGE_BODY_BYTES_MAX (1024 * 1024)
/* A body this much longer than allowed is still read, so that its sender surely gets the 413
 * rather than a reset; one that is longer yet is refused from its head. */
#define EDGE_BODY_SLACK_BYTES (48 * 1024)
/* What one request may take from its pool for its message: so much for each byte that its body may
 * have, and so much for path, query and headers. */
#define EDGE_MESSAGE_BYTES_PER_BODY_BYTE 16
#define EDGE_MESSAGE_BYTES_BASE          (64 * 1024)
/* A reply as JSON, and what its growing buffer and its headers may take in all. */
#define EDGE_REPLY_JSON_BYTES_MAX   (8 * 1024 * 1024)
#define EDGE_REPLY_MEMORY_BYTES_MAX (2 * EDGE_REPLY_JSON_BYTES_MAX + 64 * 1024)
/* A reply of the orders service as it travels, and unpacked. */
#define EDGE_REPLY_BYTES_MAX       (4 * 1024 * 1024)
#define EDGE_REPLY_ARENA_BYTES_MAX (32 * 1024 * 1024)
/* The details of a reply's errors, unpacked; a batch of the longest errors fits. */
#define EDGE_STATUS_ARENA_BYTES_MAX (16 * 1024 * 1024)
/* Descriptors besides connections: listeners, pipes, epoll, gRPC, ops. */
#define EDGE_DESCRIPTORS_RESERVED 256

_Static_assert(CONTRACT_DECISION_MS < EDGE_CALL_LIFE_MS,
               "the orders service decides before the call ends");
_Static_assert(EDGE_BOARD_CALL_MS < CONTRACT_BOARD_LEASE_MS,
               "an answer comes while it still counts, or not at all");
_Static_assert(EDGE_BOARD_ROUND_MS < CONTRACT_BOARD_LEASE_MS / 2,
               "a lease is renewed in time though one round fails");
_Static_assert(EDGE_BOARD_START_MARGIN_MS > CONTRACT_BOARD_LEASE_MS,
               "what is read once cannot outlast the opening");
_Static_assert(EDGE_BOARD_NEWCOMERS_PER_ROUND < EDGE_BOARD_POSITIONS_MAX,
               "most of a call is for sales that exist");
_Static_assert(EDGE_CALLS_PER_SALE_MAX < EDGE_BATCH_CALLS_PER_LOOP_MAX,
               "one sale cannot take all calls");
_Static_assert((EDGE_READ_CHAINS_PER_LOOP & (EDGE_READ_CHAINS_PER_LOOP - 1)) == 0,
               "chains are chosen by a mask");
_Static_assert(2 * EDGE_READS_PER_CALL_MAX < EDGE_READS_PER_LOOP_MAX,
               "the readers of one page cannot take all room");
_Static_assert(EDGE_READ_PATIENCE_MS > EDGE_RETRY_PAUSE_MS &&
                   EDGE_READ_PATIENCE_MS * 4 < EDGE_CALL_LIFE_MS,
               "a stuck call is overtaken in time for those behind it");
_Static_assert(EDGE_RETRY_PAUSE_MS * 4 < EDGE_CALL_LIFE_MS, "there is time for a second attempt");

#endif
