#include "memory_stage.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_US INT64_C(1700000000000000)

#define KEY_BYTES 64

struct restock_row {
    char key[KEY_BYTES];
    int32_t quantity;
};

struct memory_stage {
    struct stage stage;
    struct store store;
    int64_t now_us;
    bool has_sale;
    char creation_key[KEY_BYTES];
    uint8_t fingerprint[32];
    struct restock_row restocks[MODEL_RESTOCKS_MAX];
    size_t restock_count;
    bool is_open; /* a transaction */
    struct stage_view rows;
};

/* --- Reading ----------------------------------------------------------------------------------*/

static struct sale sale_of(const struct memory_stage *memory)
{
    struct sale sale = memory->rows.sale;
    sale.sku = "sku";
    sale.title = memory->rows.title;
    return sale;
}

static bool is_due(const struct memory_stage *memory, const struct order *order)
{
    return order->status == ORDER_RESERVED && order->expire_us <= memory->now_us;
}

/* What expires by being looked at; the rows change when it is stored. */
static struct order_change *expire(const struct memory_stage *memory, struct arena *arena,
                                   size_t *ret_count)
{
    struct order_change *expired = arena_calloc(arena, memory->rows.order_count, sizeof(*expired));
    size_t count = 0;

    CHECK(expired != NULL);
    for (size_t i = 0; i < memory->rows.order_count; i++) {
        const struct order *order = &memory->rows.orders[i].order;
        if (is_due(memory, order)) {
            expired[count++] = (struct order_change){.order_id = order->order_id,
                                                     .number = order->number,
                                                     .quantity = order->quantity,
                                                     .from = ORDER_RESERVED,
                                                     .to = ORDER_EXPIRED};
        }
    }
    *ret_count = count;
    return expired;
}

/* An order as the transaction sees it that has let holds expire. */
static struct order seen(const struct memory_stage *memory, const struct stage_order *row)
{
    struct order order = row->order;
    order.status = is_due(memory, &order) ? ORDER_EXPIRED : order.status;
    return order;
}

static const struct stage_order *find_row(const struct memory_stage *memory,
                                          const struct uuid *order_id)
{
    for (size_t i = 0; i < memory->rows.order_count; i++) {
        if (uuid_equal(&memory->rows.orders[i].order.order_id, order_id)) {
            return &memory->rows.orders[i];
        }
    }
    return NULL;
}

static int64_t units_of(const struct memory_stage *memory, const struct placement_request *request)
{
    int64_t units = 0;
    for (size_t i = 0; i < memory->rows.order_count; i++) {
        const struct stage_order *row = &memory->rows.orders[i];
        enum order_status status = seen(memory, row).status;
        if ((status == ORDER_RESERVED || status == ORDER_CONFIRMED) &&
            strlen(row->customer) == request->customer_length &&
            memcmp(row->customer, request->customer_id, request->customer_length) == 0) {
            units += row->order.quantity;
        }
    }
    return units;
}

static bool is_sale(const struct memory_stage *memory, const struct uuid *sale_id)
{
    return memory->has_sale && uuid_equal(&memory->rows.sale.sale_id, sale_id);
}

static enum store_result load_placement(void *data, const struct uuid *sale_id,
                                        const struct placement_request *requests, size_t count,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct placement_facts *ret)
{
    struct memory_stage *memory = data;
    struct order *existing = arena_calloc(arena, count, sizeof(*existing));
    struct placement_holding *holdings = arena_calloc(arena, count, sizeof(*holdings));
    (void)deadline_ns;

    CHECK(existing != NULL && holdings != NULL && !memory->is_open);
    memory->is_open = true;
    if (!is_sale(memory, sale_id)) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct placement_facts){.sale = sale_of(memory), .now_us = memory->now_us};
    ret->expired = expire(memory, arena, &ret->expired_count);
    for (size_t i = 0; i < count; i++) {
        const struct stage_order *row = find_row(memory, &requests[i].order_id);
        if (row != NULL) { /* once, however often it is asked for */
            bool is_known = false;
            for (size_t k = 0; k < ret->existing_count; k++) {
                is_known |= uuid_equal(&existing[k].order_id, &requests[i].order_id);
            }
            if (!is_known) {
                existing[ret->existing_count++] = seen(memory, row);
            }
        }
        if (memory->rows.sale.per_customer_limit > 0) {
            holdings[ret->holding_count++] =
                (struct placement_holding){requests[i].customer_id, requests[i].customer_length,
                                           units_of(memory, &requests[i])};
        }
    }
    ret->existing = existing;
    ret->holdings = holdings;
    return STORE_OK;
}

static void read_settled(const struct memory_stage *memory, const struct store_change_query *query,
                         struct arena *arena, struct settlement_facts *facts)
{
    struct settlement_order *orders = arena_calloc(arena, query->order_count, sizeof(*orders));

    CHECK(orders != NULL);
    for (size_t i = 0; i < memory->rows.order_count; i++) {
        const struct stage_order *row = &memory->rows.orders[i];
        for (size_t k = 0; k < query->order_count; k++) {
            if (uuid_equal(&row->order.order_id, &query->order_ids[k])) {
                orders[facts->order_count++] = (struct settlement_order){
                    seen(memory, row), row->customer, strlen(row->customer)};
                break;
            }
        }
    }
    facts->orders = orders;
}

static void read_restock(const struct memory_stage *memory, const struct store_change_query *query,
                         struct store_change_facts *facts)
{
    for (size_t i = 0; query->restock_key != NULL && i < memory->restock_count; i++) {
        const struct restock_row *row = &memory->restocks[i];
        if (strlen(row->key) == query->restock_key_length &&
            memcmp(row->key, query->restock_key, query->restock_key_length) == 0) {
            facts->restocked = true;
            facts->restocked_quantity = row->quantity;
        }
    }
}

static enum store_result load_change(void *data, const struct uuid *sale_id,
                                     const struct store_change_query *query, int64_t deadline_ns,
                                     struct arena *arena, struct store_change_facts *ret)
{
    struct memory_stage *memory = data;
    (void)deadline_ns;

    CHECK(!memory->is_open);
    memory->is_open = true;
    if (!is_sale(memory, sale_id)) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct store_change_facts){
        .settlement = {.sale = sale_of(memory), .now_us = memory->now_us}};
    ret->settlement.expired = expire(memory, arena, &ret->settlement.expired_count);
    read_settled(memory, query, arena, &ret->settlement);
    read_restock(memory, query, ret);
    return STORE_OK;
}

static void abandon(void *data, int64_t deadline_ns)
{
    (void)deadline_ns;
    ((struct memory_stage *)data)->is_open = false;
}

/* --- Writing ----------------------------------------------------------------------------------*/

static struct stage_event *begin_event(struct memory_stage *memory, int64_t time_us)
{
    struct stage_view *rows = &memory->rows;
    CHECK(rows->event_count < MODEL_EVENTS_MAX);
    struct stage_event *event = &rows->events[rows->event_count++];
    *event = (struct stage_event){
        .sequence = rows->sale.version, .time_us = time_us, .change_first = rows->change_count};
    return event;
}

static void write_changes(struct memory_stage *memory, struct stage_event *event,
                          const struct order_change *changes, size_t count)
{
    struct stage_view *rows = &memory->rows;
    for (size_t i = 0; i < count; i++) {
        CHECK(changes[i].number >= 1 && changes[i].number <= (int64_t)rows->order_count);
        struct order *order = &rows->orders[changes[i].number - 1].order;
        CHECK(order->status == changes[i].from && rows->change_count < MODEL_CHANGES_MAX);
        order->status = changes[i].to;
        rows->changes[rows->change_count++] =
            (struct model_change){changes[i].number, changes[i].to};
        event->change_count++;
    }
}

static void write_sale(struct memory_stage *memory, const struct sale *sale)
{
    int32_t limit = memory->rows.sale.per_customer_limit;
    memory->rows.limit_lowered |=
        sale->per_customer_limit > 0 && (limit == 0 || sale->per_customer_limit < limit);
    if (sale->title != memory->rows.title) {
        snprintf(memory->rows.title, sizeof(memory->rows.title), "%s", sale->title);
    }
    memory->rows.sale = *sale;
    memory->rows.sale.sku = memory->rows.sale.title = NULL;
}

static void insert_order(struct memory_stage *memory, const struct placement_request *request,
                         const struct order *order, struct stage_event *event)
{
    struct stage_view *rows = &memory->rows;
    CHECK(rows->order_count < MODEL_ORDERS_MAX && find_row(memory, &request->order_id) == NULL);
    struct stage_order *row = &rows->orders[rows->order_count++];
    row->order = *order;
    snprintf(row->customer, sizeof(row->customer), "%.*s", (int)request->customer_length,
             request->customer_id);
    if (event->placed_count++ == 0) {
        event->placed_from = order->number;
        event->placed_status = order->status;
    }
}

static enum store_result store_placed(void *data, const struct placement_facts *facts,
                                      const struct placement_request *requests, size_t count,
                                      const struct placement_decision *decision,
                                      int64_t deadline_ns, struct arena *arena)
{
    struct memory_stage *memory = data;
    (void)arena;

    CHECK(memory->is_open);
    if (decision->sale.version != facts->sale.version) {
        write_sale(memory, &decision->sale);
        struct stage_event *event = begin_event(memory, facts->now_us);
        for (size_t i = 0; i < count; i++) {
            if (decision->outcomes[i] == OUTCOME_PLACED) {
                insert_order(memory, &requests[i], &decision->orders[i], event);
            }
        }
        write_changes(memory, event, facts->expired, facts->expired_count);
    }
    abandon(data, deadline_ns);
    return STORE_OK;
}

static enum store_result store_change(void *data, const struct store_change_facts *facts,
                                      const struct store_change *change, int64_t deadline_ns,
                                      struct arena *arena)
{
    struct memory_stage *memory = data;
    const struct settlement_facts *read = &facts->settlement;
    (void)arena;

    CHECK(memory->is_open);
    if (change->sale.version != read->sale.version) {
        write_sale(memory, &change->sale);
        struct stage_event *event = begin_event(memory, read->now_us);
        write_changes(memory, event, read->expired, read->expired_count);
        write_changes(memory, event, change->changes, change->change_count);
        if (change->restock_key != NULL) {
            CHECK(memory->restock_count < MODEL_RESTOCKS_MAX);
            struct restock_row *row = &memory->restocks[memory->restock_count++];
            snprintf(row->key, KEY_BYTES, "%.*s", (int)change->restock_key_length,
                     change->restock_key);
            row->quantity = change->restock_quantity;
        }
    }
    abandon(data, deadline_ns);
    return STORE_OK;
}

static void insert_sale(struct memory_stage *memory, const struct store_creation *creation)
{
    const struct sale_draft *draft = creation->draft;

    snprintf(memory->creation_key, KEY_BYTES, "%s", creation->key);
    memcpy(memory->fingerprint, creation->fingerprint, sizeof(memory->fingerprint));
    memory->has_sale = true;
    memory->rows.sale = (struct sale){.sale_id = creation->sale_id,
                                      .unit_price = draft->unit_price,
                                      .start_us = draft->start_us,
                                      .end_us = draft->end_us,
                                      .stock_total = draft->stock_total,
                                      .stock_remaining = draft->stock_total,
                                      .per_customer_limit = draft->per_customer_limit,
                                      .hold_seconds = draft->hold_seconds,
                                      .version = 1};
    snprintf(memory->rows.title, sizeof(memory->rows.title), "%s", draft->title);
    begin_event(memory, memory->now_us);
}

static enum store_result create_sale(void *data, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena,
                                     enum store_creation_outcome *ret_outcome,
                                     struct store_sale *ret_sale)
{
    struct memory_stage *memory = data;
    (void)deadline_ns;
    (void)arena;

    *ret_outcome = STORE_CREATED_BEFORE;
    if (!memory->has_sale) {
        insert_sale(memory, creation);
        *ret_outcome = STORE_CREATED;
    } else if (strcmp(memory->creation_key, creation->key) != 0 ||
               memcmp(memory->fingerprint, creation->fingerprint, sizeof(memory->fingerprint)) !=
                   0) {
        *ret_outcome = STORE_CREATION_KEY_REUSED;
    }
    *ret_sale = (struct store_sale){.sale = sale_of(memory), .now_us = memory->now_us};
    return STORE_OK;
}

/* --- The rest ---------------------------------------------------------------------------------*/

static bool is_connected(void *data)
{
    (void)data;
    return true;
}

static bool wait_connected(void *data, int64_t deadline_ns)
{
    (void)data;
    (void)deadline_ns;
    return true;
}

static enum store_result get_sale(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                  struct arena *arena, struct store_sale *ret)
{
    struct memory_stage *memory = data;
    (void)deadline_ns;
    (void)arena;
    if (!is_sale(memory, sale_id)) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct store_sale){.sale = sale_of(memory), .now_us = memory->now_us};
    return STORE_OK;
}

static void begin(void *data)
{
    struct memory_stage *memory = data;
    CHECK(!memory->is_open);
    memory->has_sale = false;
    memory->restock_count = 0;
    memory->now_us = FIRST_US;
    memset(&memory->rows, 0, offsetof(struct stage_view, orders));
}

static int64_t now_us(void *data)
{
    return ((struct memory_stage *)data)->now_us;
}

static void leap(void *data, const struct uuid *sale_id, int64_t us)
{
    (void)sale_id;
    ((struct memory_stage *)data)->now_us += us;
}

static bool look(void *data, const struct uuid *sale_id, bool whole, struct stage_view *ret)
{
    struct memory_stage *memory = data;
    const struct stage_view *rows = &memory->rows;
    if (!is_sale(memory, sale_id)) {
        return false;
    }
    memcpy(ret, rows, offsetof(struct stage_view, orders));
    if (whole) {
        memcpy(ret->orders, rows->orders, rows->order_count * sizeof(rows->orders[0]));
        memcpy(ret->events, rows->events, rows->event_count * sizeof(rows->events[0]));
        memcpy(ret->changes, rows->changes, rows->change_count * sizeof(rows->changes[0]));
    }
    return true;
}

static int64_t monotonic_ns(void *data)
{
    (void)data;
    return 1; /* it stands still: a player's own clock counts what it sleeps */
}

struct memory_stage *memory_stage_create(void)
{
    struct memory_stage *memory = calloc(1, sizeof(*memory));
    CHECK(memory != NULL);
    memory->store = (struct store){.data = memory,
                                   .load_placement = load_placement,
                                   .store_placed = store_placed,
                                   .load_change = load_change,
                                   .store_change = store_change,
                                   .abandon = abandon,
                                   .is_connected = is_connected,
                                   .wait_connected = wait_connected,
                                   .create_sale = create_sale,
                                   .get_sale = get_sale};
    memory->stage = (struct stage){.data = memory,
                                   .store = &memory->store,
                                   .begin = begin,
                                   .now_us = now_us,
                                   .leap = leap,
                                   .look = look,
                                   .looks_are_cheap = true,
                                   .monotonic_ns = monotonic_ns};
    return memory;
}

void memory_stage_destroy(struct memory_stage *memory)
{
    free(memory);
}

struct stage *memory_stage_of(struct memory_stage *memory)
{
    return &memory->stage;
}
