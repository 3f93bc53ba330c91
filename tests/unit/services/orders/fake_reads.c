#include "fake_reads.h"

#include "base/arena.h"
#include "fake_connection.h"

#include <string.h>

/* STORE_OK with the lock held, or why nothing is read. */
static enum store_result begin_read(struct fake_connection *connection)
{
    fake_connection_prepare(connection);
    const struct fake_step *step = fake_database_next_step(connection->database, FAKE_READ);
    if (fake_connection_goes_away(connection, step != NULL ? step->result : STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    if (step != NULL && step->result != STORE_OK) {
        return step->result;
    }
    pthread_mutex_lock(&connection->database->lock);
    return STORE_OK;
}

static enum store_result end_read(struct fake_connection *connection, enum store_result result)
{
    pthread_mutex_unlock(&connection->database->lock);
    return result;
}

static struct store_sale copy_sale(const struct fake_database *database,
                                   const struct fake_sale *fake, struct arena *arena)
{
    struct store_sale copy = {.sale = fake->sale, .now_us = atomic_load(&database->clock_us)};
    copy.sale.title = arena_strndup(arena, fake->sale.title, strlen(fake->sale.title));
    CHECK(copy.sale.title != NULL);
    return copy;
}

static enum store_result get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                  struct arena *arena, struct store_sale *ret)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    struct fake_sale *fake = fake_database_find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return end_read(connection, STORE_NOT_FOUND);
    }
    *ret = copy_sale(connection->database, fake, arena);
    return end_read(connection, STORE_OK);
}

/* Ids count upwards, so newest first is from the end. */
static enum store_result list_sales(void *data, const struct uuid *before, size_t limit,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct store_sale_page *ret)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    struct store_sale *sales = arena_calloc(arena, limit, sizeof(*sales));
    (void)deadline_ns;

    CHECK(sales != NULL);
    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    size_t end = before == NULL ? database->sale_count : before->bytes[0];
    *ret = (struct store_sale_page){.sales = sales, .more = end > limit};
    for (size_t i = end; i > 0 && ret->count < limit; i--) {
        sales[ret->count++] = copy_sale(database, &database->sales[i - 1], arena);
    }
    return end_read(connection, STORE_OK);
}

static enum store_result read_sales(void *data, const struct uuid *sale_ids, size_t count,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct store_sale_page *ret)
{
    struct fake_connection *connection = data;
    struct store_sale *sales = arena_calloc(arena, count, sizeof(*sales));
    (void)deadline_ns;

    CHECK(sales != NULL && count <= STORE_READ_SALES_MAX);
    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    *ret = (struct store_sale_page){.sales = sales};
    for (size_t i = 0; i < count; i++) {
        const struct fake_sale *fake = fake_database_find_sale(connection->database, &sale_ids[i]);
        if (fake != NULL) {
            sales[ret->count++] = copy_sale(connection->database, fake, arena);
        }
    }
    return end_read(connection, STORE_OK);
}

static enum store_result get_order(void *data, const struct uuid *sale_id,
                                   const struct uuid *order_id, const char *customer_id,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct store_order *ret)
{
    struct fake_database *database = ((struct fake_connection *)data)->database;
    enum store_result result = STORE_NOT_FOUND;
    (void)deadline_ns;
    (void)arena;

    pthread_mutex_lock(&database->lock);
    struct fake_sale *fake = fake_database_find_sale(database, sale_id);
    const struct fake_order *order = fake == NULL ? NULL : fake_database_find_order(fake, order_id);
    if (order != NULL && strcmp(order->customer_id, customer_id) == 0) {
        *ret = (struct store_order){order->order, order->customer_id, fake->sale.unit_price};
        result = STORE_OK;
    }
    pthread_mutex_unlock(&database->lock);
    return result;
}

/* Customers' names never change, so they may be borrowed from the rows. */
static enum store_result list_orders(void *data, const struct uuid *sale_id,
                                     const char *customer_id, int64_t after, size_t limit,
                                     int64_t deadline_ns, struct arena *arena,
                                     struct store_order_page *ret)
{
    struct fake_connection *connection = data;
    struct store_order *orders = arena_calloc(arena, limit, sizeof(*orders));
    (void)deadline_ns;

    CHECK(orders != NULL);
    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    const struct fake_sale *fake = fake_database_find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return end_read(connection, STORE_NOT_FOUND);
    }
    *ret = (struct store_order_page){.orders = orders};
    for (size_t i = 0; i < fake->order_count; i++) {
        const struct fake_order *order = &fake->orders[i];
        if (order->order.number <= after ||
            (customer_id != NULL && strcmp(order->customer_id, customer_id) != 0)) {
            continue;
        }
        if (ret->count == limit) {
            ret->more = true;
            break;
        }
        orders[ret->count++] =
            (struct store_order){order->order, order->customer_id, fake->sale.unit_price};
    }
    return end_read(connection, STORE_OK);
}

static struct store_event copy_event(const struct fake_sale *fake, const struct fake_event *event,
                                     struct arena *arena)
{
    struct store_order *orders = arena_calloc(arena, event->order_count, sizeof(*orders));
    CHECK(orders != NULL);
    for (size_t i = 0; i < event->order_count; i++) {
        const struct fake_order *row = &fake->orders[event->orders[i].number - 1];
        orders[i] = (struct store_order){row->order, row->customer_id, fake->sale.unit_price};
        orders[i].order.status = event->orders[i].status;
    }
    return (struct store_event){event->sequence, event->time_us, orders, event->order_count};
}

static void fill_event_page(const struct fake_sale *fake, int64_t from, size_t events_max,
                            size_t orders_max, struct arena *arena, struct store_event_page *ret)
{
    struct store_event *events = arena_calloc(arena, events_max, sizeof(*events));
    size_t orders = 0;

    CHECK(events != NULL);
    *ret = (struct store_event_page){
        .events = events,
        .oldest_sequence =
            fake->event_count > 0 ? fake->events[0].sequence : fake->sale.version + 1,
    };
    for (size_t i = 0; from >= ret->oldest_sequence && i < fake->event_count; i++) {
        const struct fake_event *event = &fake->events[i];
        if (event->sequence < from) {
            continue;
        }
        orders += event->order_count;
        if (ret->count == events_max || (ret->count > 0 && orders > orders_max)) {
            ret->more = true;
            return;
        }
        events[ret->count++] = copy_event(fake, event, arena);
    }
}

static enum store_result read_events(void *data, const struct uuid *sale_id, int64_t from,
                                     size_t events_max, size_t orders_max, int64_t deadline_ns,
                                     struct arena *arena, struct store_event_page *ret)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;

    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    const struct fake_sale *fake = fake_database_find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return end_read(connection, STORE_NOT_FOUND);
    }
    fill_event_page(fake, from, events_max, orders_max, arena, ret);
    return end_read(connection, STORE_OK);
}

static enum store_result read_order_ids(void *data, const struct uuid *sale_id, int64_t after,
                                        size_t limit, int64_t deadline_ns, struct arena *arena,
                                        struct uuid *ret_ids, size_t *ret_count)
{
    struct fake_connection *connection = data;
    size_t count = 0;
    (void)deadline_ns;
    (void)arena;

    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    const struct fake_sale *fake = fake_database_find_sale(connection->database, sale_id);
    for (size_t i = (size_t)after; fake != NULL && i < fake->order_count && count < limit; i++) {
        ret_ids[count++] = fake->orders[i].order.order_id;
    }
    *ret_count = count;
    return end_read(connection, STORE_OK);
}

static bool has_due_holds(const struct fake_sale *fake, int64_t now_us)
{
    for (size_t i = 0; i < fake->order_count; i++) {
        if (settlement_is_due(&fake->orders[i].order, now_us)) {
            return true;
        }
    }
    return false;
}

/* The sale with the smallest id above *after that is not in vain, or NULL. */
static const struct fake_sale *next_due(const struct fake_database *database,
                                        const struct uuid *after, int64_t now_us)
{
    const struct fake_sale *next = NULL;
    for (size_t i = 0; i < database->sale_count; i++) {
        const struct fake_sale *fake = &database->sales[i];
        const uint8_t *id = fake->sale.sale_id.bytes;
        bool is_above = after == NULL || memcmp(id, after->bytes, UUID_BYTES) > 0;
        bool is_due = fake->sale.stock_returning > 0 || has_due_holds(fake, now_us);
        if (is_above && is_due &&
            (next == NULL || memcmp(id, next->sale.sale_id.bytes, UUID_BYTES) < 0)) {
            next = fake;
        }
    }
    return next;
}

static enum store_result due_sales(void *data, const struct uuid *after, size_t limit,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct store_due_sale *ret_sales, size_t *ret_count)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    size_t count = 0;
    (void)deadline_ns;
    (void)arena;

    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    int64_t now_us = atomic_load(&database->clock_us);
    for (const struct fake_sale *fake = next_due(database, after, now_us);
         fake != NULL && count < limit;
         fake = next_due(database, &ret_sales[count - 1].sale_id, now_us)) {
        ret_sales[count++] = (struct store_due_sale){
            .sale_id = fake->sale.sale_id,
            .holds_due = has_due_holds(fake, now_us),
            .stock_returned = fake->sale.stock_returning > 0 ? fake->sale.stock_returned : 0,
        };
    }
    *ret_count = count;
    return end_read(connection, STORE_OK);
}

static enum store_result prune_events(void *data, int64_t age_us, int64_t deadline_ns,
                                      struct arena *arena, size_t *ret_count, bool *ret_more)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    (void)deadline_ns;
    (void)arena;

    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    int64_t oldest_us = atomic_load(&database->clock_us) - age_us;
    *ret_count = 0;
    for (size_t i = 0; i < database->sale_count; i++) {
        struct fake_sale *fake = &database->sales[i];
        size_t old = 0;
        while (old < fake->event_count && fake->events[old].time_us < oldest_us) {
            old++;
        }
        fake_database_forget_events(fake, old);
        *ret_count += old;
    }
    *ret_more = false;
    return end_read(connection, STORE_OK);
}

static enum store_result known_sales(void *data, const struct uuid *sale_ids, size_t count,
                                     int64_t deadline_ns, struct arena *arena, bool *ret_known)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    (void)arena;
    if (fake_connection_goes_away(connection, STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    pthread_mutex_lock(&connection->database->lock);
    for (size_t i = 0; i < count; i++) {
        ret_known[i] = fake_database_find_sale(connection->database, &sale_ids[i]) != NULL;
    }
    pthread_mutex_unlock(&connection->database->lock);
    return STORE_OK;
}

void fake_reads_fill(struct store *store)
{
    store->get_sale = get_sale;
    store->list_sales = list_sales;
    store->get_order = get_order;
    store->list_orders = list_orders;
    store->read_events = read_events;
    store->read_sales = read_sales;
    store->read_order_ids = read_order_ids;
    store->due_sales = due_sales;
    store->prune_events = prune_events;
    store->known_sales = known_sales;
}
