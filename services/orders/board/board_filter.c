#include "orders/board/board_filter.h"

#include <stdlib.h>

struct board_filter *board_filter_create(struct id_filter_shape shape)
{
    struct board_filter *filter = calloc(1, sizeof(*filter));
    if (filter == NULL || id_filter_init(&filter->bits, shape) < 0) {
        free(filter);
        return NULL;
    }
    atomic_init(&filter->_refs, 1);
    return filter;
}

struct board_filter *board_filter_copy(const struct board_filter *from)
{
    struct board_filter *filter = calloc(1, sizeof(*filter));
    if (filter == NULL || id_filter_init_copy(&filter->bits, &from->bits) < 0) {
        free(filter);
        return NULL;
    }
    filter->ids = from->ids;
    atomic_init(&filter->_refs, 1);
    return filter;
}

struct board_filter *board_filter_ref(struct board_filter *filter)
{
    CHECK(atomic_fetch_add_explicit(&filter->_refs, 1, memory_order_relaxed) > 0);
    return filter;
}

void board_filter_unref(struct board_filter *filter)
{
    if (filter == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub_explicit(&filter->_refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1) {
        id_filter_fini(&filter->bits);
        free(filter);
    }
}

bool board_filter_is_sole(const struct board_filter *filter)
{
    return atomic_load_explicit(&filter->_refs, memory_order_acquire) == 1;
}
