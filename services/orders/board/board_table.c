#include "orders/board/board_table.h"

#include "base/clock.h"
#include "orders/board/board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BY_ASKED(link) LIST_OBJECT(link, struct board_table_entry, by_asked)

static const int64_t asked_ns = BOARD_ASKED_MS * CLOCK_NS_PER_MS;

/* --- Entries ------------------------------------------------------------------------------- */

struct board_table_entry *board_table_find(const struct board_table *table,
                                           const struct uuid *sale_id)
{
    struct sale_table_entry *found = sale_table_find(&table->_by_sale, sale_id);
    return found == NULL ? NULL : LIST_OBJECT(found, struct board_table_entry, by_sale);
}

void board_table_drop_filter(struct board_table *table, struct board_table_entry *entry)
{
    if (entry->filter != NULL) {
        table->filter_bytes -= entry->filter->bits.shape.bytes;
        board_filter_unref(entry->filter);
        entry->filter = NULL;
    }
}

static void free_texts(struct store_sale *seen)
{
    free((char *)(uintptr_t)seen->sale.sku);
    free((char *)(uintptr_t)seen->sale.title);
}

void board_table_remove(struct board_table *table, struct board_table_entry *entry)
{
    CHECK(list_is_empty(&entry->watches));
    sale_table_remove(&table->_by_sale, &entry->by_sale);
    list_remove(entry->is_known ? &table->known : &table->strangers, &entry->by_asked);
    if (entry->is_known) {
        list_remove(&table->turns, &entry->by_turn);
    }
    board_table_drop_filter(table, entry);
    free_texts(&entry->seen);
    free(entry);
}

struct board_table_entry *board_table_add_stranger(struct board_table *table,
                                                   const struct uuid *sale_id)
{
    struct list *strangers = &table->strangers;
    if (strangers->count >= table->strangers_max) {
        struct board_table_entry *oldest = ENTRY_BY_ASKED(list_first(strangers));
        if (oldest->tried_ns == BOARD_TABLE_NEVER_NS) {
            return NULL;
        }
        board_table_remove(table, oldest);
    }
    struct board_table_entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return NULL;
    }
    entry->by_sale.sale_id = *sale_id;
    entry->asked_ns = entry->tried_ns = entry->found_ns = entry->read_ns = BOARD_TABLE_NEVER_NS;
    list_init(&entry->watches);
    sale_table_add(&table->_by_sale, &entry->by_sale);
    list_push_back(strangers, &entry->by_asked);
    return entry;
}

/* Room for one more known sale; false when every one of them is watched by a stream. */
static bool make_room(struct board_table *table)
{
    if (table->known.count < table->sales_max) {
        return true;
    }
    LIST_FOREACH_SAFE (&table->known, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        if (list_is_empty(&entry->watches)) {
            board_table_remove(table, entry);
            return true;
        }
    }
    return false;
}

bool board_table_make_known(struct board_table *table, struct board_table_entry *entry)
{
    if (entry->is_known) {
        return true;
    }
    if (!make_room(table)) {
        return false;
    }
    list_remove(&table->strangers, &entry->by_asked);
    entry->is_known = true;
    list_push_back(&table->known, &entry->by_asked);
    list_push_back(&table->turns, &entry->by_turn);
    return true;
}

/* --- What was read ------------------------------------------------------------------------- */

static enum sale_state state_of(const struct store_sale *seen)
{
    return sale_state_at(&seen->sale, seen->now_us);
}

enum sale_state board_table_state(const struct board_table_entry *entry)
{
    return state_of(&entry->seen);
}

bool board_table_is_sold_out(const struct board_table_entry *entry)
{
    const struct sale *sale = &entry->seen.sale;
    return entry->is_known && sale->sold_out_since > 0 && sale->stock_remaining == 0 &&
           sale->stock_returning == 0 && board_table_state(entry) == SALE_SOLD_OUT;
}

/* Replaces a text of an entry by a copy of another, where they differ. */
static bool take_text(const char **text, const char *from)
{
    if (*text != NULL && strcmp(*text, from) == 0) {
        return true;
    }
    char *copy = strdup(from);
    if (copy == NULL) {
        return false;
    }
    free((char *)(uintptr_t)*text);
    *text = copy;
    return true;
}

static void tell_watches(struct board_table_entry *entry)
{
    LIST_FOREACH_SAFE (&entry->watches, link, following) {
        struct board_watch *watch = LIST_OBJECT(link, struct board_watch, _of_entry);
        if (!list_link_is_linked(&watch->_of_news)) {
            list_push_back(&watch->_listener->_news, &watch->_of_news);
        }
    }
}

bool board_table_is_in_force(const struct board_table_entry *entry)
{
    const struct board_filter *filter = entry->filter;
    return filter != NULL && filter->version != BOARD_FILTER_UNFINISHED &&
           filter->version == entry->seen.sale.sold_out_since;
}

/* A database that was set back to an earlier state is believed when it has said so for as long as
 * no edge or stream counts on anything any more. What was read of the later one is forgotten. */
bool board_table_take(struct board_table *table, struct board_table_entry *entry,
                      const struct store_sale *seen, int64_t begun_ns)
{
    const struct sale *old = &entry->seen.sale;
    const bool is_new = entry->read_ns == BOARD_TABLE_NEVER_NS;
    if (!is_new && (begun_ns < entry->read_ns ||
                    (seen->sale.version < old->version && begun_ns - entry->read_ns < asked_ns))) {
        return true;
    }
    if (!take_text(&entry->seen.sale.sku, seen->sale.sku) ||
        !take_text(&entry->seen.sale.title, seen->sale.title)) {
        return false;
    }
    bool is_news =
        is_new || seen->sale.version != old->version || state_of(seen) != board_table_state(entry);
    if (!is_new && seen->sale.version < old->version) {
        board_table_drop_filter(table, entry);
    }
    const char *sku = old->sku, *title = old->title;
    entry->seen = *seen;
    entry->seen.sale.sku = sku;
    entry->seen.sale.title = title;
    entry->read_ns = begun_ns;
    if (is_news) {
        tell_watches(entry);
    }
    return true;
}

/* The entry of a sale, or a new stranger. One that the table of strangers has no room for is made
 * all the same: it is none for long. */
static struct board_table_entry *find_or_add(struct board_table *table, const struct uuid *sale_id)
{
    struct board_table_entry *entry = board_table_find(table, sale_id);
    if (entry != NULL) {
        return entry;
    }
    struct list *strangers = &table->strangers;
    if (strangers->count >= table->strangers_max) {
        board_table_remove(table, ENTRY_BY_ASKED(list_first(strangers)));
    }
    return board_table_add_stranger(table, sale_id);
}

/* The known entry of a sale that was just read. */
static int enter(struct board_table *table, const struct store_sale *seen, int64_t begun_ns,
                 struct board_table_entry **ret)
{
    struct board_table_entry *entry = find_or_add(table, &seen->sale.sale_id);
    if (entry == NULL) {
        return -ENOMEM;
    }
    bool has_room = board_table_make_known(table, entry);
    if (!has_room || !board_table_take(table, entry, seen, begun_ns)) {
        if (entry->read_ns == BOARD_TABLE_NEVER_NS) {
            board_table_remove(table, entry);
        }
        return has_room ? -ENOMEM : -ENOSPC;
    }
    *ret = entry;
    return 0;
}

/* --- Watches ------------------------------------------------------------------------------- */

/* Streams hold half of the places at most: the sales that edges ask for always have the others. */
static size_t watched_max(const struct board_table *table)
{
    return (table->sales_max + 1) / 2;
}

static bool is_watched(const struct board_table_entry *entry)
{
    return entry != NULL && !list_is_empty(&entry->watches);
}

int board_table_watch(struct board_table *table, struct board_watch *watch,
                      const struct store_sale *seen, int64_t begun_ns)
{
    struct board_table_entry *entry = board_table_find(table, &seen->sale.sale_id);
    if (!is_watched(entry) && table->watched >= watched_max(table)) {
        return -ENOSPC;
    }
    int error = enter(table, seen, begun_ns, &entry);
    if (error < 0) {
        return error;
    }
    table->watched += is_watched(entry) ? 0 : 1;
    list_push_back(&entry->watches, &watch->_of_entry);
    watch->_entry = entry;
    return 0;
}

void board_table_unwatch(struct board_table *table, struct board_watch *watch)
{
    struct board_table_entry *entry = watch->_entry;
    list_remove(&entry->watches, &watch->_of_entry);
    table->watched -= is_watched(entry) ? 0 : 1;
    watch->_entry = NULL;
}

/* --- Asking and forgetting ----------------------------------------------------------------- */

bool board_table_is_asked(const struct board_table_entry *entry, int64_t now_ns)
{
    return entry->asked_ns != BOARD_TABLE_NEVER_NS && now_ns - entry->asked_ns < asked_ns;
}

void board_table_note_asked(struct board_table *table, struct board_table_entry *entry,
                            int64_t now_ns)
{
    struct list *list = entry->is_known ? &table->known : &table->strangers;
    entry->asked_ns = now_ns;
    list_remove(list, &entry->by_asked);
    list_push_back(list, &entry->by_asked);
}

/* Strangers that were looked for in vain a while ago, or that nobody asks for any more. */
static void forget_strangers(struct board_table *table, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&table->strangers, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        bool is_over =
            entry->is_missing && now_ns - entry->tried_ns >= BOARD_MISSING_MS * CLOCK_NS_PER_MS;
        if (is_over || !board_table_is_asked(entry, now_ns)) {
            board_table_remove(table, entry);
        }
    }
}

static void forget_known(struct board_table *table, int64_t now_ns)
{
    LIST_FOREACH_SAFE (&table->known, link, following) {
        struct board_table_entry *entry = ENTRY_BY_ASKED(link);
        bool is_kept = entry->asked_ns != BOARD_TABLE_NEVER_NS &&
                       now_ns - entry->asked_ns < BOARD_KEPT_MS * CLOCK_NS_PER_MS;
        if (!is_kept && list_is_empty(&entry->watches)) {
            board_table_remove(table, entry);
        }
    }
}

void board_table_forget(struct board_table *table, int64_t now_ns)
{
    forget_strangers(table, now_ns);
    forget_known(table, now_ns);
}

/* --- Life ---------------------------------------------------------------------------------- */

int board_table_init(struct board_table *table, const struct board_config *config,
                     const uint64_t secret[2])
{
    struct sale_table by_sale;
    if (sale_table_init(&by_sale, config->sales_max + config->strangers_max, secret) < 0) {
        return -ENOMEM;
    }
    *table = (struct board_table){
        .sales_max = config->sales_max,
        .strangers_max = config->strangers_max,
        .filter_bytes_max = config->filter_bytes_max,
        ._by_sale = by_sale,
    };
    list_init(&table->known);
    list_init(&table->strangers);
    list_init(&table->turns);
    return 0;
}

static void remove_all(struct board_table *table, struct list *list)
{
    for (struct list_link *link; (link = list_first(list)) != NULL;) {
        board_table_remove(table, ENTRY_BY_ASKED(link));
    }
}

void board_table_fini(struct board_table *table)
{
    remove_all(table, &table->known);
    remove_all(table, &table->strangers);
    sale_table_fini(&table->_by_sale);
}
