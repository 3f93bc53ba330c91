/*
 * A placement is two round trips on one connection. The first is BEGIN, the lock, the time, the
 * expiry of due holds, the existing orders and what customers hold; only when all of it has come
 * back does the second carry the new orders and COMMIT (CORRECTNESS A3): a COMMIT that was sent
 * surely held the lock.
 */
#include "orders/adapters/postgres/placements.h"

#include "base/arena.h"
#include "orders/adapters/postgres/changes.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/holds.h"
#include "orders/adapters/postgres/queries/commit_transaction.h"
#include "orders/adapters/postgres/queries/existing_orders.h"
#include "orders/adapters/postgres/queries/held_units.h"
#include "orders/adapters/postgres/queries/insert_placed.h"
#include "orders/adapters/postgres/rows.h"
#include "orders/adapters/postgres/sale_lock.h"
#include "orders/adapters/postgres/translate.h"

/* --- Loading -------------------------------------------------------------------------------------
 */

/* What a load asks the database for. */
struct load {
    const struct uuid *sale_id;
    struct uuid *order_ids;
    struct sql_text *customers;
    size_t count;
    struct sale_terms terms; /* what of it the sale needs, as far as is known */
};

/* False: the arena is full. */
static bool load_init(struct load *load, const struct uuid *sale_id,
                      const struct placement_request *requests, size_t count, struct arena *arena)
{
    struct uuid *ids = arena_alloc(arena, count * sizeof(*ids));
    struct sql_text *customers = arena_alloc(arena, count * sizeof(*customers));

    if (ids == NULL || customers == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = requests[i].order_id;
        customers[i] = (struct sql_text){requests[i].customer_id, requests[i].customer_length};
    }
    *load =
        (struct load){.sale_id = sale_id, .order_ids = ids, .customers = customers, .count = count};
    return true;
}

/* All that follows the lock and the time, and the end of the group. */
static enum db_status send_reads(struct session *session, const struct load *load,
                                 struct arena *arena)
{
    const struct existing_orders_params orders = {
        .sale_id = *load->sale_id, .order_ids = load->order_ids, .order_ids_count = load->count};
    const struct held_units_params holders = {.sale_id = *load->sale_id,
                                              .customer_ids = load->customers,
                                              .customer_ids_count = load->count};
    enum db_status status = DB_OK;

    if (load->terms.has_holds) {
        status = holds_send_expiry(session, arena, load->sale_id);
    }
    if (status == DB_OK) {
        status = existing_orders_send(session, arena, &orders);
    }
    if (status == DB_OK && load->terms.has_limit) {
        status = held_units_send(session, arena, &holders);
    }
    return status == DB_OK ? session_sync(session) : status;
}

static enum db_status read_existing(struct session *session, const struct session_result *result,
                                    size_t index, struct arena *arena, void *ret_order)
{
    struct order *order = ret_order;
    struct existing_orders_row row;
    (void)arena;
    enum db_status status = existing_orders_read(session, result, index, &row);
    if (status == DB_OK) {
        *order = TRANSLATE_ORDER(&row);
    }
    return status;
}

static enum db_status receive_existing(struct session *session, int64_t deadline_ns,
                                       struct arena *arena, struct placement_facts *facts)
{
    static const struct rows_kind existing = {
        .receive = existing_orders_receive,
        .item_bytes = sizeof(struct order),
        .read = read_existing,
    };
    struct rows rows = {0};
    enum db_status status = rows_receive(&existing, session, deadline_ns, arena, &rows);
    facts->existing = rows.items;
    facts->existing_count = rows.count;
    return status;
}

static enum db_status read_holding(struct session *session, const struct session_result *result,
                                   size_t index, struct arena *arena, void *ret_holding)
{
    struct placement_holding *holding = ret_holding;
    struct held_units_row row;
    enum db_status status = held_units_read(session, result, index, &row);
    if (status != DB_OK) {
        return status;
    }
    holding->units = row.units;
    holding->customer_length = row.customer_id.length;
    return translate_text(row.customer_id, arena, &holding->customer_id) ? DB_OK : DB_OUT_OF_MEMORY;
}

static enum db_status receive_holdings(struct session *session, int64_t deadline_ns,
                                       struct arena *arena, struct placement_facts *facts)
{
    static const struct rows_kind holdings = {
        .receive = held_units_receive,
        .item_bytes = sizeof(struct placement_holding),
        .read = read_holding,
    };
    struct rows rows = {0};
    enum db_status status = rows_receive(&holdings, session, deadline_ns, arena, &rows);
    facts->holdings = rows.items;
    facts->holding_count = rows.count;
    return status;
}

static enum db_status receive_reads(struct session *session, const struct load *load,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct placement_facts *facts)
{
    enum db_status status = DB_OK;
    if (load->terms.has_holds) {
        status = holds_receive_expiry(session, deadline_ns, arena, &facts->expired,
                                      &facts->expired_count);
    }
    if (status == DB_OK) {
        status = receive_existing(session, deadline_ns, arena, facts);
    }
    if (status == DB_OK && load->terms.has_limit) {
        status = receive_holdings(session, deadline_ns, arena, facts);
    }
    return status;
}

/* The sale was not as it was remembered: what was read is read again with what was left out, in the
 * order of rule B2 and still under the lock. */
static enum db_status read_again(struct session *session, struct load *load, int64_t deadline_ns,
                                 struct arena *arena, struct placement_facts *facts)
{
    load->terms = (struct sale_terms){.has_holds = facts->expired_count == 0, .has_limit = true};
    enum db_status status = send_reads(session, load, arena);
    return status == DB_OK ? receive_reads(session, load, deadline_ns, arena, facts) : status;
}

static enum db_status run_load(struct store_postgres *store, struct load *load, int64_t deadline_ns,
                               struct arena *arena, struct placement_facts *ret, bool *ret_found)
{
    struct session *session = &store->session;
    enum db_status status;

    load->terms = sale_terms_recall(&store->terms, load->sale_id);
    (void)((status = sale_lock_send(session, arena, load->sale_id)) != DB_OK ||
           (status = send_reads(session, load, arena)) != DB_OK ||
           (status = sale_lock_receive(session, deadline_ns, arena, &ret->sale, &ret->now_us,
                                       ret_found)) != DB_OK ||
           (status = receive_reads(session, load, deadline_ns, arena, ret)) != DB_OK);
    if (status != DB_OK || !*ret_found) {
        return status;
    }
    sale_terms_remember(&store->terms, &ret->sale);
    return sale_terms_exceed(&ret->sale, load->terms)
               ? read_again(session, load, deadline_ns, arena, ret)
               : DB_OK;
}

enum store_result placements_load(void *data, const struct uuid *sale_id,
                                  const struct placement_request *requests, size_t count,
                                  int64_t deadline_ns, struct arena *arena,
                                  struct placement_facts *ret)
{
    struct store_postgres *store = connection_of(data);
    struct placement_facts facts = {0};
    struct load load;
    bool found = false;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    if (!load_init(&load, sale_id, requests, count, arena)) {
        return connection_fail(store, DB_OUT_OF_MEMORY, deadline_ns);
    }
    int64_t begun_ns = connection_begin_load(store);
    enum db_status status = run_load(store, &load, deadline_ns, arena, &facts, &found);
    enum store_result result =
        connection_end_load(store, sale_id, begun_ns, status, found, deadline_ns);
    if (result == STORE_OK) {
        *ret = facts;
    }
    return result;
}

/* --- Storing -------------------------------------------------------------------------------------
 */

static enum store_result receive_placed(struct store_postgres *store, size_t placed_count,
                                        int64_t deadline_ns, bool *ret_all_placed)
{
    int64_t affected;
    enum db_status status = insert_placed_receive(&store->session, deadline_ns, &affected);
    if (status != DB_OK) {
        return connection_fail_before_commit(store, status, deadline_ns);
    }
    *ret_all_placed = affected == (int64_t)placed_count;
    return STORE_OK;
}

static enum store_result insert_and_commit(struct store_postgres *store,
                                           const struct insert_placed_params *params,
                                           int64_t deadline_ns, struct arena *arena)
{
    struct session *session = &store->session;
    bool all_placed = false;

    enum db_status status = insert_placed_send(session, arena, params);
    if (status == DB_OUT_OF_MEMORY) { /* nothing was queued */
        return connection_fail(store, status, deadline_ns);
    }
    (void)(status != DB_OK || (status = commit_transaction_send(session)) != DB_OK ||
           (status = session_sync(session)) != DB_OK);
    if (status != DB_OK) {
        connection_report(store, status);
        session_close(session);
        return STORE_UNKNOWN;
    }
    enum store_result result = receive_placed(store, params->order_count, deadline_ns, &all_placed);
    if (result != STORE_OK) {
        return result;
    }
    result = connection_receive_commit(store, deadline_ns);
    /* The one statement inserts all or none; none means that the row was not as it was read. */
    return result == STORE_OK && !all_placed ? STORE_CONFLICT : result;
}

/* Some holds expired in the load: what gives their units back must be known to be written before
 * COMMIT is sent, which costs a round trip. */
static enum store_result insert_then_commit(struct store_postgres *store,
                                            const struct insert_placed_params *params,
                                            int64_t deadline_ns, struct arena *arena)
{
    int64_t affected;
    enum db_status status =
        insert_placed_exec(&store->session, arena, params, deadline_ns, &affected);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    if (affected != (int64_t)params->order_count) {
        connection_rollback(store, deadline_ns);
        return STORE_CONFLICT;
    }
    return connection_commit(store, deadline_ns);
}

/* Nothing was placed: a change like any other, of nothing but the holds that expired, if any. */
static enum store_result store_without_orders(void *data, const struct placement_facts *facts,
                                              const struct placement_decision *decision,
                                              int64_t deadline_ns, struct arena *arena)
{
    const struct store_change_facts expired = {
        .settlement = {.sale = facts->sale,
                       .now_us = facts->now_us,
                       .expired = facts->expired,
                       .expired_count = facts->expired_count}};
    const struct store_change change = {.sale = decision->sale};
    return changes_store(data, &expired, &change, deadline_ns, arena);
}

enum store_result placements_store(void *data, const struct placement_facts *facts,
                                   const struct placement_request *requests, size_t count,
                                   const struct placement_decision *decision, int64_t deadline_ns,
                                   struct arena *arena)
{
    struct store_postgres *store = connection_of(data);
    struct insert_placed_params params;

    if (decision->placed_count == 0) {
        return store_without_orders(data, facts, decision, deadline_ns, arena);
    }
    CHECK(decision->sale.version == facts->sale.version + 1);
    if (!translate_placed(facts, requests, count, decision, arena, &params)) {
        return connection_fail(store, DB_OUT_OF_MEMORY, deadline_ns);
    }
    return facts->expired_count == 0 ? insert_and_commit(store, &params, deadline_ns, arena)
                                     : insert_then_commit(store, &params, deadline_ns, arena);
}

void placements_abandon(void *data, int64_t deadline_ns)
{
    connection_rollback(connection_of(data), deadline_ns);
}
