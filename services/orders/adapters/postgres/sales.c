#include "orders/adapters/postgres/sales.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/statements.h"
#include "orders/adapters/postgres/translate.h"

#include <string.h>

/* --- Reading -------------------------------------------------------------------------------------
 */

static bool read_sale(struct row *row, struct arena *arena, struct store_sale *ret)
{
    ret->now_us = row_timestamptz(row, TRANSLATE_SALE_COLUMNS);
    return translate_sale(row, arena, &ret->sale);
}

/* The single row of a result as a sale: STORE_NOT_FOUND without one. */
static enum store_result single_sale(const struct session_result *result, struct arena *arena,
                                     struct store_sale *ret)
{
    struct row row;
    if (result->row_count == 0) {
        return STORE_NOT_FOUND;
    }
    row_init(&row, result, 0);
    return read_sale(&row, arena, ret) ? STORE_OK : STORE_BROKEN;
}

enum store_result sales_get(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                            struct arena *arena, struct store_sale *ret)
{
    struct session_result result;
    struct params params;

    params_init(&params, arena);
    params_add_uuid(&params, sale_id);
    enum store_result read =
        connection_read(connection_of(data), &statements_get_sale, &params, deadline_ns, &result);
    if (read == STORE_OK) {
        read = single_sale(&result, arena, ret);
        session_result_fini(&result);
    }
    return read;
}

static bool read_page(const struct session_result *result, size_t count, struct arena *arena,
                      struct store_sale *ret_sales)
{
    for (size_t i = 0; i < count; i++) {
        struct row row;
        row_init(&row, result, i);
        if (!read_sale(&row, arena, &ret_sales[i])) {
            return false;
        }
    }
    return true;
}

enum store_result sales_list(void *data, const struct uuid *before, size_t limit,
                             int64_t deadline_ns, struct arena *arena, struct store_sale_page *ret)
{
    struct store_sale *sales = arena_calloc(arena, limit, sizeof(*sales));
    struct session_result result;
    struct params params;

    params_init(&params, arena);
    if (before != NULL) {
        params_add_uuid(&params, before);
    } else {
        params_add_null(&params, SQL_TYPE_UUID);
    }
    params_add_int8(&params, (int64_t)limit + 1); /* one more tells whether there is another page */
    if (sales == NULL) {
        return STORE_BROKEN;
    }
    enum store_result read =
        connection_read(connection_of(data), &statements_list_sales, &params, deadline_ns, &result);
    if (read != STORE_OK) {
        return read;
    }
    bool more = result.row_count > limit;
    size_t count = more ? limit : result.row_count;
    bool sound = read_page(&result, count, arena, sales);
    session_result_fini(&result);
    *ret = (struct store_sale_page){.sales = sales, .count = count, .more = more};
    return sound ? STORE_OK : STORE_BROKEN;
}

static void mark_known(const struct uuid *sale_ids, size_t count, const struct uuid *known,
                       bool *ret_known)
{
    for (size_t i = 0; i < count; i++) {
        ret_known[i] = ret_known[i] || uuid_equal(&sale_ids[i], known);
    }
}

enum store_result sales_known(void *data, const struct uuid *sale_ids, size_t count,
                              int64_t deadline_ns, struct arena *arena, bool *ret_known)
{
    struct session_result result;
    struct params params;
    bool sound = true;

    params_init(&params, arena);
    params_add_uuid_array(&params, sale_ids, count);
    enum store_result read = connection_read(connection_of(data), &statements_known_sales, &params,
                                             deadline_ns, &result);
    if (read != STORE_OK) {
        return read;
    }
    memset(ret_known, 0, count * sizeof(*ret_known));
    for (size_t i = 0; sound && i < result.row_count; i++) {
        struct row row;
        row_init(&row, &result, i);
        struct uuid known = row_uuid(&row, 0);
        mark_known(sale_ids, count, &known, ret_known);
        sound = !row_failed(&row);
    }
    session_result_fini(&result);
    return sound ? STORE_OK : STORE_BROKEN;
}

static enum store_result single_order(const struct session_result *result, struct arena *arena,
                                      struct store_order *ret)
{
    struct store_order order;
    struct row row;

    if (result->row_count == 0) {
        return STORE_NOT_FOUND;
    }
    row_init(&row, result, 0);
    if (!translate_order(&row, &order.order) ||
        !translate_text(&row, TRANSLATE_ORDER_COLUMNS, arena, &order.customer_id) ||
        !translate_money(&row, TRANSLATE_ORDER_COLUMNS + 1, &order.unit_price)) {
        return STORE_BROKEN;
    }
    *ret = order;
    return STORE_OK;
}

enum store_result sales_get_order(void *data, const struct uuid *sale_id,
                                  const struct uuid *order_id, const char *customer_id,
                                  int64_t deadline_ns, struct arena *arena, struct store_order *ret)
{
    struct session_result result;
    struct params params;

    params_init(&params, arena);
    params_add_uuid(&params, sale_id);
    params_add_uuid(&params, order_id);
    params_add_text(&params, customer_id, strlen(customer_id));
    enum store_result read =
        connection_read(connection_of(data), &statements_get_order, &params, deadline_ns, &result);
    if (read == STORE_OK) {
        read = single_order(&result, arena, ret);
        session_result_fini(&result);
    }
    return read;
}

/* --- Creating ------------------------------------------------------------------------------------
 */

/* BEGIN and the key; *ret_new tells whether this transaction is the one that makes the sale. */
static enum db_status begin_creation(struct session *session, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena, bool *ret_new)
{
    struct session_result result;
    struct params params;

    params_init(&params, arena);
    params_add_text(&params, creation->key, creation->key_length);
    params_add_uuid(&params, &creation->sale_id);
    params_add_bytea(&params, creation->fingerprint, sizeof(creation->fingerprint));
    enum db_status status = session_exec(session, &statements_begin, NULL, deadline_ns, NULL);
    if (status == DB_OK) {
        status =
            session_exec(session, &statements_remember_creation, &params, deadline_ns, &result);
    }
    if (status == DB_OK) {
        *ret_new = session_result_affected(&result) == 1;
        session_result_fini(&result);
    }
    return status;
}

/* Inserts the sale; *ret_inserted is false when its window has ended by the database's clock. */
static enum db_status insert_sale(struct session *session, const struct store_creation *creation,
                                  int64_t deadline_ns, struct arena *arena, bool *ret_inserted)
{
    struct session_result result;
    struct params params;

    translate_draft(&creation->sale_id, creation->draft, arena, &params);
    enum db_status status =
        session_exec(session, &statements_insert_sale, &params, deadline_ns, &result);
    if (status == DB_OK) {
        *ret_inserted = session_result_affected(&result) == 1;
        session_result_fini(&result);
    }
    return status;
}

/* The sale that the key made before, and whether it was made from the same draft. */
static enum db_status find_creation(struct session *session, const struct store_creation *creation,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct uuid *ret_sale_id, bool *ret_same)
{
    struct session_result result;
    struct params params;
    bool sound = false;

    params_init(&params, arena);
    params_add_text(&params, creation->key, creation->key_length);
    enum db_status status =
        session_exec(session, &statements_find_creation, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    if (result.row_count == 1) {
        struct row row;
        row_init(&row, &result, 0);
        *ret_sale_id = row_uuid(&row, 0);
        struct sql_text fingerprint = row_bytea(&row, 1);
        sound = !row_failed(&row);
        *ret_same = sound && fingerprint.length == sizeof(creation->fingerprint) &&
                    memcmp(fingerprint.bytes, creation->fingerprint, fingerprint.length) == 0;
    }
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

/*
 * The sale as it is now. Its row is locked, also when an earlier transaction made it: only a
 * transaction that writes, and be it a lock, waits at its COMMIT for the standby that the earlier
 * one perhaps never heard of (CORRECTNESS A5).
 */
static enum db_status reread_sale(struct session *session, const struct uuid *sale_id,
                                  int64_t deadline_ns, struct arena *arena, struct store_sale *ret)
{
    struct session_result result;
    struct params params;

    params_init(&params, arena);
    params_add_uuid(&params, sale_id);
    enum db_status status =
        session_exec(session, &statements_lock_sale, &params, deadline_ns, NULL);
    if (status == DB_OK) {
        status = session_exec(session, &statements_get_sale, &params, deadline_ns, &result);
    }
    if (status == DB_OK) {
        status = single_sale(&result, arena, ret) == STORE_OK ? DB_OK : DB_PROTOCOL;
        session_result_fini(&result);
    }
    return status;
}

/* Everything up to COMMIT. On DB_OK the transaction is open and *ret_outcome is what it would be.
 */
static enum db_status prepare_creation(struct session *session,
                                       const struct store_creation *creation, int64_t deadline_ns,
                                       struct arena *arena,
                                       enum store_creation_outcome *ret_outcome,
                                       struct store_sale *ret_sale)
{
    struct uuid sale_id = creation->sale_id;
    bool is_new = false, inserted = false, same = false;

    enum db_status status = begin_creation(session, creation, deadline_ns, arena, &is_new);
    if (status != DB_OK) {
        return status;
    }
    if (is_new) {
        status = insert_sale(session, creation, deadline_ns, arena, &inserted);
        *ret_outcome = inserted ? STORE_CREATED : STORE_CREATION_END_PASSED;
    } else {
        status = find_creation(session, creation, deadline_ns, arena, &sale_id, &same);
        *ret_outcome = same ? STORE_CREATED_BEFORE : STORE_CREATION_KEY_REUSED;
    }
    if (status == DB_OK && (inserted || same)) {
        status = reread_sale(session, &sale_id, deadline_ns, arena, ret_sale);
    }
    return status;
}

enum store_result sales_create(void *data, const struct store_creation *creation,
                               int64_t deadline_ns, struct arena *arena,
                               enum store_creation_outcome *ret_outcome,
                               struct store_sale *ret_sale)
{
    struct store_postgres *store = connection_of(data);
    enum store_creation_outcome outcome = STORE_CREATED;
    struct store_sale sale = {0};

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status =
        prepare_creation(&store->session, creation, deadline_ns, arena, &outcome, &sale);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    enum store_result result = STORE_OK;
    if (outcome == STORE_CREATION_END_PASSED) {
        connection_rollback(store, deadline_ns); /* the key is free again */
    } else {
        result = connection_commit(store, deadline_ns);
    }
    if (result == STORE_OK) {
        *ret_outcome = outcome;
        *ret_sale = sale;
    }
    return result;
}
