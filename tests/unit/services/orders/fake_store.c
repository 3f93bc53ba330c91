#include "fake_store.h"

#include "base/arena.h"
#include "fake_reads.h"

#include <stdlib.h>
#include <string.h>

/* --- Loading -------------------------------------------------------------------------------------
 */

/* An order as the open transaction sees it: one that is among expired is EXPIRED. */
static struct order seen_order(const struct fake_order *fake, const struct order_change *expired,
                               size_t expired_count)
{
    struct order order = fake->order;
    for (size_t i = 0; i < expired_count; i++) {
        if (expired[i].number == order.number) {
            order.status = ORDER_EXPIRED;
        }
    }
    return order;
}

/* The holds that have run out, by number, a bounded number; nothing is changed before COMMIT. */
static const struct order_change *expire(const struct fake_sale *fake, int64_t now_us,
                                         struct arena *arena, size_t *ret_count)
{
    struct order_change *expired = arena_calloc(arena, SETTLEMENT_EXPIRED_MAX, sizeof(*expired));
    CHECK(expired != NULL);
    *ret_count = 0;
    for (size_t i = 0; i < fake->order_count && *ret_count < SETTLEMENT_EXPIRED_MAX; i++) {
        const struct order *order = &fake->orders[i].order;
        if (settlement_is_due(order, now_us)) {
            expired[(*ret_count)++] = (struct order_change){
                order->order_id, order->number, order->quantity, ORDER_RESERVED, ORDER_EXPIRED};
        }
    }
    return expired;
}

static bool is_of(const struct fake_order *order, const char *customer_id, size_t length)
{
    return strlen(order->customer_id) == length &&
           memcmp(order->customer_id, customer_id, length) == 0;
}

static int64_t held_by(const struct fake_sale *fake, const struct placement_request *request,
                       const struct placement_facts *facts)
{
    int64_t units = 0;
    for (size_t i = 0; i < fake->order_count; i++) {
        if (is_of(&fake->orders[i], request->customer_id, request->customer_length)) {
            struct order order = seen_order(&fake->orders[i], facts->expired, facts->expired_count);
            units += transition_holds_units(order.status) ? order.quantity : 0;
        }
    }
    return units;
}

static struct placement_facts facts_of(const struct fake_sale *fake, int64_t now_us,
                                       const struct placement_request *requests, size_t count,
                                       struct arena *arena)
{
    struct order *existing = arena_calloc(arena, count, sizeof(*existing));
    struct placement_holding *holdings = arena_calloc(arena, count, sizeof(*holdings));
    struct placement_facts facts = {.sale = fake->sale, .now_us = now_us};

    CHECK(existing != NULL && holdings != NULL);
    facts.expired = expire(fake, now_us, arena, &facts.expired_count);
    facts.existing = existing;
    facts.holdings = holdings;
    for (size_t i = 0; i < count; i++) {
        const struct fake_order *order = fake_database_find_order(fake, &requests[i].order_id);
        if (order != NULL) {
            existing[facts.existing_count++] =
                seen_order(order, facts.expired, facts.expired_count);
        }
        if (fake->sale.per_customer_limit > 0) {
            holdings[facts.holding_count++] =
                (struct placement_holding){requests[i].customer_id, requests[i].customer_length,
                                           held_by(fake, &requests[i], &facts)};
        }
    }
    return facts;
}

static bool is_asked_before(const struct store_change_query *query, size_t position)
{
    for (size_t i = 0; i < position; i++) {
        if (uuid_equal(&query->order_ids[i], &query->order_ids[position])) {
            return true;
        }
    }
    return false;
}

static struct store_change_facts change_facts_of(const struct fake_sale *fake, int64_t now_us,
                                                 const struct store_change_query *query,
                                                 struct arena *arena)
{
    struct settlement_order *orders = arena_calloc(arena, query->order_count, sizeof(*orders));
    struct store_change_facts facts = {.settlement = {.sale = fake->sale, .now_us = now_us}};
    struct settlement_facts *settlement = &facts.settlement;

    CHECK(orders != NULL);
    settlement->expired = expire(fake, now_us, arena, &settlement->expired_count);
    settlement->orders = orders;
    for (size_t i = 0; i < query->order_count; i++) {
        const struct fake_order *order = fake_database_find_order(fake, &query->order_ids[i]);
        if (order != NULL && !is_asked_before(query, i)) {
            orders[settlement->order_count++] = (struct settlement_order){
                seen_order(order, settlement->expired, settlement->expired_count),
                order->customer_id, strlen(order->customer_id)};
        }
    }
    for (size_t i = 0; query->restock_key != NULL && i < fake->restock_count; i++) {
        if (strlen(fake->restocks[i].key) == query->restock_key_length &&
            memcmp(fake->restocks[i].key, query->restock_key, query->restock_key_length) == 0) {
            facts.restocked = true;
            facts.restocked_quantity = fake->restocks[i].quantity;
        }
    }
    return facts;
}

/* Locks the sale's row unless the script says otherwise; what is read from it then is guarded by
 * the database's lock as well, which the caller takes. */
static enum store_result lock_row(struct fake_connection *connection, enum fake_place where,
                                  const struct uuid *sale_id)
{
    struct fake_database *database = connection->database;

    atomic_fetch_add(&database->load_count, 1);
    fake_connection_prepare(connection);
    const struct fake_step *step = fake_database_next_step(database, where);
    if (fake_connection_goes_away(connection, step != NULL ? step->result : STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    if (step != NULL) {
        return step->result;
    }
    CHECK(connection->locked == NULL);
    pthread_mutex_lock(&database->lock);
    struct fake_sale *fake = fake_database_find_sale(database, sale_id);
    pthread_mutex_unlock(&database->lock);
    if (fake == NULL) {
        return STORE_NOT_FOUND;
    }
    pthread_mutex_lock(&fake->row_lock);
    connection->locked = fake;
    return STORE_OK;
}

static enum store_result fake_load(void *data, const struct uuid *sale_id,
                                   const struct placement_request *requests, size_t count,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct placement_facts *ret)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    (void)deadline_ns;

    enum store_result result = lock_row(connection, FAKE_LOAD, sale_id);
    if (result == STORE_OK) {
        pthread_mutex_lock(&database->lock);
        *ret =
            facts_of(connection->locked, atomic_load(&database->clock_us), requests, count, arena);
        pthread_mutex_unlock(&database->lock);
    }
    return result;
}

static enum store_result fake_load_change(void *data, const struct uuid *sale_id,
                                          const struct store_change_query *query,
                                          int64_t deadline_ns, struct arena *arena,
                                          struct store_change_facts *ret)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    (void)deadline_ns;

    CHECK(query->order_count <= SETTLEMENT_BATCH_MAX);
    enum store_result result = lock_row(connection, FAKE_LOAD_CHANGE, sale_id);
    if (result == STORE_OK) {
        pthread_mutex_lock(&database->lock);
        *ret = change_facts_of(connection->locked, atomic_load(&database->clock_us), query, arena);
        pthread_mutex_unlock(&database->lock);
    }
    return result;
}

static void fake_abandon(void *data, int64_t deadline_ns)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    if (connection->locked != NULL) {
        pthread_mutex_unlock(&connection->locked->row_lock);
        connection->locked = NULL;
    }
}

/* --- Storing -------------------------------------------------------------------------------------
 */

/* UPDATE ... AND status = from: exactly one row. */
static struct fake_event_order apply_change(struct fake_sale *fake,
                                            const struct order_change *change)
{
    CHECK(change->number >= 1 && change->number <= (int64_t)fake->order_count);
    struct order *order = &fake->orders[change->number - 1].order;
    CHECK(uuid_equal(&order->order_id, &change->order_id));
    CHECK(order->status == change->from && order->quantity == change->quantity);
    order->status = change->to;
    return (struct fake_event_order){change->number, change->to};
}

static struct fake_event_order insert(struct fake_sale *fake,
                                      const struct placement_request *request,
                                      const struct order *order)
{
    CHECK(fake->order_count < FAKE_STORE_ORDERS_MAX);
    CHECK(fake_database_find_order(fake, &order->order_id) == NULL);
    struct fake_order *row = &fake->orders[fake->order_count++];
    CHECK(order->number == (int64_t)fake->order_count);
    row->order = *order;
    memcpy(row->customer_id, request->customer_id, request->customer_length);
    row->customer_id[request->customer_length] = '\0';
    return (struct fake_event_order){order->number, order->status};
}

/* Writes the row and the event of a transaction that did something; takes the orders over. */
static void write_row(struct fake_sale *fake, const struct sale *after, int64_t time_us,
                      struct fake_event_order *orders, size_t count)
{
    const char *title = fake->sale.title;
    if (after->version == fake->sale.version) {
        CHECK(count == 0);
        free(orders);
        return;
    }
    CHECK(after->version == fake->sale.version + 1 && sale_is_consistent(after));
    if (strcmp(title, after->title) != 0) {
        CHECK(strlen(after->title) < sizeof(fake->title));
        memcpy(fake->title, after->title, strlen(after->title) + 1);
        title = fake->title;
    }
    fake->sale = *after;
    fake->sale.title = title;
    fake_database_tell(fake, time_us, orders, count);
}

static struct fake_event_order *event_orders(size_t count)
{
    struct fake_event_order *orders = calloc(count + 1, sizeof(*orders));
    CHECK(orders != NULL);
    return orders;
}

static void apply_placed(struct fake_sale *fake, const struct placement_facts *facts,
                         const struct placement_request *requests, size_t count,
                         const struct placement_decision *decision)
{
    struct fake_event_order *orders = event_orders(facts->expired_count + decision->placed_count);
    size_t done = 0;
    for (size_t i = 0; i < facts->expired_count; i++) {
        orders[done++] = apply_change(fake, &facts->expired[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (decision->outcomes[i] == OUTCOME_PLACED) {
            orders[done++] = insert(fake, &requests[i], &decision->orders[i]);
        }
    }
    CHECK(done == facts->expired_count + decision->placed_count);
    write_row(fake, &decision->sale, facts->now_us, orders, done);
}

static void apply_changes(struct fake_sale *fake, const struct store_change_facts *facts,
                          const struct store_change *change)
{
    const struct settlement_facts *settlement = &facts->settlement;
    struct fake_event_order *orders =
        event_orders(settlement->expired_count + change->change_count);
    size_t done = 0;
    for (size_t i = 0; i < settlement->expired_count; i++) {
        orders[done++] = apply_change(fake, &settlement->expired[i]);
    }
    for (size_t i = 0; i < change->change_count; i++) {
        orders[done++] = apply_change(fake, &change->changes[i]);
    }
    write_row(fake, &change->sale, settlement->now_us, orders, done);
    if (change->restock_key != NULL) {
        CHECK(fake->restock_count < FAKE_STORE_RESTOCKS_MAX && !facts->restocked);
        CHECK(change->restock_key_length <= ORDER_KEY_CHARS_MAX);
        struct fake_restock *restock = &fake->restocks[fake->restock_count++];
        memcpy(restock->key, change->restock_key, change->restock_key_length);
        restock->key[change->restock_key_length] = '\0';
        restock->quantity = change->restock_quantity;
    }
}

static bool is_poisoned(const struct fake_database *database,
                        const struct placement_request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (database->poisoned_quantity != 0 &&
            requests[i].quantity == database->poisoned_quantity) {
            return true;
        }
    }
    return false;
}

static bool is_change_poisoned(const struct fake_database *database,
                               const struct store_change *change)
{
    for (size_t i = 0; i < change->change_count; i++) {
        if (database->poisoned_quantity != 0 &&
            change->changes[i].quantity == database->poisoned_quantity) {
            return true;
        }
    }
    return false;
}

/* How a COMMIT ends, and in *ret_applies whether it was done. */
static enum store_result commit(struct fake_connection *connection, enum fake_place where,
                                bool poisoned, bool *ret_applies)
{
    atomic_fetch_add(&connection->database->store_count, 1);
    CHECK(connection->locked != NULL);
    const struct fake_step *step = fake_database_next_step(connection->database, where);
    *ret_applies = !poisoned && (step == NULL || step->committed);
    return poisoned ? STORE_REJECTED : step != NULL ? step->result : STORE_OK;
}

static enum store_result fake_store(void *data, const struct placement_facts *facts,
                                    const struct placement_request *requests, size_t count,
                                    const struct placement_decision *decision, int64_t deadline_ns,
                                    struct arena *arena)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    bool applies;
    (void)arena;

    enum store_result result =
        commit(connection, FAKE_STORE, is_poisoned(database, requests, count), &applies);
    if (applies) {
        pthread_mutex_lock(&database->lock);
        apply_placed(connection->locked, facts, requests, count, decision);
        pthread_mutex_unlock(&database->lock);
    }
    fake_abandon(data, deadline_ns);
    fake_connection_goes_away(connection, result);
    return result;
}

static enum store_result fake_store_change(void *data, const struct store_change_facts *facts,
                                           const struct store_change *change, int64_t deadline_ns,
                                           struct arena *arena)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    bool applies;
    (void)arena;

    enum store_result result =
        commit(connection, FAKE_STORE_CHANGE, is_change_poisoned(database, change), &applies);
    if (applies) {
        pthread_mutex_lock(&database->lock);
        apply_changes(connection->locked, facts, change);
        pthread_mutex_unlock(&database->lock);
    }
    fake_abandon(data, deadline_ns);
    fake_connection_goes_away(connection, result);
    return result;
}

/* --- Creating -------------------------------------------------------------------------------- */

static enum store_creation_outcome create_once(struct fake_database *database,
                                               const struct store_creation *creation,
                                               struct store_sale *ret_sale)
{
    for (size_t i = 0; i < database->creation_count; i++) {
        if (strcmp(database->creations[i].key, creation->key) == 0) {
            if (memcmp(database->creations[i].fingerprint, creation->fingerprint, 32) != 0) {
                return STORE_CREATION_KEY_REUSED;
            }
            ret_sale->sale =
                fake_database_find_sale(database, &database->creations[i].sale_id)->sale;
            return STORE_CREATED_BEFORE;
        }
    }
    struct sale sale = {.sale_id = creation->sale_id,
                        .sku = "s",
                        .title = "t",
                        .end_us = creation->draft->end_us,
                        .stock_total = creation->draft->stock_total,
                        .stock_remaining = creation->draft->stock_total,
                        .version = 1};
    fake_database_append_sale(database, &sale);
    size_t slot = database->creation_count++;
    memcpy(database->creations[slot].key, creation->key, creation->key_length + 1);
    memcpy(database->creations[slot].fingerprint, creation->fingerprint, 32);
    database->creations[slot].sale_id = creation->sale_id;
    ret_sale->sale = sale;
    return STORE_CREATED;
}

static enum store_result fake_create_sale(void *data, const struct store_creation *creation,
                                          int64_t deadline_ns, struct arena *arena,
                                          enum store_creation_outcome *ret_outcome,
                                          struct store_sale *ret_sale)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    (void)arena;
    const struct fake_step *step = fake_database_next_step(connection->database, FAKE_STORE);
    if (step == NULL || step->committed) {
        pthread_mutex_lock(&connection->database->lock);
        *ret_outcome = create_once(connection->database, creation, ret_sale);
        pthread_mutex_unlock(&connection->database->lock);
    }
    enum store_result result = step != NULL ? step->result : STORE_OK;
    fake_connection_goes_away(connection, result);
    return result;
}

struct store fake_store_of(struct fake_connection *connection, struct fake_database *database)
{
    *connection = (struct fake_connection){.database = database};
    struct store store = {
        .data = connection,
        .load_placement = fake_load,
        .store_placed = fake_store,
        .abandon = fake_abandon,
        .is_connected = fake_connection_is_connected,
        .wait_connected = fake_connection_wait_connected,
        .create_sale = fake_create_sale,
        .load_change = fake_load_change,
        .store_change = fake_store_change,
    };
    fake_reads_fill(&store);
    return store;
}
