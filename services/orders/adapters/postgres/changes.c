/*
 * A change is three round trips on one connection: the load, what is written, and COMMIT. COMMIT
 * waits until every row count is known to be right, for a status that was not what it was read to
 * be must leave nothing behind. What fails before it is certainly rolled back.
 */
#include "orders/adapters/postgres/changes.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/event_changes.h"
#include "orders/adapters/postgres/holds.h"
#include "orders/adapters/postgres/queries/change_orders.h"
#include "orders/adapters/postgres/queries/change_sale.h"
#include "orders/adapters/postgres/queries/find_restock.h"
#include "orders/adapters/postgres/queries/insert_restock.h"
#include "orders/adapters/postgres/queries/owned_orders.h"
#include "orders/adapters/postgres/rows.h"
#include "orders/adapters/postgres/sale_lock.h"
#include "orders/adapters/postgres/translate.h"

/* --- Loading -------------------------------------------------------------------------------------
 */

static enum db_status send_reads(struct session *session, const struct uuid *sale_id,
                                 const struct store_change_query *query, struct arena *arena)
{
    const struct owned_orders_params orders = {
        .sale_id = *sale_id, .order_ids = query->order_ids, .order_ids_count = query->order_count};
    const struct find_restock_params restock = {
        .sale_id = *sale_id,
        .idempotency_key = {.bytes = query->restock_key, .length = query->restock_key_length}};
    enum db_status status = DB_OK;

    if (query->order_count > 0) {
        status = owned_orders_send(session, arena, &orders);
    }
    if (status == DB_OK && query->restock_key != NULL) {
        status = find_restock_send(session, arena, &restock);
    }
    return status;
}

static enum db_status send_load(struct session *session, const struct uuid *sale_id,
                                const struct store_change_query *query, struct arena *arena)
{
    enum db_status status;
    (void)((status = sale_lock_send(session, arena, sale_id)) != DB_OK ||
           (status = holds_send_expiry(session, arena, sale_id)) != DB_OK ||
           (status = send_reads(session, sale_id, query, arena)) != DB_OK ||
           (status = session_sync(session)) != DB_OK);
    return status;
}

static enum db_status read_owned(struct session *session, const struct session_result *result,
                                 size_t index, struct arena *arena, void *ret_order)
{
    struct settlement_order *order = ret_order;
    struct owned_orders_row row;
    enum db_status status = owned_orders_read(session, result, index, &row);
    if (status != DB_OK) {
        return status;
    }
    order->order = TRANSLATE_ORDER(&row);
    order->customer_length = row.customer_id.length;
    return translate_text(row.customer_id, arena, &order->customer_id) ? DB_OK : DB_OUT_OF_MEMORY;
}

static enum db_status receive_owned(struct session *session, int64_t deadline_ns,
                                    struct arena *arena, struct settlement_facts *facts)
{
    static const struct rows_kind owned = {
        .receive = owned_orders_receive,
        .item_bytes = sizeof(struct settlement_order),
        .read = read_owned,
    };
    struct rows rows = {0};
    enum db_status status = rows_receive(&owned, session, deadline_ns, arena, &rows);
    facts->orders = rows.items;
    facts->order_count = rows.count;
    return status;
}

static enum db_status receive_restock(struct session *session, int64_t deadline_ns,
                                      struct store_change_facts *facts)
{
    struct find_restock_row row = {0};
    enum db_status status = find_restock_receive(session, deadline_ns, &facts->restocked, &row);
    if (status == DB_OK && facts->restocked) {
        facts->restocked_quantity = row.quantity;
    }
    return status;
}

static enum db_status receive_load(struct session *session, const struct store_change_query *query,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct store_change_facts *ret, bool *ret_found)
{
    struct settlement_facts *facts = &ret->settlement;
    enum db_status status =
        sale_lock_receive(session, deadline_ns, arena, &facts->sale, &facts->now_us, ret_found);
    if (status == DB_OK) {
        status = holds_receive_expiry(session, deadline_ns, arena, &facts->expired,
                                      &facts->expired_count);
    }
    if (status == DB_OK && query->order_count > 0) {
        status = receive_owned(session, deadline_ns, arena, facts);
    }
    if (status == DB_OK && query->restock_key != NULL) {
        status = receive_restock(session, deadline_ns, ret);
    }
    return status;
}

enum store_result changes_load(void *data, const struct uuid *sale_id,
                               const struct store_change_query *query, int64_t deadline_ns,
                               struct arena *arena, struct store_change_facts *ret)
{
    struct store_postgres *store = connection_of(data);
    struct store_change_facts facts = {0};
    bool found = false;

    CHECK(query->order_count <= SETTLEMENT_BATCH_MAX);
    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    int64_t begun_ns = connection_begin_load(store);
    enum db_status status = send_load(&store->session, sale_id, query, arena);
    if (status == DB_OK) {
        status = receive_load(&store->session, query, deadline_ns, arena, &facts, &found);
    }
    enum store_result result =
        connection_end_load(store, sale_id, begun_ns, status, found, deadline_ns);
    if (result == STORE_OK) {
        *ret = facts;
    }
    return result;
}

/* --- Writing -------------------------------------------------------------------------------------
 */

/* The orders of one change that make the same move: one statement. */
struct move {
    enum order_status from, to;
    struct uuid *order_ids;
    size_t count;
};

/* A status to each other one. */
#define MOVES_MAX (ORDER_STATUS_COUNT * (ORDER_STATUS_COUNT - 1))

struct moves {
    struct move items[MOVES_MAX];
    size_t count;
};

static struct move *find_move(struct moves *moves, const struct order_change *change)
{
    for (size_t i = 0; i < moves->count; i++) {
        if (moves->items[i].from == change->from && moves->items[i].to == change->to) {
            return &moves->items[i];
        }
    }
    CHECK(change->from != change->to && moves->count < MOVES_MAX);
    struct move *move = &moves->items[moves->count++];
    *move = (struct move){.from = change->from, .to = change->to};
    return move;
}

/* False: the arena is full. */
static bool group_moves(const struct store_change *change, struct arena *arena, struct moves *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < change->change_count; i++) {
        struct move *move = find_move(ret, &change->changes[i]);
        if (move->order_ids == NULL) {
            move->order_ids = arena_alloc(arena, change->change_count * sizeof(*move->order_ids));
        }
        if (move->order_ids == NULL) {
            return false;
        }
        move->order_ids[move->count++] = change->changes[i].order_id;
    }
    return true;
}

static enum db_status send_moves(struct session *session, const struct uuid *sale_id,
                                 const struct moves *moves, struct arena *arena)
{
    enum db_status status = DB_OK;
    for (size_t i = 0; status == DB_OK && i < moves->count; i++) {
        const struct move *move = &moves->items[i];
        const struct change_orders_params params = {.sale_id = *sale_id,
                                                    .order_ids = move->order_ids,
                                                    .order_ids_count = move->count,
                                                    .from_status = move->from,
                                                    .to_status = move->to};
        status = change_orders_send(session, arena, &params);
    }
    return status;
}

static enum db_status send_restock(struct session *session, const struct store_change *change,
                                   struct arena *arena)
{
    if (change->restock_key == NULL) {
        return DB_OK;
    }
    const struct insert_restock_params params = {
        .sale_id = change->sale.sale_id,
        .idempotency_key = {.bytes = change->restock_key, .length = change->restock_key_length},
        .quantity = change->restock_quantity};
    return insert_restock_send(session, arena, &params);
}

static enum db_status send_sale(struct session *session, const struct store_change_facts *facts,
                                const struct store_change *change, struct arena *arena)
{
    const struct settlement_facts *settlement = &facts->settlement;
    struct event_changes told;
    struct change_sale_params params;

    if (!event_changes_collect(settlement->expired, settlement->expired_count, change->changes,
                               change->change_count, arena, &told)) {
        return DB_OUT_OF_MEMORY;
    }
    translate_changed_sale(&settlement->sale, settlement->now_us, &change->sale, &told, &params);
    return change_sale_send(session, arena, &params);
}

static enum db_status receive_count(enum db_status (*receive)(struct session *, int64_t, int64_t *),
                                    struct session *session, int64_t deadline_ns, size_t expected,
                                    bool *matches)
{
    int64_t affected;
    enum db_status status = receive(session, deadline_ns, &affected);
    if (status == DB_OK && affected != (int64_t)expected) {
        *matches = false;
    }
    return status;
}

/* *ret_matches is false when a row was not as it had been read. */
static enum db_status receive_written(struct session *session, const struct store_change *change,
                                      const struct moves *moves, int64_t deadline_ns,
                                      bool *ret_matches)
{
    enum db_status status = DB_OK;
    *ret_matches = true;
    for (size_t i = 0; status == DB_OK && i < moves->count; i++) {
        status = receive_count(change_orders_receive, session, deadline_ns, moves->items[i].count,
                               ret_matches);
    }
    if (status == DB_OK && change->restock_key != NULL) {
        status = receive_count(insert_restock_receive, session, deadline_ns, 1, ret_matches);
    }
    if (status == DB_OK) {
        status = receive_count(change_sale_receive, session, deadline_ns, 1, ret_matches);
    }
    return status;
}

static enum db_status write_change(struct session *session, const struct store_change_facts *facts,
                                   const struct store_change *change, int64_t deadline_ns,
                                   struct arena *arena, bool *ret_matches)
{
    struct moves moves;
    if (!group_moves(change, arena, &moves)) {
        return DB_OUT_OF_MEMORY;
    }
    enum db_status status;
    (void)((status = send_moves(session, &change->sale.sale_id, &moves, arena)) != DB_OK ||
           (status = send_restock(session, change, arena)) != DB_OK ||
           (status = send_sale(session, facts, change, arena)) != DB_OK ||
           (status = session_sync(session)) != DB_OK ||
           (status = receive_written(session, change, &moves, deadline_ns, ret_matches)) != DB_OK);
    return status;
}

enum store_result changes_store(void *data, const struct store_change_facts *facts,
                                const struct store_change *change, int64_t deadline_ns,
                                struct arena *arena)
{
    struct store_postgres *store = connection_of(data);
    const struct settlement_facts *settlement = &facts->settlement;
    bool matches = true;

    if (change->sale.version == settlement->sale.version) {
        CHECK(change->change_count == 0 && settlement->expired_count == 0 &&
              change->restock_key == NULL);
        return connection_commit(store, deadline_ns);
    }
    CHECK(change->sale.version == settlement->sale.version + 1);
    enum db_status status =
        write_change(&store->session, facts, change, deadline_ns, arena, &matches);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    if (!matches) {
        connection_rollback(store, deadline_ns);
        return STORE_CONFLICT;
    }
    return connection_commit(store, deadline_ns);
}
