/*
 * Fills a filter with the ids of a sale, a slice at a time, so that other reads get their turns
 * between slices.
 *
 * Slices are reads of their own, not one snapshot. That is enough: while a sale is sold out no
 * order is inserted, and sold_out_since moves with every sell-out. So when the row says the same
 * sold_out_since before the first slice and after the last, the orders in between were all of
 * them, numbers 1 to orders_count, and none was added (docs/decisions/0008).
 *
 * Which of those slices were read before the sell-out makes no difference. Numbers are given under
 * the sale's lock, in the transaction that inserts their orders, and the lock goes to the next one
 * after its COMMIT: whoever reads the row with an orders_count of N finds the orders 1 to N, and
 * none of them ever gets another id or goes. So a build ahead of the sell-out reads numbers up to
 * some orders_count that was seen, ends without a version, and is what a later build begins with.
 *
 * One thread at a time.
 */
#ifndef ORDERS_BOARD_FILTER_BUILD_H
#define ORDERS_BOARD_FILTER_BUILD_H

#include "orders/board/board_filter.h"
#include "orders/ports/store.h"

/* Ids that one slice reads. Ahead of the sell-out it reads fewer, so that the crowd's reads hardly
 * wait for it, and never less than all of these: a small sale costs nothing ahead. */
#define FILTER_BUILD_SLICE_IDS 20000
#define FILTER_BUILD_AHEAD_IDS 5000

enum filter_build_step {
    FILTER_BUILD_MORE,  /* another slice is to be read */
    FILTER_BUILD_DONE,  /* the filter is complete and has its version */
    FILTER_BUILD_AHEAD, /* the slice ahead of the sell-out is in the filter, which has no version */
    FILTER_BUILD_GONE,  /* the sale is no longer as it was: the filter stays unfinished */
    FILTER_BUILD_LATER, /* the store could not: what is in the filter so far is right */
};

struct filter_build {
    struct uuid sale_id;
    int64_t sold_out_since;      /* 0: ahead of the sell-out */
    uint64_t orders_count;       /* the last number that is to be read */
    struct board_filter *filter; /* the build's alone */
    struct uuid *_slice;
};

/*
 * Begins a build of a sale that is sold out. filter has the shape of the sale's orders_count, holds
 * its first filter->ids orders and no others, and becomes the build's, on success only. Errors:
 * -ENOMEM.
 */
int filter_build_init(struct filter_build *build, const struct sale *sale,
                      struct board_filter *filter) MUST_CHECK;

/*
 * Begins one slice of a sale that is still selling, which has orders enough for it beyond those of
 * the filter. The filter's shape is any; otherwise as above.
 */
int filter_build_init_ahead(struct filter_build *build, const struct sale *sale,
                            struct board_filter *filter) MUST_CHECK;

/* Whether it was begun by the second of these. */
bool filter_build_is_ahead(const struct filter_build *build);

/* Reads one slice, or where all ids are in looks at the sale once more. Blocks until the deadline
 * (monotonic nanoseconds) at most; arena is scratch. */
enum filter_build_step filter_build_step(struct filter_build *build, const struct store *store,
                                         int64_t deadline_ns, struct arena *arena) MUST_CHECK;

/* Ends a build, complete or not; the filter is the caller's again. */
struct board_filter *filter_build_fini(struct filter_build *build);

#endif
