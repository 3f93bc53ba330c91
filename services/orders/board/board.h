/*
 * What this replica knows of the sales that somebody looks at: read again and again, never told
 * (CORRECTNESS C2). From here edges get what they refuse by, and streams the news.
 *
 * A sale is watched while an edge has asked for it in the last BOARD_ASKED_MS or a stream holds a
 * watch on it. All watched sales are read by primary key every BOARD_PERIOD_MS, in pages, by one
 * urgent job at a time. An entry keeps the monotonic time before its read was sent: its age is
 * counted from there, so whoever refuses by it is never later than what was read.
 *
 * Of a sale that is sold out, with nothing coming back, a filter of its order ids is made by
 * ordinary jobs, a slice at a time (filter_build.h). It is given out only while the entry says the
 * sold_out_since that it was made of. When units return and the sale sells out again, the later
 * orders are added to the same bits while its size allows. A large sale's filter is begun while it
 * still sells (filter_forecast.h), so that at the sell-out only the last orders are to be read;
 * that takes a small share of the time, and such a filter stands for nothing. All filters together
 * have a bound; those that stand for nothing make room first, then those of the sales that were
 * asked for longest ago.
 *
 * Edges pass on the sale ids of strangers. Ids that were not found yet have a table of their own,
 * so that inventing ids pushes out nothing but other inventions, and a tick reads no more of them
 * than half a page.
 *
 * All functions may be called from any thread but where it says otherwise.
 */
#ifndef ORDERS_BOARD_BOARD_H
#define ORDERS_BOARD_BOARD_H

#include "base/list.h"
#include "orders/board/board_filter.h"
#include "orders/lanes/lanes.h"

#define BOARD_PERIOD_MS INT64_C(150)
/* A sale that nobody has asked for in this time is not read any more; after the longer time it is
 * forgotten with its filter. */
#define BOARD_ASKED_MS INT64_C(5000)
#define BOARD_KEPT_MS  INT64_C(60000)
/* How long an id that no sale has is not looked for again. */
#define BOARD_MISSING_MS INT64_C(1000)
/* A filter is not begun anew sooner than this after the last one of its sale was, nor before four
 * times as long has passed as that took: making filters takes a fifth of the reads at most. */
#define BOARD_REBUILD_MS     INT64_C(1000)
#define BOARD_REBUILD_FACTOR 4
/* While sales still sell, reading ids ahead takes one part in so many of the time at most, and it
 * catches up on what it left unused in the last so long. */
#define BOARD_AHEAD_PART     10
#define BOARD_AHEAD_SAVED_MS (2 * BOARD_PERIOD_MS)
/* Sale ids of strangers that one tick reads. */
#define BOARD_STRANGERS_READ_MAX (STORE_READ_SALES_MAX / 2)

#define BOARD_LISTENERS_MAX 4
/* Bytes of a sku or title, without the NUL: a character has four at most. */
#define BOARD_TEXT_BYTES_MAX ((size_t)SALE_TEXT_CHARS_MAX * 4)

struct board;

struct board_config {
    struct lanes *lanes;
    const struct system_port *system;
    size_t sales_max;           /* that are known and kept */
    size_t strangers_max;       /* ids that were asked for and not found yet */
    size_t filter_bytes_max;    /* of all filters */
    int64_t transaction_ns_max; /* of one read */
};

/* What is in use. */
struct board_stats {
    size_t sales, strangers, filter_bytes;
};

/* Errors: -ENOMEM. config is copied; lanes and system must outlive the board. */
int board_create(const struct board_config *config, struct board **ret) MUST_CHECK;

/* After the last job has come back, which the end of the workers brings. NULL is fine. */
void board_destroy(struct board *board);

/* Submits what is due and returns when there is something to do next, both monotonic nanoseconds.
 * data is a struct board: a duty of the janitor's. One thread. */
int64_t board_tick(void *data, int64_t now_ns);

struct board_stats board_stats(struct board *board);

/* --- What edges ask ------------------------------------------------------------------------ */

struct board_entry {
    enum sale_state state; /* by the database's clock when it was read */
    int64_t version;
    int32_t stock_remaining, stock_returning;
    int64_t starts_in_ms; /* at least so long from now; 0 once start_time has come */
    int64_t age_ms;       /* since before the read, rounded up */
    int64_t sold_out_since;
    struct board_filter *filter; /* NULL, or a reference; its version is sold_out_since */
};

/*
 * Notes that the sale is asked for, and says what is known of it; false when nothing is. The caller
 * gives the filter's reference back. Does not block.
 */
bool board_read(struct board *board, const struct uuid *sale_id, struct board_entry *ret);

/* --- Streams ------------------------------------------------------------------------------- */

/* A sale as it was read, with its strings. */
struct board_sale {
    struct store_sale seen; /* its strings point below */
    char sku[BOARD_TEXT_BYTES_MAX + 1], title[BOARD_TEXT_BYTES_MAX + 1];
};

/* Who hears of news for a number of watches. Its memory is the caller's, until the board is
 * destroyed. */
struct board_listener {
    /* Some sales have been read again, with news or without: a worker's thread, which holds no lock
     * of the board's. One call at a time. Must not block. */
    void (*on_read)(void *data);
    void *data;
    struct list _news; /* watches whose sale has another version or state; the board's lock */
};

/* One sale that is held on the board. Memory is the caller's, zeroed before; it must stay until
 * board_unwatch has returned. */
struct board_watch {
    void *data; /* the caller's */
    struct board_listener *_listener;
    struct list_link _of_entry, _of_news;
    void *_entry;
};

/* Before the first tick; at most BOARD_LISTENERS_MAX (asserted). */
void board_add_listener(struct board *board, struct board_listener *listener);

/*
 * Holds a sale that was just read, by a read that began at begun_ns (monotonic). From then on
 * listener hears of it. Errors: -ENOSPC, -ENOMEM. The first when half of sales_max are watched and
 * this one is not: streams leave the sales that edges ask for their places.
 */
int board_watch(struct board *board, struct board_watch *watch, struct board_listener *listener,
                const struct store_sale *seen, int64_t begun_ns) MUST_CHECK;

/* Lets go. A watch that holds nothing is fine. */
void board_unwatch(struct board *board, struct board_watch *watch);

/* The next watch of the listener with news, and its sale as it is now; NULL when there is none. */
struct board_watch *board_take_news(struct board *board, struct board_listener *listener,
                                    struct board_sale *ret_sale);

/* The sale of a watch that holds one, as it is now. */
void board_look(struct board *board, const struct board_watch *watch, struct board_sale *ret_sale);

#endif
