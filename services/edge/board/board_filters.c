#include "edge/board/board_filters.h"

#include "base/clock.h"
#include "edge/limits.h"

_Static_assert(EDGE_BOARD_FILTER_BYTES_MAX >= ID_FILTER_BYTES_MAX,
               "the largest sale's filter has room");

#define IDLE_NS  (EDGE_BOARD_FILTER_IDLE_MS * CLOCK_NS_PER_MS)
#define RETRY_NS (EDGE_BOARD_FILTER_RETRY_MS * CLOCK_NS_PER_MS)

void board_filters_init(struct board_filters *filters, struct board_table *table, size_t bytes_max)
{
    *filters = (struct board_filters){._table = table, ._bytes_max = bytes_max};
}

size_t board_filters_bytes(const struct board_filters *filters)
{
    return atomic_load_explicit(&filters->_bytes, memory_order_relaxed);
}

bool board_filters_is_current(const struct board_sale *sale)
{
    return sale->filter != NULL && sale->entry.sold_out_since > 0 &&
           sale->filter->version >= sale->entry.sold_out_since;
}

struct board_position board_filters_position(const struct board_sale *sale, int64_t now_ns)
{
    struct board_position position = {
        .sale_id = sale->by_id.sale_id,
        .version = sale->entry.version,
    };
    if (board_filters_is_current(sale)) {
        position.filter_version = sale->filter->version;
        position.filter_offset = (int64_t)sale->filter->ids.shape.bytes;
    } else if (sale->receiving != NULL) {
        position.filter_version = sale->receiving->version;
        position.filter_offset = (int64_t)sale->receiving->received;
    } else if (sale->no_room_until_ns > now_ns) {
        /* As if all of it were here, so that nobody sends what would be thrown away. */
        position.filter_version = sale->no_room_version;
        position.filter_offset = sale->no_room_total;
    }
    return position;
}

/* --- Letting go ------------------------------------------------------------------------------- */

/* The reference of the table. Loops that look into the filter right now have their own. */
void board_filters_drop(struct board_filters *filters, struct board_filter *filter)
{
    if (filter != NULL) {
        (void)atomic_fetch_sub_explicit(&filters->_bytes, filter->ids.shape.bytes,
                                        memory_order_relaxed);
        board_filter_unref(filter);
    }
}

static void drop_receiving(struct board_filters *filters, struct board_sale *sale)
{
    board_filters_drop(filters, sale->receiving);
    sale->receiving = NULL;
}

/* Sets the filter that loops see; NULL for none. */
static void put_filter(struct board_filters *filters, struct board_sale *sale,
                       struct board_filter *filter)
{
    board_table_lock(filters->_table);
    struct board_filter *before = sale->filter;
    sale->filter = filter;
    board_table_unlock(filters->_table);
    board_filters_drop(filters, before);
}

void board_filters_drop_outdated(struct board_filters *filters, struct board_sale *sale)
{
    const struct board_entry *entry = &sale->entry;
    int64_t needed = entry->sold_out_since > 0 ? entry->sold_out_since : entry->version + 1;
    if (sale->filter != NULL && sale->filter->version < needed) {
        put_filter(filters, sale, NULL);
    }
    if (sale->receiving != NULL && sale->receiving->version < needed) {
        drop_receiving(filters, sale);
    }
}

/* --- Making room ------------------------------------------------------------------------------ */

/* The known sale with a filter that was quiet longest; NULL when none is quiet. */
static struct board_sale *find_quiet(struct board_table *table, const struct board_sale *except,
                                     int64_t now_ns)
{
    struct board_sale *found = NULL;
    board_table_lock(table);
    LIST_FOREACH_SAFE (&table->_shared.known, link, following) {
        struct board_sale *sale = board_table_sale_of(link);
        bool is_quiet = sale->traffic_ns + IDLE_NS < now_ns;
        if (sale != except && is_quiet && (sale->filter != NULL || sale->receiving != NULL) &&
            (found == NULL || sale->traffic_ns < found->traffic_ns)) {
            found = sale;
        }
    }
    board_table_unlock(table);
    return found;
}

/* Makes room for so many bytes, if need be by throwing out filters of sales that are quiet: one of
 * a busy sale would only be fetched again. */
static bool make_room(struct board_filters *filters, const struct board_sale *sale, size_t bytes,
                      int64_t now_ns)
{
    while (board_filters_bytes(filters) + bytes > filters->_bytes_max) {
        struct board_sale *quiet = find_quiet(filters->_table, sale, now_ns);
        if (quiet == NULL) {
            return false;
        }
        drop_receiving(filters, quiet);
        put_filter(filters, quiet, NULL);
    }
    return true;
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* Begins the filter that a chunk is the beginning of; false without room for it. */
static bool begin_filter(struct board_filters *filters, struct board_sale *sale,
                         const struct board_chunk *chunk, struct id_filter_shape shape,
                         int64_t now_ns)
{
    CHECK(sale->receiving == NULL);
    if (make_room(filters, sale, shape.bytes, now_ns) &&
        board_filter_create(chunk->version, shape, &sale->receiving) == 0) {
        (void)atomic_fetch_add_explicit(&filters->_bytes, shape.bytes, memory_order_relaxed);
        return true;
    }
    sale->no_room_version = chunk->version;
    sale->no_room_total = chunk->total;
    sale->no_room_until_ns = now_ns + RETRY_NS;
    return false;
}

static bool continues(const struct board_filter *receiving, const struct board_chunk *chunk,
                      struct id_filter_shape shape)
{
    return receiving != NULL && receiving->version == chunk->version &&
           receiving->received == (uint64_t)chunk->offset &&
           id_filter_shape_equal(receiving->ids.shape, shape);
}

/* Makes receiving what the chunk can be written to. A chunk of anything else than what was
 * collected begins anew, which it can only do from the start. */
static bool prepare_receiving(struct board_filters *filters, struct board_sale *sale,
                              const struct board_chunk *chunk, int64_t now_ns)
{
    struct id_filter_shape shape;
    bool is_filter =
        chunk->offset >= 0 && id_filter_shape_read(chunk->total, chunk->hashes, &shape);
    if (is_filter && continues(sale->receiving, chunk, shape)) {
        return true;
    }
    drop_receiving(filters, sale);
    return is_filter && chunk->offset == 0 && chunk->length > 0 &&
           begin_filter(filters, sale, chunk, shape, now_ns);
}

/* Writes the chunk and puts the filter into force once it is whole; true when there is more. */
static bool write_chunk(struct board_filters *filters, struct board_sale *sale,
                        const struct board_chunk *chunk)
{
    if (!board_filter_write(sale->receiving, chunk)) {
        drop_receiving(filters, sale);
        return false;
    }
    if (!board_filter_is_complete(sale->receiving)) {
        return true;
    }
    struct board_filter *complete = sale->receiving;
    sale->receiving = NULL;
    put_filter(filters, sale, complete);
    return false;
}

bool board_filters_take(struct board_filters *filters, struct board_sale *sale,
                        const struct board_chunk *chunk, int64_t now_ns)
{
    const struct board_entry *entry = &sale->entry;
    sale->goes_on = false;
    bool is_needed = entry->sold_out_since > 0 && chunk->version >= entry->sold_out_since;
    bool is_there = sale->filter != NULL && sale->filter->version >= chunk->version;
    if (!is_needed || is_there || !prepare_receiving(filters, sale, chunk, now_ns)) {
        return false;
    }
    sale->goes_on = write_chunk(filters, sale, chunk);
    /* A peer that sends crumbs is asked at leisure. */
    return sale->goes_on && chunk->length == ID_FILTER_CHUNK_BYTES_MAX;
}
