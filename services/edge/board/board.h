/*
 * The board: what the edge knows of the sales that are asked for, so that it can refuse by itself
 * what is certain to be refused (CORRECTNESS C).
 *
 * One table for the process. The loops judge by it; one thread, the asker, fills it from the orders
 * service. An entry is a lease: it counts from when the asker asked, less the age of what the
 * replica had read, for CONTRACT_BOARD_LEASE_MS of the monotonic clock. Whatever else is doubtful
 * (no entry, an old one, stock on its way back, no filter or half of one) means forward: orders
 * decides. Two things are refused here and no other:
 *
 *   SOLD_OUT     the entry counts, the sale is sold out and not paused or ended, nothing remains or
 *                comes back, and the filter of the ids since it sold out says that this order
 *                certainly does not exist;
 *   NOT_STARTED  the entry counts and the sale opens in more than EDGE_BOARD_START_MARGIN_MS.
 *
 * Strangers choose the sales that are asked for, so there is a bound on them: a sale is a newcomer
 * until a replica knows it or what orders said of an order vouches for it, and newcomers only
 * displace newcomers.
 *
 * Time comes in from outside. Functions are for any thread or for the asker's, as they say.
 */
#ifndef EDGE_BOARD_BOARD_H
#define EDGE_BOARD_BOARD_H

#include "base/check.h"
#include "base/uuid.h"
#include "edge/board/board_news.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct board;
struct metrics;

/* Bounds; limits.h has the program's. */
struct board_config {
    size_t sales_max;
    size_t filter_bytes_max;
    uint64_t secret[2];      /* random */
    struct metrics *metrics; /* NULL: nothing is counted */
};

/* Errors: -ENOMEM. */
int board_create(const struct board_config *config, struct board **ret) MUST_CHECK;

/* When no thread uses it any more. NULL is fine. */
void board_destroy(struct board *board);

/* --- Judging: any thread ---------------------------------------------------------------------- */

enum board_verdict { BOARD_FORWARD, BOARD_SOLD_OUT, BOARD_NOT_STARTED, BOARD_VERDICTS };

/* An order that somebody wants to place, within the bounds of order_id.h. Borrowed. */
struct board_question {
    struct uuid sale_id;
    const char *customer_id;
    size_t customer_length;
    const char *key;
    size_t key_length;
};

/*
 * Whether the order may be refused at now_ns, and notes that its sale has traffic. now_ns must not
 * be before the order's request had arrived.
 */
enum board_verdict board_judge(struct board *board, const struct board_question *question,
                               int64_t now_ns) MUST_CHECK;

/*
 * Orders has said of an order, which came at now_ns, what it says only where the sale exists. The
 * sale is no newcomer any more: no flood of made-up ids keeps it off the board or has it wait for
 * its first entry. Any thread; costs next to nothing while there are no newcomers.
 */
void board_vouch(struct board *board, const struct uuid *sale_id, int64_t now_ns);

/* --- Asking: the asker's thread --------------------------------------------------------------- */

/* Tells the asker that there is traffic again after board_next_due_ns had nothing to ask for. Set
 * once, before the first judgement; called on the judging thread, must not call back. */
typedef void (*board_awake_fn)(void *data);
void board_on_awake(struct board *board, board_awake_fn on_awake, void *data);

/* When the next round is due, monotonic; CLOCK_DEADLINE_NEVER while there is nothing to ask for. */
int64_t board_next_due_ns(struct board *board);

/*
 * The sales to ask for now, those first that were not asked for longest; forgets what nobody asks
 * for any more. positions has room for EDGE_BOARD_POSITIONS_MAX. ret_has_more: others are due too.
 */
size_t board_positions(struct board *board, int64_t now_ns, struct board_position *positions,
                       bool *ret_has_more);

/*
 * Takes in the answer to a question that was asked at asked_ns. News that contradict themselves, or
 * have a lower version than what is there, are dropped; a chunk that does not fit drops what was
 * collected of its filter and no more. True when the filter goes on at once.
 */
bool board_take(struct board *board, const struct board_news *news, int64_t asked_ns) MUST_CHECK;

/* Ends a round: the next is due at once, or EDGE_BOARD_ROUND_MS after it was asked. */
void board_end_round(struct board *board, int64_t asked_ns, bool goes_on);

/* --- For gauges: any thread ------------------------------------------------------------------- */

size_t board_sales(struct board *board);
size_t board_filter_bytes(const struct board *board);

#endif
