#include "fake_store.h"

#include "base/arena.h"
#include "base/clock.h"

#include <string.h>

#define NOW_US INT64_C(1000000000)

#define QUICK_CONNECT_NS (100 * CLOCK_NS_PER_MS)

void fake_database_init(struct fake_database *database)
{
    memset(database, 0, sizeof(*database));
    pthread_mutex_init(&database->lock, NULL);
    atomic_store(&database->now_ns, CLOCK_NS_PER_SECOND);
}

void fake_database_fini(struct fake_database *database)
{
    for (size_t i = 0; i < database->sale_count; i++) {
        pthread_mutex_destroy(&database->sales[i].row_lock);
    }
    pthread_mutex_destroy(&database->lock);
}

static struct fake_sale *append_sale(struct fake_database *database)
{
    CHECK(database->sale_count < FAKE_STORE_SALES_MAX);
    struct fake_sale *fake = &database->sales[database->sale_count++];
    pthread_mutex_init(&fake->row_lock, NULL);
    return fake;
}

struct uuid fake_database_add_sale(struct fake_database *database, int32_t stock, int32_t limit)
{
    struct uuid id = {{(uint8_t)database->sale_count, 0xaa}};
    append_sale(database)->sale = (struct sale){
        .sale_id = id,
        .sku = "s",
        .title = "t",
        .unit_price = {"EUR", 100},
        .start_us = 0,
        .end_us = NOW_US * 2,
        .stock_total = stock,
        .stock_remaining = stock,
        .per_customer_limit = limit,
        .version = 1,
    };
    return id;
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

static struct placement_facts facts_of(struct fake_sale *fake,
                                       const struct placement_request *requests, size_t count,
                                       struct arena *arena)
{
    struct order *existing = arena_calloc(arena, count, sizeof(*existing));
    struct placement_holding *holdings = arena_calloc(arena, count, sizeof(*holdings));
    struct placement_facts facts = {.sale = fake->sale, .now_us = NOW_US};

    CHECK(existing != NULL && holdings != NULL);
    for (size_t i = 0; i < count; i++) {
        holdings[i].customer_id = requests[i].customer_id;
        holdings[i].customer_length = requests[i].customer_length;
        for (size_t k = 0; k < fake->order_count; k++) {
            const struct fake_order *order = &fake->orders[k];
            if (uuid_equal(&order->order.order_id, &requests[i].order_id)) {
                existing[facts.existing_count++] = order->order;
            }
            if (fake->sale.per_customer_limit > 0 &&
                strlen(order->customer_id) == requests[i].customer_length &&
                memcmp(order->customer_id, requests[i].customer_id, requests[i].customer_length) ==
                    0) {
                holdings[i].units += order->order.quantity;
            }
        }
    }
    facts.existing = existing;
    facts.holdings = holdings;
    facts.holding_count = count;
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

static enum store_result fake_load(void *data, const struct uuid *sale_id,
                                   const struct placement_request *requests, size_t count,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct placement_facts *ret)
{
    struct fake_connection *connection = data;
    struct fake_database *database = connection->database;
    (void)deadline_ns;

    atomic_fetch_add(&database->load_count, 1);
    prepare(connection);
    const struct fake_step *step = next_step(database, FAKE_LOAD);
    if (goes_away(connection, step != NULL ? step->result : STORE_OK)) {
        connection->is_lost = true;
        return STORE_UNAVAILABLE;
    }
    if (step != NULL) {
        return step->result;
    }
    CHECK(connection->locked == NULL);
    struct fake_sale *fake = find_sale(database, sale_id);
    if (fake == NULL) {
        return STORE_NOT_FOUND;
    }
    pthread_mutex_lock(&fake->row_lock);
    connection->locked = fake;
    *ret = facts_of(fake, requests, count, arena);
    return STORE_OK;
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

static void apply(struct fake_sale *fake, const struct placement_request *requests, size_t count,
                  const struct placement_decision *decision)
{
    for (size_t i = 0; i < count; i++) {
        if (decision->outcomes[i] == OUTCOME_PLACED) {
            CHECK(fake->order_count < FAKE_STORE_ORDERS_MAX);
            struct fake_order *order = &fake->orders[fake->order_count++];
            order->order = decision->orders[i];
            memcpy(order->customer_id, requests[i].customer_id, requests[i].customer_length);
            order->customer_id[requests[i].customer_length] = '\0';
        }
    }
    fake->sale = decision->sale;
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

static enum store_result fake_store(void *data, const struct placement_facts *facts,
                                    const struct placement_request *requests, size_t count,
                                    const struct placement_decision *decision, int64_t deadline_ns,
                                    struct arena *arena)
{
    struct fake_connection *connection = data;
    (void)facts;
    (void)arena;

    atomic_fetch_add(&connection->database->store_count, 1);
    CHECK(connection->locked != NULL);
    const struct fake_step *step = next_step(connection->database, FAKE_STORE);
    enum store_result result = step != NULL ? step->result : STORE_OK;
    if (is_poisoned(connection->database, requests, count)) {
        result = STORE_REJECTED;
    } else if (step == NULL || step->committed) {
        apply(connection->locked, requests, count, decision);
    }
    fake_abandon(data, deadline_ns);
    goes_away(connection, result);
    return result;
}

static bool fake_is_connected(void *data)
{
    return !((struct fake_connection *)data)->is_lost;
}

static enum store_result fake_get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                       struct arena *arena, struct store_sale *ret)
{
    struct fake_connection *connection = data;
    (void)deadline_ns;
    (void)arena;
    const struct fake_step *step = next_step(connection->database, FAKE_LOAD);
    if (step != NULL) {
        return step->result;
    }
    struct fake_sale *fake = find_sale(connection->database, sale_id);
    if (fake == NULL) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct store_sale){.sale = fake->sale, .now_us = NOW_US};
    return STORE_OK;
}

/* Ids count upwards, so newest first is from the end. */
static enum store_result fake_list_sales(void *data, const struct uuid *before, size_t limit,
                                         int64_t deadline_ns, struct arena *arena,
                                         struct store_sale_page *ret)
{
    struct fake_database *database = ((struct fake_connection *)data)->database;
    struct store_sale *sales = arena_calloc(arena, limit, sizeof(*sales));
    size_t end = before == NULL ? database->sale_count : before->bytes[0];
    (void)deadline_ns;

    CHECK(sales != NULL);
    *ret = (struct store_sale_page){.sales = sales, .more = end > limit};
    for (size_t i = end; i > 0 && ret->count < limit; i--) {
        sales[ret->count++].sale = database->sales[i - 1].sale;
    }
    return STORE_OK;
}

static enum store_result fake_get_order(void *data, const struct uuid *sale_id,
                                        const struct uuid *order_id, const char *customer_id,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct store_order *ret)
{
    struct fake_sale *fake = find_sale(((struct fake_connection *)data)->database, sale_id);
    (void)deadline_ns;
    (void)arena;
    for (size_t i = 0; fake != NULL && i < fake->order_count; i++) {
        if (uuid_equal(&fake->orders[i].order.order_id, order_id) &&
            strcmp(fake->orders[i].customer_id, customer_id) == 0) {
            *ret = (struct store_order){fake->orders[i].order, fake->orders[i].customer_id,
                                        fake->sale.unit_price};
            return STORE_OK;
        }
    }
    return STORE_NOT_FOUND;
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
    for (size_t i = 0; i < count; i++) {
        ret_known[i] = find_sale(connection->database, &sale_ids[i]) != NULL;
    }
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
    struct fake_sale *fake = append_sale(database);
    fake->sale = (struct sale){.sale_id = creation->sale_id,
                               .sku = "s",
                               .title = "t",
                               .end_us = creation->draft->end_us,
                               .stock_total = creation->draft->stock_total,
                               .stock_remaining = creation->draft->stock_total,
                               .version = 1};
    size_t slot = database->creation_count++;
    memcpy(database->creations[slot].key, creation->key, creation->key_length + 1);
    memcpy(database->creations[slot].fingerprint, creation->fingerprint, 32);
    database->creations[slot].sale_id = creation->sale_id;
    ret_sale->sale = fake->sale;
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
        *ret_outcome = create_once(connection->database, creation, ret_sale);
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
