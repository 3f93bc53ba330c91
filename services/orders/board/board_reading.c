#include "orders/board/board_reading.h"

#include "base/clock.h"
#include "orders/board/board.h"

static const int64_t period_ns = BOARD_PERIOD_MS * CLOCK_NS_PER_MS;

static bool is_watched(const struct board_table_entry *entry, int64_t now_ns)
{
    return !list_is_empty(&entry->watches) || board_table_is_asked(entry, now_ns);
}

static bool is_due(const struct board_table_entry *entry, int64_t now_ns)
{
    return entry->tried_ns == BOARD_TABLE_NEVER_NS || now_ns - entry->tried_ns >= period_ns;
}

static void pick(struct board_reading *reading, struct board_table_entry *entry, int64_t now_ns)
{
    entry->tried_ns = now_ns;
    reading->sale_ids[reading->count++] = entry->by_sale.sale_id;
}

static void pick_strangers(struct board_reading *reading, struct board_table *table, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&table->strangers, link, following) {
        struct board_table_entry *entry = LIST_OBJECT(link, struct board_table_entry, by_asked);
        if (reading->count == BOARD_STRANGERS_READ_MAX) {
            return;
        }
        if (!entry->is_missing && is_due(entry, now_ns)) {
            pick(reading, entry, now_ns);
        }
    }
}

/* Known sales in turn: whoever was read goes to the end of the line. */
static void pick_known(struct board_reading *reading, struct board_table *table, int64_t now_ns)
{
    struct list *turns = &table->turns;
    for (size_t left = turns->count; left > 0; left--) {
        if (reading->count == STORE_READ_SALES_MAX) {
            return;
        }
        struct list_link *link = list_pop_front(turns);
        struct board_table_entry *entry = LIST_OBJECT(link, struct board_table_entry, by_turn);
        list_push_back(turns, link);
        if (is_watched(entry, now_ns) && is_due(entry, now_ns)) {
            pick(reading, entry, now_ns);
        }
    }
}

bool board_reading_pick(struct board_reading *reading, struct board_table *table, int64_t now_ns,
                        bool strangers)
{
    reading->count = 0;
    if (strangers) {
        pick_strangers(reading, table, now_ns);
    }
    pick_known(reading, table, now_ns);
    return reading->count > 0;
}

/* Without room or memory for what nobody holds, it is as if it had not been asked for. */
static void take_sale(struct board_table *table, const struct store_sale *seen, int64_t begun_ns)
{
    struct board_table_entry *entry = board_table_find(table, &seen->sale.sale_id);
    if (entry == NULL) {
        return;
    }
    entry->found_ns = begun_ns;
    if (!board_table_make_known(table, entry) ||
        (!board_table_take(table, entry, seen, begun_ns) &&
         entry->read_ns == BOARD_TABLE_NEVER_NS && list_is_empty(&entry->watches))) {
        board_table_remove(table, entry);
    }
}

static void note_missing(struct board_table *table, struct board_table_entry *entry)
{
    if (!entry->is_known) {
        entry->is_missing = true;
    } else if (list_is_empty(&entry->watches)) {
        board_table_remove(table, entry);
    }
}

void board_reading_take(const struct board_reading *reading, struct board_table *table,
                        const struct store_sale_page *page, int64_t begun_ns)
{
    for (size_t i = 0; i < page->count; i++) {
        take_sale(table, &page->sales[i], begun_ns);
    }
    for (size_t i = 0; i < reading->count; i++) {
        struct board_table_entry *entry = board_table_find(table, &reading->sale_ids[i]);
        if (entry != NULL && entry->found_ns != begun_ns) {
            note_missing(table, entry);
        }
    }
}

int64_t board_reading_due_ns(const struct board_table *table, int64_t now_ns)
{
    int64_t due_ns = now_ns + period_ns;
    LIST_FOREACH_SAFE (&table->turns, link, following) {
        const struct board_table_entry *entry =
            LIST_OBJECT(link, struct board_table_entry, by_turn);
        if (is_watched(entry, now_ns) && entry->tried_ns != BOARD_TABLE_NEVER_NS &&
            entry->tried_ns + period_ns < due_ns) {
            due_ns = entry->tried_ns + period_ns;
        }
    }
    return due_ns;
}
