#include "fake_store.h"

#include "base/arena.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define QUICK_CONNECT_NS (100 * CLOCK_NS_PER_MS)

void fake_database_init(struct fake_database *database)
{
    memset(database, 0, sizeof(*database));
    pthread_mutex_init(&database->lock, NULL);
    atomic_store(&database->now_ns, CLOCK_NS_PER_SECOND);
    atomic_store(&database->clock_us, FAKE_STORE_CLOCK_US);
}

static void free_events(struct fake_sale *fake, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(fake->events[i].orders);
    }
    fake->event_count -= count;
    memmove(fake->events, fake->events + count, fake->event_count * sizeof(*fake->events));
}

void fake_database_fini(struct fake_database *database)
{
    for (size_t i = 0; i < database->sale_count; i++) {
        free_events(&database->sales[i], database->sales[i].event_count);
        free(database->sales[i].events);
        pthread_mutex_destroy(&database->sales[i].row_lock);
    }
    pthread_mutex_destroy(&database->lock);
}

/* --- Events --------------------------------------------------------------------------------------
 */

static int compare_event_orders(const void *a, const void *b)
{
    int64_t first = ((const struct fake_event_order *)a)->number;
    int64_t second = ((const struct fake_event_order *)b)->number;
    return first < second ? -1 : first > second;
}

/* What one transaction did, told once its sale is of the next version. orders is taken over. */
static void append_event(struct fake_sale *fake, int64_t time_us, struct fake_event_order *orders,
                         size_t count)
{
    if (fake->event_count == fake->event_capacity) {
        fake->event_capacity = fake->event_capacity == 0 ? 16 : 2 * fake->event_capacity;
        fake->events = realloc(fake->events, fake->event_capacity * sizeof(*fake->events));
        CHECK(fake->events != NULL);
    }
    if (count > 0) {
        qsort(orders, count, sizeof(*orders), compare_event_orders);
    }
    fake->events[fake->event_count++] =
        (struct fake_event){fake->sale.version, time_us, orders, count};
}

static struct fake_sale *append_sale(struct fake_database *database, const struct sale *sale)
{
    CHECK(database->sale_count < FAKE_STORE_SALES_MAX);
    struct fake_sale *fake = &database->sales[database->sale_count++];
    pthread_mutex_init(&fake->row_lock, NULL);
    fake->sale = *sale;
    append_event(fake, atomic_load(&database->clock_us), NULL, 0);
    return fake;
}

struct uuid fake_database_add_sale(struct fake_database *database, int32_t stock, int32_t limit)
{
    struct uuid id = {{(uint8_t)database->sale_count, 0xaa}};
    struct sale sale = {
        .sale_id = id,
        .sku = "s",
        .title = "t",
        .unit_price = {"EUR", 100},
        .start_us = 0,
        .end_us = FAKE_STORE_CLOCK_US * 2,
        .stock_total = stock,
        .stock_remaining = stock,
        .per_customer_limit = limit,
        .version = 1,
    };
    append_sale(database, &sale);
    return id;
}

bool fake_sale_is_sound(const struct fake_sale *fake)
{
    int64_t held = 0;
    for (size_t i = 0; i < fake->order_count; i++) {
        const struct order *order = &fake->orders[i].order;
        held += transition_holds_units(order->status) ? order->quantity : 0;
        if (order->number != (int64_t)i + 1) {
            return false;
        }
    }
    for (size_t i = 0; i < fake->event_count; i++) {
        if (fake->events[i].sequence != fake->sale.version - (int64_t)(fake->event_count - 1 - i)) {
            return false;
        }
    }
    return sale_is_consistent(&fake->sale) &&
           fake->sale.orders_count == (int64_t)fake->order_count && fake->event_count > 0 &&
           held + fake->sale.stock_remaining + fake->sale.stock_returning == fake->sale.stock_total;
}

void fake_database_add_step(struct fake_database *database, struct fake_step step)
{
    CHECK(database->step_count < FAKE_STORE_STEPS_MAX);
    database->steps[database->step_count++] = step;
}

/* The next step if it is for this place, or NULL. */
static const struct fake_step *next_step(struct fake_database *database, enum fake_place where)
{
    const struct fake_step *step = NULL;
    pthread_mutex_lock(&database->lock);
    if (database->steps_done < database->step_count &&
        database->steps[database->steps_done].where == where) {
        step = &database->steps[database->steps_done++];
    }
    if (step != NULL) {
        atomic_fetch_add(&database->now_ns, step->elapsed_ns);
        atomic_store(&database->is_down, step->goes_down);
    }
    pthread_mutex_unlock(&database->lock);
    return step;
}

static struct fake_sale *find_sale(struct fake_database *database, const struct uuid *sale_id)
{
    for (size_t i = 0; i < database->sale_count; i++) {
        if (uuid_equal(&database->sales[i].sale.sale_id, sale_id)) {
            return &database->sales[i];
        }
    }
    return NULL;
}

static bool goes_away(struct fake_connection *connection, enum store_result result)
{
    connection->is_lost |= result == STORE_UNAVAILABLE || result == STORE_UNKNOWN;
    return connection->is_lost || atomic_load(&connection->database->is_down);
}

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

static const struct fake_order *find_order(const struct fake_sale *fake,
                                           const struct uuid *order_id)
{
    for (size_t i = 0; i < fake->order_count; i++) {
        if (uuid_equal(&fake->orders[i].order.order_id, order_id)) {
            return &fake->orders[i];
        }
    }
    return NULL;
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
        const struct fake_order *order = find_order(fake, &requests[i].order_id);
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
        const struct fake_order *order = find_order(fake, &query->order_ids[i]);
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

static bool fake_wait_connected(void *data, int64_t deadline_ns)
{
    struct fake_connection *connection = data;
    atomic_fetch_add(&connection->database->wait_count, 1);
    if (atomic_load(&connection->database->is_down)) {
        atomic_store(&connection->database->now_ns, deadline_ns);
        return false;
    }
    connection->is_lost = false;
    return true;
}

/* A lost connection is opened again before work, as the port promises. */
static void prepare(struct fake_connection *connection)
{
    if (connection->is_lost) {
        fake_wait_connected(connection,
                            atomic_load(&connection->database->now_ns) + QUICK_CONNECT_NS);
    }
}

/* Locks the sale's row unless the script says otherwise; what is read from it then is guarded by
 * the database's lock as well, which the caller takes. */
static enum store_result lock_row(struct fake_connection *connection, enum fake_place where,
                                  const struct uuid *sale_id)
{
    struct fake_database *database = connection->database;

    atomic_fetch_add(&database->load_count, 1);
    prepare(connection);
    const struct fake_step *step = next_step(database, where);
    if (goes_away(connection, step != NULL ? step->result : STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    if (step != NULL) {
        return step->result;
    }
    CHECK(connection->locked == NULL);
    pthread_mutex_lock(&database->lock);
    struct fake_sale *fake = find_sale(database, sale_id);
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
    CHECK(find_order(fake, &order->order_id) == NULL);
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
    append_event(fake, time_us, orders, count);
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
    const struct fake_step *step = next_step(connection->database, where);
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
    goes_away(connection, result);
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
    goes_away(connection, result);
    return result;
}

static bool fake_is_connected(void *data)
{
    return !((struct fake_connection *)data)->is_lost;
}

/* --- Reading: what was committed, copied under the database's lock -------------------------------
 */

/* STORE_OK with the lock held, or why nothing is read. */
static enum store_result begin_read(struct fake_connection *connection)
{
    prepare(connection);
    const struct fake_step *step = next_step(connection->database, FAKE_READ);
    if (goes_away(connection, step != NULL ? step->result : STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    if (step != NULL) {
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

static enum store_result fake_get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                       struct arena *arena, struct store_sale *ret)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    struct fake_sale *fake = find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return end_read(connection, STORE_NOT_FOUND);
    }
    *ret = copy_sale(connection->database, fake, arena);
    return end_read(connection, STORE_OK);
}

/* Ids count upwards, so newest first is from the end. */
static enum store_result fake_list_sales(void *data, const struct uuid *before, size_t limit,
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

static enum store_result fake_read_sales(void *data, const struct uuid *sale_ids, size_t count,
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
        const struct fake_sale *fake = find_sale(connection->database, &sale_ids[i]);
        if (fake != NULL) {
            sales[ret->count++] = copy_sale(connection->database, fake, arena);
        }
    }
    return end_read(connection, STORE_OK);
}

static enum store_result fake_get_order(void *data, const struct uuid *sale_id,
                                        const struct uuid *order_id, const char *customer_id,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct store_order *ret)
{
    struct fake_database *database = ((struct fake_connection *)data)->database;
    enum store_result result = STORE_NOT_FOUND;
    (void)deadline_ns;
    (void)arena;

    pthread_mutex_lock(&database->lock);
    struct fake_sale *fake = find_sale(database, sale_id);
    const struct fake_order *order = fake == NULL ? NULL : find_order(fake, order_id);
    if (order != NULL && strcmp(order->customer_id, customer_id) == 0) {
        *ret = (struct store_order){order->order, order->customer_id, fake->sale.unit_price};
        result = STORE_OK;
    }
    pthread_mutex_unlock(&database->lock);
    return result;
}

/* Customers' names never change, so they may be borrowed from the rows. */
static enum store_result fake_list_orders(void *data, const struct uuid *sale_id,
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
    const struct fake_sale *fake = find_sale(connection->database, sale_id);
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

static enum store_result fake_read_events(void *data, const struct uuid *sale_id, int64_t from,
                                          size_t events_max, size_t orders_max, int64_t deadline_ns,
                                          struct arena *arena, struct store_event_page *ret)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;

    enum store_result result = begin_read(connection);
    if (result != STORE_OK) {
        return result;
    }
    const struct fake_sale *fake = find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return end_read(connection, STORE_NOT_FOUND);
    }
    fill_event_page(fake, from, events_max, orders_max, arena, ret);
    return end_read(connection, STORE_OK);
}

static enum store_result fake_read_order_ids(void *data, const struct uuid *sale_id, int64_t after,
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
    const struct fake_sale *fake = find_sale(connection->database, sale_id);
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

static enum store_result fake_due_sales(void *data, const struct uuid *after, size_t limit,
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

static enum store_result fake_prune_events(void *data, int64_t age_us, int64_t deadline_ns,
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
        free_events(fake, old);
        *ret_count += old;
    }
    *ret_more = false;
    return end_read(connection, STORE_OK);
}

static enum store_result fake_known_sales(void *data, const struct uuid *sale_ids, size_t count,
                                          int64_t deadline_ns, struct arena *arena, bool *ret_known)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    (void)arena;
    if (goes_away(connection, STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    pthread_mutex_lock(&connection->database->lock);
    for (size_t i = 0; i < count; i++) {
        ret_known[i] = find_sale(connection->database, &sale_ids[i]) != NULL;
    }
    pthread_mutex_unlock(&connection->database->lock);
    return STORE_OK;
}

static enum store_creation_outcome create_once(struct fake_database *database,
                                               const struct store_creation *creation,
                                               struct store_sale *ret_sale)
{
    for (size_t i = 0; i < database->creation_count; i++) {
        if (strcmp(database->creations[i].key, creation->key) == 0) {
            if (memcmp(database->creations[i].fingerprint, creation->fingerprint, 32) != 0) {
                return STORE_CREATION_KEY_REUSED;
            }
            ret_sale->sale = find_sale(database, &database->creations[i].sale_id)->sale;
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
    append_sale(database, &sale);
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
    const struct fake_step *step = next_step(connection->database, FAKE_STORE);
    if (step == NULL || step->committed) {
        pthread_mutex_lock(&connection->database->lock);
        *ret_outcome = create_once(connection->database, creation, ret_sale);
        pthread_mutex_unlock(&connection->database->lock);
    }
    enum store_result result = step != NULL ? step->result : STORE_OK;
    goes_away(connection, result);
    return result;
}

struct store fake_store_of(struct fake_connection *connection, struct fake_database *database)
{
    *connection = (struct fake_connection){.database = database};
    return (struct store){
        .data = connection,
        .load_placement = fake_load,
        .store_placed = fake_store,
        .abandon = fake_abandon,
        .is_connected = fake_is_connected,
        .wait_connected = fake_wait_connected,
        .create_sale = fake_create_sale,
        .get_sale = fake_get_sale,
        .list_sales = fake_list_sales,
        .get_order = fake_get_order,
        .load_change = fake_load_change,
        .store_change = fake_store_change,
        .list_orders = fake_list_orders,
        .read_events = fake_read_events,
        .read_sales = fake_read_sales,
        .read_order_ids = fake_read_order_ids,
        .due_sales = fake_due_sales,
        .prune_events = fake_prune_events,
        .known_sales = fake_known_sales,
    };
}

static int64_t fake_monotonic_ns(void *data)
{
    return atomic_load(&((struct fake_database *)data)->now_ns);
}

static void fake_sleep_ns(void *data, int64_t duration_ns)
{
    struct fake_database *database = data;
    atomic_fetch_add(&database->sleep_count, 1);
    atomic_fetch_add(&database->now_ns, duration_ns);
}

static uint64_t fake_wall_ms(void *data)
{
    (void)data;
    return 0;
}

static void fake_random_bytes(void *data, uint8_t *bytes, size_t count)
{
    static atomic_uchar next;
    (void)data;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = atomic_fetch_add(&next, 1);
    }
}

struct system_port fake_system_of(struct fake_database *database)
{
    return (struct system_port){.data = database,
                                .monotonic_ns = fake_monotonic_ns,
                                .sleep_ns = fake_sleep_ns,
                                .wall_ms = fake_wall_ms,
                                .random_bytes = fake_random_bytes};
}
