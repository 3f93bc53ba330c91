/*
 * A page of events is two round trips: the rows of the events with the bounds of what can be read,
 * then the orders that they name, by number. Orders keep all but their status for ever, and the
 * status is the event's word, so it does not matter that they are read later.
 */
#include "orders/adapters/postgres/events.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/event_changes.h"
#include "orders/adapters/postgres/queries/prune_events.h"
#include "orders/adapters/postgres/queries/read_event_bounds.h"
#include "orders/adapters/postgres/queries/read_events.h"
#include "orders/adapters/postgres/queries/read_numbered_orders.h"
#include "orders/adapters/postgres/translate.h"

/* Events that one call deletes: some ten milliseconds. */
#define EVENTS_PRUNE_MAX 5000

/* --- Events --------------------------------------------------------------------------------------
 */

/* What is known of a page before its orders are read. */
struct draft {
    int64_t from;
    size_t events_max, orders_max;
    bool sale_exists, more;
    int64_t oldest_sequence;
    struct money unit_price;
    struct store_event *events; /* orders not filled in */
    size_t event_count;
    /* The orders of all events in a row. */
    int64_t *numbers;
    enum order_status *statuses;
    size_t order_count;
};

static enum db_status send_rows(struct session *session, const struct uuid *sale_id,
                                const struct draft *draft, struct arena *arena)
{
    const struct read_events_params events = {
        .sale_id = *sale_id,
        .from_sequence = draft->from,
        .limit_count = (int64_t)draft->events_max + 1, /* one more tells of another page */
    };
    const struct read_event_bounds_params bounds = {.sale_id = *sale_id};
    enum db_status status;
    /* The bounds come second: what was pruned before the events were read, they know of. */
    (void)((status = read_events_send(session, arena, &events)) != DB_OK ||
           (status = read_event_bounds_send(session, arena, &bounds)) != DB_OK ||
           (status = session_sync(session)) != DB_OK);
    return status;
}

/*
 * How many of the rows make the page, and how many orders they have: they follow each other from
 * `from` on without a gap, and are no more than was asked for.
 */
static enum db_status measure(struct session *session, const struct session_result *result,
                              struct draft *draft)
{
    for (size_t i = 0; i < result->row_count; i++) {
        struct read_events_row row;
        enum db_status status = read_events_read(session, result, i, &row);
        if (status != DB_OK) {
            return status;
        }
        if (i == 0 && row.sequence > draft->from) {
            return DB_OK; /* pruned up to there: the bounds tell */
        }
        size_t orders = (size_t)row.placed_count + row.changed_numbers.count;
        if (row.sequence != draft->from + (int64_t)i || row.placed_count < 0 ||
            row.changed_numbers.count != row.changed_statuses.count) {
            return DB_PROTOCOL;
        }
        if (i == draft->events_max || (i > 0 && draft->order_count + orders > draft->orders_max)) {
            draft->more = true;
            return DB_OK;
        }
        draft->order_count += orders;
        draft->event_count++;
    }
    return DB_OK;
}

/* Adds what an event's row says of its orders at *used. False: it makes no sense. */
static bool add_orders(const struct read_events_row *row, struct draft *draft, size_t *used)
{
    struct sql_array numbers = row->changed_numbers, statuses = row->changed_statuses;
    struct sql_text label;

    while (sql_array_next_int8(&numbers, &draft->numbers[*used])) {
        if (!sql_array_next_text(&statuses, &label) ||
            !event_changes_status(label, &draft->statuses[*used])) {
            return false;
        }
        (*used)++;
    }
    if (row->placed_count > 0 && (row->placed_from_is_null || row->placed_status_is_null)) {
        return false;
    }
    for (int32_t i = 0; i < row->placed_count; i++) {
        draft->numbers[*used] = row->placed_from + i;
        draft->statuses[(*used)++] = row->placed_status;
    }
    return true;
}

static enum db_status collect(struct session *session, const struct session_result *result,
                              struct arena *arena, struct draft *draft)
{
    size_t used = 0;
    draft->events = arena_calloc(arena, draft->event_count, sizeof(*draft->events));
    /* One more: the end of a row's array is noticed by looking for another element. */
    draft->numbers = arena_calloc(arena, draft->order_count + 1, sizeof(*draft->numbers));
    draft->statuses = arena_calloc(arena, draft->order_count + 1, sizeof(*draft->statuses));
    if (draft->events == NULL || draft->numbers == NULL || draft->statuses == NULL) {
        return DB_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < draft->event_count; i++) {
        struct read_events_row row;
        size_t first = used;
        enum db_status status = read_events_read(session, result, i, &row);
        if (status != DB_OK) {
            return status;
        }
        if (!add_orders(&row, draft, &used)) {
            return DB_PROTOCOL;
        }
        draft->events[i] = (struct store_event){
            .sequence = row.sequence, .time_us = row.event_time_us, .order_count = used - first};
    }
    CHECK(used == draft->order_count);
    return DB_OK;
}

static enum db_status receive_events(struct session *session, int64_t deadline_ns,
                                     struct arena *arena, struct draft *draft)
{
    struct session_result result;

    enum db_status status = read_events_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    status = measure(session, &result, draft);
    if (status == DB_OK) {
        status = collect(session, &result, arena, draft);
    }
    session_result_fini(&result);
    return status;
}

static enum db_status receive_bounds(struct session *session, int64_t deadline_ns,
                                     struct draft *draft)
{
    struct session_result result;
    struct read_event_bounds_row row;

    enum db_status status =
        read_event_bounds_receive(session, deadline_ns, &result, &draft->sale_exists, &row);
    if (status != DB_OK) {
        return status;
    }
    bool sound = true;
    if (draft->sale_exists) {
        draft->oldest_sequence = row.oldest_sequence;
        sound = translate_money(row.currency_code, row.unit_price_minor, &draft->unit_price);
    }
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

/* --- Their orders --------------------------------------------------------------------------------
 */

static enum db_status read_orders(struct session *session, const struct session_result *result,
                                  const struct draft *draft, struct arena *arena,
                                  struct store_order *ret_orders)
{
    for (size_t i = 0; i < draft->order_count; i++) {
        struct read_numbered_orders_row row;
        enum db_status status = read_numbered_orders_read(session, result, i, &row);
        if (status != DB_OK) {
            return status;
        }
        if (row.number != draft->numbers[i]) {
            return DB_PROTOCOL;
        }
        ret_orders[i] =
            (struct store_order){.order = TRANSLATE_ORDER(&row), .unit_price = draft->unit_price};
        ret_orders[i].order.status = draft->statuses[i];
        if (!translate_text(row.customer_id, arena, &ret_orders[i].customer_id)) {
            return DB_OUT_OF_MEMORY;
        }
    }
    return DB_OK;
}

/* Reads the orders and gives each event its own. */
static enum db_status fill(struct session *session, const struct uuid *sale_id,
                           const struct draft *draft, int64_t deadline_ns, struct arena *arena)
{
    const struct read_numbered_orders_params params = {
        .sale_id = *sale_id, .numbers = draft->numbers, .numbers_count = draft->order_count};
    struct session_result result;

    enum db_status status =
        read_numbered_orders_exec(session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    struct store_order *orders = arena_calloc(arena, draft->order_count, sizeof(*orders));
    if (orders == NULL) {
        status = DB_OUT_OF_MEMORY;
    } else if (result.row_count != draft->order_count) {
        status = DB_PROTOCOL;
    } else {
        status = read_orders(session, &result, draft, arena, orders);
    }
    session_result_fini(&result);
    for (size_t i = 0; status == DB_OK && i < draft->event_count; i++) {
        draft->events[i].orders = orders;
        orders += draft->events[i].order_count;
    }
    return status;
}

enum store_result events_read(void *data, const struct uuid *sale_id, int64_t from,
                              size_t events_max, size_t orders_max, int64_t deadline_ns,
                              struct arena *arena, struct store_event_page *ret)
{
    struct store_postgres *store = connection_of(data);
    struct draft draft = {.from = from, .events_max = events_max, .orders_max = orders_max};

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status;
    (void)((status = send_rows(&store->session, sale_id, &draft, arena)) != DB_OK ||
           (status = receive_events(&store->session, deadline_ns, arena, &draft)) != DB_OK ||
           (status = receive_bounds(&store->session, deadline_ns, &draft)) != DB_OK);
    if (status == DB_OK && draft.order_count > 0) {
        status = fill(&store->session, sale_id, &draft, deadline_ns, arena);
    }
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    if (!draft.sale_exists) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct store_event_page){.events = draft.events,
                                     .count = draft.event_count,
                                     .oldest_sequence = draft.oldest_sequence,
                                     .more = draft.more};
    return STORE_OK;
}

/* --- Pruning -------------------------------------------------------------------------------------
 */

enum store_result events_prune(void *data, int64_t age_us, int64_t deadline_ns, struct arena *arena,
                               size_t *ret_count, bool *ret_more)
{
    struct store_postgres *store = connection_of(data);
    const struct prune_events_params params = {.age_us = age_us, .limit_count = EVENTS_PRUNE_MAX};
    int64_t affected;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status =
        prune_events_exec(&store->session, arena, &params, deadline_ns, &affected);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    *ret_count = (size_t)affected;
    *ret_more = affected == EVENTS_PRUNE_MAX;
    return STORE_OK;
}
