#include "edge/board/board_rounds.h"

#include "base/clock.h"
#include "edge/limits.h"

#define ROUND_NS   (EDGE_BOARD_ROUND_MS * CLOCK_NS_PER_MS)
#define TRAFFIC_NS (EDGE_BOARD_TRAFFIC_MS * CLOCK_NS_PER_MS)
#define FORGET_NS  (EDGE_BOARD_FORGET_MS * CLOCK_NS_PER_MS)

static bool has_traffic(const struct board_sale *sale, int64_t now_ns)
{
    return sale->traffic_ns + TRAFFIC_NS > now_ns;
}

/* --- Forgetting ------------------------------------------------------------------------------- */

/* A sale of the list that has been quiet for so long; NULL when there is none, and then it is noted
 * when there will be one. */
static struct board_sale *find_forgettable_locked(struct board_table *table,
                                                  const struct list *list, int64_t now_ns,
                                                  int64_t quiet_ns)
{
    LIST_FOREACH_SAFE (list, link, following) {
        struct board_sale *sale = board_table_sale_of(link);
        int64_t due_ns = sale->traffic_ns + quiet_ns;
        if (due_ns <= now_ns) {
            return sale;
        }
        if (due_ns < table->_shared.next_forget_ns) {
            table->_shared.next_forget_ns = due_ns;
        }
    }
    return NULL;
}

/* Takes a sale that nobody asks for out of the table; its filters are the caller's then. */
static void forget_locked(struct board_table *table, struct list *list, struct board_sale *sale,
                          struct board_filter *ret_filters[2])
{
    ret_filters[0] = sale->filter;
    ret_filters[1] = sale->receiving;
    sale->filter = NULL;
    sale->receiving = NULL;
    board_table_remove_locked(table, list, sale);
}

/* Forgets what has been quiet for so long, one by one, so that the lock is never held for long. */
static void forget_quiet(struct board_table *table, struct board_filters *filters,
                         struct list *list, int64_t now_ns, int64_t quiet_ns)
{
    struct board_sale *sale;
    do {
        struct board_filter *dropped[2] = {NULL, NULL};
        board_table_lock(table);
        sale = find_forgettable_locked(table, list, now_ns, quiet_ns);
        if (sale != NULL) {
            forget_locked(table, list, sale, dropped);
        }
        board_table_unlock(table);
        board_filters_drop(filters, dropped[0]);
        board_filters_drop(filters, dropped[1]);
    } while (sale != NULL);
}

/* Known sales are kept for a while, filters and all, unless they leave no room for others. */
static void forget(struct board_table *table, struct board_filters *filters, int64_t now_ns)
{
    board_table_lock(table);
    table->_shared.next_forget_ns = CLOCK_DEADLINE_NEVER;
    bool is_full = list_is_empty(&table->_shared.free) && list_is_empty(&table->_shared.newcomers);
    board_table_unlock(table);
    forget_quiet(table, filters, &table->_shared.newcomers, now_ns, TRAFFIC_NS);
    forget_quiet(table, filters, &table->_shared.known, now_ns, is_full ? TRAFFIC_NS : FORGET_NS);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static bool is_due(const struct board_sale *sale, int64_t now_ns)
{
    return has_traffic(sale, now_ns) && (sale->goes_on || sale->asked_ns + ROUND_NS <= now_ns);
}

/* Adds those of a list that are due, up to so many positions; true when more are due. */
static bool add_positions_locked(struct list *list, int64_t now_ns, size_t max,
                                 struct board_position *positions, size_t *count)
{
    struct list_link *link = list_first(list);
    for (size_t left = list->count; left > 0; left--) {
        struct list_link *following = link->next;
        struct board_sale *sale = board_table_sale_of(link);
        link = following;
        if (!is_due(sale, now_ns)) {
            continue;
        }
        if (*count == max) {
            return true;
        }
        positions[(*count)++] = board_filters_position(sale, now_ns);
        sale->asked_ns = now_ns;
        list_remove(list, &sale->link);
        list_push_back(list, &sale->link);
    }
    return false;
}

static bool any_has_traffic_locked(const struct list *list, int64_t now_ns)
{
    LIST_FOREACH_SAFE (list, link, following) {
        if (has_traffic(board_table_sale_of(link), now_ns)) {
            return true;
        }
    }
    return false;
}

size_t board_rounds_begin(struct board_table *table, struct board_filters *filters, int64_t now_ns,
                          struct board_position *positions, bool *ret_has_more)
{
    struct list *newcomers = &table->_shared.newcomers;
    struct list *known = &table->_shared.known;
    size_t count = 0;
    forget(table, filters, now_ns);
    board_table_lock(table);
    size_t kept = newcomers->count < EDGE_BOARD_NEWCOMERS_PER_ROUND
                      ? newcomers->count
                      : EDGE_BOARD_NEWCOMERS_PER_ROUND;
    *ret_has_more =
        add_positions_locked(known, now_ns, EDGE_BOARD_POSITIONS_MAX - kept, positions, &count);
    /* Newcomers that are left over wait for the next round: strangers do not set the pace. */
    (void)add_positions_locked(newcomers, now_ns, EDGE_BOARD_POSITIONS_MAX, positions, &count);
    table->_shared.is_awake =
        any_has_traffic_locked(known, now_ns) || any_has_traffic_locked(newcomers, now_ns);
    table->_shared.next_round_ns = now_ns + ROUND_NS;
    board_table_unlock(table);
    return count;
}

void board_rounds_end(struct board_table *table, int64_t asked_ns, bool goes_on)
{
    board_table_lock(table);
    table->_shared.next_round_ns = goes_on ? asked_ns : asked_ns + ROUND_NS;
    board_table_unlock(table);
}

int64_t board_rounds_next_due_ns(struct board_table *table)
{
    board_table_lock(table);
    int64_t due_ns =
        table->_shared.is_awake ? table->_shared.next_round_ns : table->_shared.next_forget_ns;
    board_table_unlock(table);
    return due_ns;
}
