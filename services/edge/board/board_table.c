#include "edge/board/board_table.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The time at which a newcomer was asked for last: never. Half of it, so that sums stay in range.
 */
#define NEVER_ASKED_NS (INT64_MIN / 2)

int board_table_init(struct board_table *table, size_t sales_max, const uint64_t secret[2])
{
    CHECK(sales_max >= 1);
    *table = (struct board_table){._sales = calloc(sales_max, sizeof(*table->_sales))};
    if (table->_sales == NULL) {
        return -ENOMEM;
    }
    if (sale_table_init(&table->_shared.by_id, sales_max, secret) != 0) {
        free(table->_sales);
        return -ENOMEM;
    }
    (void)pthread_mutex_init(&table->_shared.lock, NULL);
    list_init(&table->_shared.free);
    list_init(&table->_shared.newcomers);
    list_init(&table->_shared.known);
    table->_shared.next_forget_ns = CLOCK_DEADLINE_NEVER;
    for (size_t i = 0; i < sales_max; i++) {
        list_push_back(&table->_shared.free, &table->_sales[i].link);
    }
    return 0;
}

void board_table_fini(struct board_table *table)
{
    LIST_FOREACH_SAFE (&table->_shared.known, link, following) {
        board_filter_unref(board_table_sale_of(link)->filter);
        board_filter_unref(board_table_sale_of(link)->receiving);
    }
    sale_table_fini(&table->_shared.by_id);
    (void)pthread_mutex_destroy(&table->_shared.lock);
    free(table->_sales);
}

void board_table_lock(struct board_table *table)
{
    (void)pthread_mutex_lock(&table->_shared.lock);
}

void board_table_unlock(struct board_table *table)
{
    atomic_store_explicit(&table->_newcomers, table->_shared.newcomers.count, memory_order_relaxed);
    (void)pthread_mutex_unlock(&table->_shared.lock);
}

bool board_table_has_newcomers(const struct board_table *table)
{
    return atomic_load_explicit(&table->_newcomers, memory_order_relaxed) > 0;
}

struct board_sale *board_table_sale_of(struct list_link *link)
{
    return LIST_OBJECT(link, struct board_sale, link);
}

struct board_sale *board_table_find_locked(const struct board_table *table,
                                           const struct uuid *sale_id)
{
    struct sale_table_entry *found = sale_table_find(&table->_shared.by_id, sale_id);
    return found == NULL ? NULL : LIST_OBJECT(found, struct board_sale, by_id);
}

/* --- Coming and going ------------------------------------------------------------------------- */

/* A slot for a sale that nobody asked for lately; NULL when all are taken by known sales. */
static struct board_sale *take_slot_locked(struct board_table *table)
{
    struct list_link *link = list_pop_front(&table->_shared.free);
    if (link != NULL) {
        return board_table_sale_of(link);
    }
    link = list_pop_front(&table->_shared.newcomers);
    if (link == NULL) {
        return NULL;
    }
    sale_table_remove(&table->_shared.by_id, &board_table_sale_of(link)->by_id);
    return board_table_sale_of(link);
}

static struct board_sale *add_newcomer_locked(struct board_table *table, const struct uuid *sale_id)
{
    struct board_sale *sale = take_slot_locked(table);
    if (sale == NULL) {
        return NULL;
    }
    CHECK(sale->filter == NULL && sale->receiving == NULL);
    memset(sale, 0, sizeof(*sale));
    sale->asked_ns = NEVER_ASKED_NS;
    sale->by_id.sale_id = *sale_id;
    sale_table_add(&table->_shared.by_id, &sale->by_id);
    list_push_back(&table->_shared.newcomers, &sale->link);
    return sale;
}

struct board_sale *board_table_note_traffic_locked(struct board_table *table,
                                                   const struct uuid *sale_id, int64_t now_ns,
                                                   bool *ret_wakes)
{
    struct board_sale *sale = board_table_find_locked(table, sale_id);
    if (sale == NULL) {
        sale = add_newcomer_locked(table, sale_id);
    }
    if (sale == NULL) {
        return NULL;
    }
    if (sale->traffic_ns < now_ns) {
        sale->traffic_ns = now_ns;
    }
    *ret_wakes = !table->_shared.is_awake;
    table->_shared.is_awake = true;
    return sale;
}

void board_table_make_known_locked(struct board_table *table, struct board_sale *sale)
{
    if (!sale->is_known) {
        sale->is_known = true;
        list_remove(&table->_shared.newcomers, &sale->link);
        list_push_back(&table->_shared.known, &sale->link);
    }
}

void board_table_remove_locked(struct board_table *table, struct list *list,
                               struct board_sale *sale)
{
    CHECK(sale->filter == NULL && sale->receiving == NULL);
    sale_table_remove(&table->_shared.by_id, &sale->by_id);
    list_remove(list, &sale->link);
    list_push_back(&table->_shared.free, &sale->link);
}

size_t board_table_count(struct board_table *table)
{
    board_table_lock(table);
    size_t count = table->_shared.newcomers.count + table->_shared.known.count;
    board_table_unlock(table);
    return count;
}
