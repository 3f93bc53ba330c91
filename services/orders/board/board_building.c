#include "orders/board/board_building.h"

#include "base/clock.h"
#include "orders/board/board.h"
#include "orders/board/filter_forecast.h"

static const int64_t period_ns = BOARD_PERIOD_MS * CLOCK_NS_PER_MS;
static const int64_t ahead_saved_ns = BOARD_AHEAD_SAVED_MS * CLOCK_NS_PER_MS;

#define ENTRY_BY_ASKED(link) LIST_OBJECT(link, struct board_table_entry, by_asked)

/* --- Beginning ----------------------------------------------------------------------------- */

static bool wants_filter(const struct board_table *table, const struct board_table_entry *entry,
                         int64_t now_ns)
{
    const struct sale *sale = &entry->seen.sale;
    return board_table_is_sold_out(entry) && board_table_is_asked(entry, now_ns) &&
           sale->orders_count <= (int64_t)ID_FILTER_IDS_MAX &&
           id_filter_shape_for((uint64_t)sale->orders_count).bytes <= table->filter_bytes_max &&
           (entry->filter == NULL || entry->filter->version != sale->sold_out_since);
}

/* Whether the first orders of so many are in the filter, in a shape that takes them all. */
static bool begins_with(const struct board_filter *filter, struct id_filter_shape shape,
                        uint64_t count)
{
    return filter->ids <= count && id_filter_shape_equal(filter->bits.shape, shape);
}

/* The ids that a build of the entry in this shape would have to read. */
static uint64_t ids_to_read(const struct board_table_entry *entry, struct id_filter_shape shape)
{
    uint64_t count = (uint64_t)entry->seen.sale.orders_count;
    const struct board_filter *filter = entry->filter;
    return filter != NULL && begins_with(filter, shape, count) ? count - filter->ids : count;
}

static uint64_t build_size(const struct board_table_entry *entry)
{
    return ids_to_read(entry, id_filter_shape_for((uint64_t)entry->seen.sale.orders_count));
}

/* The entry whose filter is had soonest; a long build keeps none but itself waiting. */
static struct board_table_entry *choose_build(struct board_table *table, int64_t now_ns)
{
    struct board_table_entry *chosen = NULL;
    LIST_FOREACH_SAFE (&table->known, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        if (entry->build_after_ns <= now_ns && wants_filter(table, entry, now_ns) &&
            (chosen == NULL || build_size(entry) < build_size(chosen))) {
            chosen = entry;
        }
    }
    return chosen;
}

/* Drops filters, of what was asked for longest ago first, until so many bytes have room: all that
 * need be, or only those that stand for nothing. */
static bool drop_filters(struct board_table *table, size_t bytes, bool all)
{
    LIST_FOREACH_SAFE (&table->known, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        if (table->filter_bytes + bytes <= table->filter_bytes_max) {
            break;
        }
        if (all || !board_table_is_in_force(entry)) {
            board_table_drop_filter(table, entry);
        }
    }
    return table->filter_bytes + bytes <= table->filter_bytes_max;
}

static bool make_filter_room(struct board_table *table, size_t bytes)
{
    return drop_filters(table, bytes, false) || drop_filters(table, bytes, true);
}

/* The filter that a build of the entry begins with, which is the entry's no longer: its old one
 * where more can be added to it, else an empty one. NULL without room or memory. */
static struct board_filter *take_base(struct board_table *table, struct board_table_entry *entry)
{
    uint64_t count = (uint64_t)entry->seen.sale.orders_count;
    struct id_filter_shape shape = id_filter_shape_for(count);
    struct board_filter *old = entry->filter, *base = NULL;

    bool goes_on = old != NULL && begins_with(old, shape, count);
    if (goes_on && board_filter_is_sole(old)) {
        entry->filter = NULL; /* its bytes are counted already */
        return old;
    }
    if (goes_on) {
        base = board_filter_copy(old);
    }
    board_table_drop_filter(table, entry);
    if (!make_filter_room(table, shape.bytes)) {
        board_filter_unref(base);
        return NULL;
    }
    if (base == NULL) {
        base = board_filter_create(shape);
    }
    table->filter_bytes += base == NULL ? 0 : shape.bytes;
    return base;
}

static void drop_base(struct board_table *table, struct board_filter *filter)
{
    table->filter_bytes -= filter->bits.shape.bytes;
    board_filter_unref(filter);
}

static void begin(struct board_building *building, struct board_table *table, int64_t now_ns)
{
    struct board_table_entry *entry = choose_build(table, now_ns);
    if (entry == NULL) {
        return;
    }
    entry->build_after_ns = now_ns + BOARD_REBUILD_MS * CLOCK_NS_PER_MS;
    struct board_filter *base = take_base(table, entry);
    if (base == NULL) {
        return;
    }
    if (filter_build_init(&building->build, &entry->seen.sale, base) < 0) {
        drop_base(table, base);
        return;
    }
    building->begun_ns = now_ns;
    building->is_under_way = true;
    building->due_ns = now_ns;
}

/* --- Ahead of the sell-out ----------------------------------------------------------------- */

/* Whether a slice of the entry's ids is to be read while it sells, and the shape of its filter. It
 * makes no room for itself: whatever else is kept is worth more than what may come. */
static bool wants_ahead(const struct board_table *table, const struct board_table_entry *entry,
                        int64_t now_ns, struct id_filter_shape *ret_shape)
{
    const struct sale *sale = &entry->seen.sale;
    const struct board_filter *filter = entry->filter;
    struct id_filter_shape shape;
    if (sale->orders_count < FILTER_BUILD_AHEAD_IDS || sale->sold_out_since > 0 ||
        board_table_state(entry) != SALE_LIVE || !board_table_is_asked(entry, now_ns) ||
        !filter_forecast_shape(sale, filter == NULL ? NULL : &filter->bits.shape, &shape)) {
        return false;
    }
    size_t others = table->filter_bytes - (filter == NULL ? 0 : filter->bits.shape.bytes);
    *ret_shape = shape;
    return ids_to_read(entry, shape) >= FILTER_BUILD_AHEAD_IDS &&
           others + shape.bytes <= table->filter_bytes_max &&
           (filter == NULL || board_filter_is_sole(filter));
}

/* The entry that has the fewest ids to read: of several sales that sell faster than can be read the
 * most are kept ready. */
static struct board_table_entry *choose_ahead(const struct board_table *table, int64_t now_ns,
                                              struct id_filter_shape *ret_shape)
{
    struct board_table_entry *chosen = NULL;
    LIST_FOREACH_SAFE (&table->known, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        struct id_filter_shape shape;
        if (wants_ahead(table, entry, now_ns, &shape) &&
            (chosen == NULL || ids_to_read(entry, shape) < ids_to_read(chosen, *ret_shape))) {
            chosen = entry;
            *ret_shape = shape;
        }
    }
    return chosen;
}

/* As take_base, of a filter that is nobody else's and has room. */
static struct board_filter *take_base_ahead(struct board_table *table,
                                            struct board_table_entry *entry,
                                            struct id_filter_shape shape)
{
    struct board_filter *base = entry->filter;
    if (base != NULL && begins_with(base, shape, (uint64_t)entry->seen.sale.orders_count)) {
        entry->filter = NULL;
        return base;
    }
    board_table_drop_filter(table, entry);
    base = board_filter_create(shape);
    table->filter_bytes += base == NULL ? 0 : shape.bytes;
    return base;
}

static void begin_ahead(struct board_building *building, struct board_table *table, int64_t now_ns)
{
    struct id_filter_shape shape;
    struct board_table_entry *entry = choose_ahead(table, now_ns, &shape);
    if (entry == NULL) {
        return;
    }
    struct board_filter *base = take_base_ahead(table, entry, shape);
    if (base != NULL && filter_build_init_ahead(&building->build, &entry->seen.sale, base) < 0) {
        drop_base(table, base);
        base = NULL;
    }
    building->is_under_way = base != NULL;
    building->due_ns = now_ns;
    building->ahead_paid_ns = base == NULL ? now_ns + period_ns : building->ahead_paid_ns;
}

/* Nothing is saved up for longer than ahead_saved_ns: after a pause no burst comes. */
static void pay_ahead(struct board_building *building, enum filter_build_step step,
                      int64_t begun_ns, int64_t now_ns)
{
    int64_t from_ns = now_ns - ahead_saved_ns;
    if (building->ahead_paid_ns > from_ns) {
        from_ns = building->ahead_paid_ns;
    }
    building->ahead_paid_ns = from_ns + BOARD_AHEAD_PART * (now_ns - begun_ns);
    if (step == FILTER_BUILD_LATER && building->ahead_paid_ns < now_ns + period_ns) {
        building->ahead_paid_ns = now_ns + period_ns;
    }
}

bool board_building_pick(struct board_building *building, struct board_table *table, int64_t now_ns)
{
    if (!building->is_under_way) {
        begin(building, table, now_ns);
    }
    if (!building->is_under_way && building->ahead_paid_ns <= now_ns) {
        begin_ahead(building, table, now_ns);
    }
    return building->is_under_way && building->due_ns <= now_ns;
}

/* --- Going on and ending ------------------------------------------------------------------- */

/* Gives the filter to its entry, complete or as a beginning for the next time. */
static void end(struct board_building *building, struct board_table *table, int64_t now_ns,
                bool is_usable)
{
    struct board_table_entry *entry = board_table_find(table, &building->build.sale_id);
    struct board_filter *filter = filter_build_fini(&building->build);
    int64_t after_ns = now_ns + BOARD_REBUILD_FACTOR * (now_ns - building->begun_ns);

    building->is_under_way = false;
    if (entry == NULL || !entry->is_known || !is_usable ||
        filter->ids > (uint64_t)entry->seen.sale.orders_count) {
        drop_base(table, filter);
        return;
    }
    CHECK(entry->filter == NULL);
    entry->filter = filter;
    if (filter->version != BOARD_FILTER_UNFINISHED && after_ns > entry->build_after_ns) {
        entry->build_after_ns = after_ns;
    }
}

/* Whether the sale that is built for is still as it was, as far as the board knows. */
static bool is_worth_going_on(const struct board_building *building,
                              const struct board_table *table)
{
    const struct board_table_entry *entry = board_table_find(table, &building->build.sale_id);
    return entry != NULL && entry->is_known &&
           entry->seen.sale.sold_out_since == building->build.sold_out_since;
}

void board_building_take(struct board_building *building, struct board_table *table,
                         enum filter_build_step step, int64_t begun_ns, int64_t now_ns)
{
    const struct filter_build *build = &building->build;
    building->due_ns = now_ns;
    if (filter_build_is_ahead(build)) {
        pay_ahead(building, step, begun_ns, now_ns);
    }
    if (step != FILTER_BUILD_MORE || !is_worth_going_on(building, table)) {
        /* A sale with fewer orders than its row said is not to be built upon. */
        bool is_usable = step != FILTER_BUILD_GONE || build->filter->ids == build->orders_count;
        end(building, table, now_ns, is_usable);
    }
}

void board_building_wait(struct board_building *building, struct board_table *table, int64_t now_ns)
{
    building->due_ns = now_ns + period_ns;
    if (filter_build_is_ahead(&building->build)) {
        pay_ahead(building, FILTER_BUILD_LATER, now_ns, now_ns);
        end(building, table, now_ns, true);
    }
}

static int64_t ahead_due_ns(const struct board_building *building, const struct board_table *table,
                            int64_t now_ns)
{
    struct id_filter_shape shape;
    return choose_ahead(table, now_ns, &shape) == NULL ? INT64_MAX : building->ahead_paid_ns;
}

int64_t board_building_due_ns(const struct board_building *building,
                              const struct board_table *table, int64_t now_ns)
{
    int64_t due_ns = INT64_MAX;
    if (building->is_under_way) {
        return building->due_ns;
    }
    LIST_FOREACH_SAFE (&table->known, link, following) {
        const struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        if (entry->build_after_ns < due_ns && wants_filter(table, entry, now_ns)) {
            due_ns = entry->build_after_ns;
        }
    }
    return clock_earlier(due_ns, ahead_due_ns(building, table, now_ns));
}

void board_building_fini(struct board_building *building, struct board_table *table)
{
    if (building->is_under_way) {
        drop_base(table, filter_build_fini(&building->build));
    }
}
