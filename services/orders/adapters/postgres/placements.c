/*
 * A placement is two round trips on one connection. The first is BEGIN, the lock, the time, the
 * existing orders and what customers hold; only when all of it has come back does the second carry
 * the new orders and COMMIT (CORRECTNESS A3): a COMMIT that was sent surely held the lock.
 */
#include "orders/adapters/postgres/placements.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/statements.h"
#include "orders/adapters/postgres/translate.h"

/* --- Loading -------------------------------------------------------------------------------------
 */

static enum db_status send_load(struct session *session, const struct uuid *sale_id,
                                const struct placement_request *requests, size_t count,
                                struct arena *arena)
{
    struct uuid *ids = arena_alloc(arena, count * sizeof(*ids));
    struct sql_text *customers = arena_alloc(arena, count * sizeof(*customers));
    struct params sale, orders, holders;
    enum db_status status;

    if (ids == NULL || customers == NULL) {
        return DB_OUT_OF_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        ids[i] = requests[i].order_id;
        customers[i] = (struct sql_text){requests[i].customer_id, requests[i].customer_length};
    }
    params_init(&sale, arena);
    params_add_uuid(&sale, sale_id);
    params_init(&orders, arena);
    params_add_uuid(&orders, sale_id);
    params_add_uuid_array(&orders, ids, count);
    params_init(&holders, arena);
    params_add_uuid(&holders, sale_id);
    params_add_text_array(&holders, customers, count);
    if (params_failed(&sale) || params_failed(&orders) || params_failed(&holders)) {
        return DB_OUT_OF_MEMORY; /* before anything is queued */
    }
    (void)((status = session_send(session, &statements_begin, NULL)) != DB_OK ||
           (status = session_send(session, &statements_lock_sale, &sale)) != DB_OK ||
           (status = session_send(session, &statements_read_clock, NULL)) != DB_OK ||
           (status = session_send(session, &statements_existing_orders, &orders)) != DB_OK ||
           (status = session_send(session, &statements_held_units, &holders)) != DB_OK ||
           (status = session_sync(session)) != DB_OK);
    return status;
}

static enum db_status receive_begin(struct session *session, int64_t deadline_ns)
{
    struct session_result result;
    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status == DB_OK) {
        session_result_fini(&result);
    }
    return status;
}

/* *ret_found is false when there is no such sale. */
static enum db_status receive_sale(struct session *session, int64_t deadline_ns,
                                   struct arena *arena, struct sale *ret, bool *ret_found)
{
    struct session_result result;
    bool sound = true;

    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    *ret_found = result.row_count > 0;
    if (*ret_found) {
        struct row row;
        row_init(&row, &result, 0);
        sound = translate_sale(&row, arena, ret);
    }
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static enum db_status receive_clock(struct session *session, int64_t deadline_ns, int64_t *ret_us)
{
    struct session_result result;
    bool sound = false;

    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    if (result.row_count == 1) {
        struct row row;
        row_init(&row, &result, 0);
        *ret_us = row_timestamptz(&row, 0);
        sound = !row_failed(&row);
    }
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static enum db_status receive_existing(struct session *session, int64_t deadline_ns,
                                       struct arena *arena, struct placement_facts *facts)
{
    struct session_result result;

    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    struct order *existing = arena_calloc(arena, result.row_count, sizeof(*existing));
    bool sound = existing != NULL;
    for (size_t i = 0; sound && i < result.row_count; i++) {
        struct row row;
        row_init(&row, &result, i);
        sound = translate_order(&row, &existing[i]);
    }
    facts->existing = existing;
    facts->existing_count = result.row_count;
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static bool read_holding(struct row *row, struct arena *arena, struct placement_holding *ret)
{
    ret->customer_length = row_text(row, 0).length;
    ret->units = row_int8(row, 1);
    return translate_text(row, 0, arena, &ret->customer_id) && !row_failed(row);
}

static enum db_status receive_holdings(struct session *session, int64_t deadline_ns,
                                       struct arena *arena, struct placement_facts *facts)
{
    struct session_result result;

    enum db_status status = session_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    struct placement_holding *holdings = arena_calloc(arena, result.row_count, sizeof(*holdings));
    bool sound = holdings != NULL;
    for (size_t i = 0; sound && i < result.row_count; i++) {
        struct row row;
        row_init(&row, &result, i);
        sound = read_holding(&row, arena, &holdings[i]);
    }
    facts->holdings = holdings;
    facts->holding_count = result.row_count;
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static enum db_status receive_load(struct session *session, int64_t deadline_ns,
                                   struct arena *arena, struct placement_facts *ret,
                                   bool *ret_found)
{
    enum db_status status;
    (void)((status = receive_begin(session, deadline_ns)) != DB_OK ||
           (status = receive_sale(session, deadline_ns, arena, &ret->sale, ret_found)) != DB_OK ||
           (status = receive_clock(session, deadline_ns, &ret->now_us)) != DB_OK ||
           (status = receive_existing(session, deadline_ns, arena, ret)) != DB_OK ||
           (status = receive_holdings(session, deadline_ns, arena, ret)) != DB_OK);
    return status;
}

enum store_result placements_load(void *data, const struct uuid *sale_id,
                                  const struct placement_request *requests, size_t count,
                                  int64_t deadline_ns, struct arena *arena,
                                  struct placement_facts *ret)
{
    struct store_postgres *store = connection_of(data);
    struct placement_facts facts = {0};
    bool found = false;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = send_load(&store->session, sale_id, requests, count, arena);
    if (status == DB_OK) {
        status = receive_load(&store->session, deadline_ns, arena, &facts, &found);
    }
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    if (!found) {
        return STORE_NOT_FOUND;
    }
    *ret = facts;
    return STORE_OK;
}

/* --- Storing -------------------------------------------------------------------------------------
 */

static enum store_result receive_placed(struct store_postgres *store, size_t placed_count,
                                        int64_t deadline_ns, bool *ret_all_placed)
{
    struct session_result result;

    enum db_status status = session_receive(&store->session, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail_before_commit(store, status, deadline_ns);
    }
    *ret_all_placed = session_result_affected(&result) == (int64_t)placed_count;
    session_result_fini(&result);
    return STORE_OK;
}

static enum store_result insert_and_commit(struct store_postgres *store,
                                           const struct params *params, size_t placed_count,
                                           int64_t deadline_ns)
{
    struct session *session = &store->session;
    bool all_placed = false;
    enum db_status status;

    (void)((status = session_send(session, &statements_place_orders, params)) != DB_OK ||
           (status = session_send(session, &statements_commit, NULL)) != DB_OK ||
           (status = session_sync(session)) != DB_OK);
    if (status != DB_OK) {
        connection_report(store, status);
        session_close(session);
        return STORE_UNKNOWN;
    }
    enum store_result result = receive_placed(store, placed_count, deadline_ns, &all_placed);
    if (result != STORE_OK) {
        return result;
    }
    result = connection_receive_commit(store, deadline_ns);
    /* The one statement inserts all or none; none means that the row was not as it was read. */
    return result == STORE_OK && !all_placed ? STORE_CONFLICT : result;
}

enum store_result placements_store(void *data, const struct placement_facts *facts,
                                   const struct placement_request *requests, size_t count,
                                   const struct placement_decision *decision, int64_t deadline_ns,
                                   struct arena *arena)
{
    struct store_postgres *store = connection_of(data);
    struct params params;

    if (decision->placed_count == 0) {
        return connection_commit(store, deadline_ns);
    }
    if (!translate_placed(facts, requests, count, decision, arena, &params)) {
        connection_rollback(store, deadline_ns);
        return STORE_BROKEN;
    }
    return insert_and_commit(store, &params, decision->placed_count, deadline_ns);
}

void placements_abandon(void *data, int64_t deadline_ns)
{
    connection_rollback(connection_of(data), deadline_ns);
}
