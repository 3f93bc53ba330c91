#include "orders/board/filter_build.h"

#include <errno.h>
#include <stdlib.h>

static int init(struct filter_build *build, const struct sale *sale, uint64_t up_to,
                struct board_filter *filter)
{
    CHECK(filter->ids <= up_to && board_filter_is_sole(filter));
    struct uuid *slice = malloc(FILTER_BUILD_SLICE_IDS * sizeof(*slice));
    if (slice == NULL) {
        return -ENOMEM;
    }
    filter->version = BOARD_FILTER_UNFINISHED;
    *build = (struct filter_build){
        .sale_id = sale->sale_id,
        .sold_out_since = sale->sold_out_since,
        .orders_count = up_to,
        .filter = filter,
        ._slice = slice,
    };
    return 0;
}

int filter_build_init(struct filter_build *build, const struct sale *sale,
                      struct board_filter *filter)
{
    const uint64_t count = (uint64_t)sale->orders_count;
    CHECK(sale->sold_out_since > 0 && sale->orders_count >= 0);
    CHECK(id_filter_shape_equal(filter->bits.shape, id_filter_shape_for(count)));
    return init(build, sale, count, filter);
}

int filter_build_init_ahead(struct filter_build *build, const struct sale *sale,
                            struct board_filter *filter)
{
    const uint64_t up_to = filter->ids + FILTER_BUILD_AHEAD_IDS;
    CHECK(sale->sold_out_since == 0 && sale->orders_count >= (int64_t)up_to);
    return init(build, sale, up_to, filter);
}

bool filter_build_is_ahead(const struct filter_build *build)
{
    return build->sold_out_since == 0;
}

/* Whether the sale is still as sold out as when the build began. */
static enum filter_build_step look_again(struct filter_build *build, const struct store *store,
                                         int64_t deadline_ns, struct arena *arena)
{
    struct store_sale_page page;
    if (store->read_sales(store->data, &build->sale_id, 1, deadline_ns, arena, &page) != STORE_OK) {
        return FILTER_BUILD_LATER;
    }
    if (page.count != 1 || page.sales[0].sale.sold_out_since != build->sold_out_since ||
        (uint64_t)page.sales[0].sale.orders_count != build->orders_count) {
        return FILTER_BUILD_GONE;
    }
    build->filter->version = build->sold_out_since;
    return FILTER_BUILD_DONE;
}

enum filter_build_step filter_build_step(struct filter_build *build, const struct store *store,
                                         int64_t deadline_ns, struct arena *arena)
{
    struct board_filter *filter = build->filter;
    uint64_t left = build->orders_count - filter->ids;
    size_t limit = left < FILTER_BUILD_SLICE_IDS ? (size_t)left : FILTER_BUILD_SLICE_IDS, count = 0;

    if (left == 0) {
        return look_again(build, store, deadline_ns, arena);
    }
    enum store_result result =
        store->read_order_ids(store->data, &build->sale_id, (int64_t)filter->ids, limit,
                              deadline_ns, arena, build->_slice, &count);
    if (result != STORE_OK) {
        return FILTER_BUILD_LATER;
    }
    CHECK(count <= limit);
    for (size_t i = 0; i < count; i++) {
        id_filter_add(&filter->bits, &build->_slice[i]);
    }
    filter->ids += count;
    if (count < limit) {
        return FILTER_BUILD_GONE; /* numbers are gapless: the sale is not what its row said */
    }
    return filter_build_is_ahead(build) && count == left ? FILTER_BUILD_AHEAD : FILTER_BUILD_MORE;
}

struct board_filter *filter_build_fini(struct filter_build *build)
{
    struct board_filter *filter = build->filter;
    free(build->_slice);
    *build = (struct filter_build){0};
    return filter;
}
