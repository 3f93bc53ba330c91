#include "edge/board/board_filter.h"

#include <errno.h>
#include <stdlib.h>

int board_filter_create(int64_t version, struct id_filter_shape shape, struct board_filter **ret)
{
    struct board_filter *filter = calloc(1, sizeof(*filter));
    if (filter == NULL) {
        return -ENOMEM;
    }
    if (id_filter_init(&filter->ids, shape) != 0) {
        free(filter);
        return -ENOMEM;
    }
    filter->version = version;
    atomic_init(&filter->_refs, 1);
    *ret = filter;
    return 0;
}

bool board_filter_write(struct board_filter *filter, const struct board_chunk *chunk)
{
    struct id_filter_shape shape;
    if (chunk->version != filter->version || chunk->offset != (int64_t)filter->received ||
        chunk->length > ID_FILTER_CHUNK_BYTES_MAX ||
        !id_filter_shape_read(chunk->total, chunk->hashes, &shape) ||
        !id_filter_shape_equal(shape, filter->ids.shape) ||
        !id_filter_write(&filter->ids, chunk->offset, chunk->data, chunk->length)) {
        return false;
    }
    filter->received += chunk->length;
    CHECK(filter->received <= filter->ids.shape.bytes);
    return true;
}

bool board_filter_is_complete(const struct board_filter *filter)
{
    return filter->received == filter->ids.shape.bytes;
}

struct board_filter *board_filter_ref(struct board_filter *filter)
{
    atomic_fetch_add_explicit(&filter->_refs, 1, memory_order_relaxed);
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
        id_filter_fini(&filter->ids);
        free(filter);
    }
}
