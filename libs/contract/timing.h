/*
 * The bounds that a caller and the orders service must agree on, though each is a program of its
 * own: how long an order may take, and how long a message may be. Both include this file, so that
 * what one promises is what the other counts on.
 */
#ifndef CONTRACT_TIMING_H
#define CONTRACT_TIMING_H

/* The orders service decides an order within this time of its arrival there, or never begins to
 * place it; a transaction that it began by then has ended CONTRACT_TRANSACTION_MS later. */
#define CONTRACT_DECISION_MS    5000
#define CONTRACT_TRANSACTION_MS 2000
/* The longest time in which an attempt that reached the orders service can still place something:
 * who waits so long before asking again gets an answer that is final. */
#define CONTRACT_ATTEMPT_LIFE_MS (CONTRACT_DECISION_MS + CONTRACT_TRANSACTION_MS)

/* What an edge reads on the board counts for this long: from when it asked, less the age of what
 * the replica had read. Stock that returns to a sold-out sale is sold no sooner than this after it
 * was read as returning, so that no edge refuses an order that exists. */
#define CONTRACT_BOARD_LEASE_MS 500

/* The longest message that the orders service takes. */
#define CONTRACT_MESSAGE_BYTES_MAX (1024 * 1024)

_Static_assert(2 * CONTRACT_TRANSACTION_MS < CONTRACT_DECISION_MS,
               "a decision has room for a second transaction");

#endif
