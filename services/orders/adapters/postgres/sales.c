#include "orders/adapters/postgres/sales.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/queries/begin_transaction.h"
#include "orders/adapters/postgres/queries/find_creation.h"
#include "orders/adapters/postgres/queries/get_sale.h"
#include "orders/adapters/postgres/queries/insert_sale.h"
#include "orders/adapters/postgres/queries/known_sales.h"
#include "orders/adapters/postgres/queries/list_sales.h"
#include "orders/adapters/postgres/queries/lock_sale.h"
#include "orders/adapters/postgres/queries/read_sales.h"
#include "orders/adapters/postgres/queries/remember_creation.h"
#include "orders/adapters/postgres/translate.h"

#include <string.h>

/* --- Reading -------------------------------------------------------------------------------------
 */

/* A row of get_sale; false when it makes no sense or the arena is full. */
static bool read_sale(const struct get_sale_row *row, struct arena *arena, struct store_sale *ret)
{
    ret->now_us = row->read_time_us;
    return TRANSLATE_SALE(row, arena, &ret->sale);
}

enum store_result sales_get(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                            struct arena *arena, struct store_sale *ret)
{
    struct store_postgres *store = connection_of(data);
    struct session_result result;
    struct get_sale_row row;
    bool found;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status =
        get_sale_exec(&store->session, arena, &(struct get_sale_params){.sale_id = *sale_id},
                      deadline_ns, &result, &found, &row);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    bool sound = !found || read_sale(&row, arena, ret);
    session_result_fini(&result);
    if (!sound) {
        return connection_unsound(store);
    }
    return found ? STORE_OK : STORE_NOT_FOUND;
}

static bool read_page(struct session *session, const struct session_result *result, size_t count,
                      struct arena *arena, struct store_sale *ret_sales)
{
    for (size_t i = 0; i < count; i++) {
        struct list_sales_row row;
        if (list_sales_read(session, result, i, &row) != DB_OK ||
            !TRANSLATE_SALE(&row, arena, &ret_sales[i].sale)) {
            return false;
        }
        ret_sales[i].now_us = row.read_time_us;
    }
    return true;
}

enum store_result sales_list(void *data, const struct uuid *before, size_t limit,
                             int64_t deadline_ns, struct arena *arena, struct store_sale_page *ret)
{
    struct store_postgres *store = connection_of(data);
    struct store_sale *sales = arena_calloc(arena, limit, sizeof(*sales));
    struct session_result result;
    struct list_sales_params params = {
        .before_is_null = before == NULL,
        .limit_count = (int64_t)limit + 1, /* one more tells whether there is another page */
    };

    if (before != NULL) {
        params.before = *before;
    }
    if (sales == NULL) {
        return STORE_BROKEN;
    }
    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = list_sales_exec(&store->session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    bool more = result.row_count > limit;
    size_t count = more ? limit : result.row_count;
    bool sound = read_page(&store->session, &result, count, arena, sales);
    session_result_fini(&result);
    if (sound) {
        *ret = (struct store_sale_page){.sales = sales, .count = count, .more = more};
    }
    return sound ? STORE_OK : connection_unsound(store);
}

static bool read_watched(struct session *session, const struct session_result *result,
                         struct arena *arena, struct store_sale *ret_sales)
{
    for (size_t i = 0; i < result->row_count; i++) {
        struct read_sales_row row;
        if (read_sales_read(session, result, i, &row) != DB_OK ||
            !TRANSLATE_SALE(&row, arena, &ret_sales[i].sale)) {
            return false;
        }
        ret_sales[i].now_us = row.read_time_us;
    }
    return true;
}

enum store_result sales_read(void *data, const struct uuid *sale_ids, size_t count,
                             int64_t deadline_ns, struct arena *arena, struct store_sale_page *ret)
{
    struct store_postgres *store = connection_of(data);
    const struct read_sales_params params = {.sale_ids = sale_ids, .sale_ids_count = count};
    struct session_result result;

    CHECK(count <= STORE_READ_SALES_MAX);
    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = read_sales_exec(&store->session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    size_t found = result.row_count;
    struct store_sale *sales = arena_calloc(arena, found, sizeof(*sales));
    bool sound = sales != NULL && read_watched(&store->session, &result, arena, sales);
    session_result_fini(&result);
    if (sound) {
        *ret = (struct store_sale_page){.sales = sales, .count = found};
    }
    return sound ? STORE_OK : connection_unsound(store);
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
    struct store_postgres *store = connection_of(data);
    const struct known_sales_params params = {.sale_ids = sale_ids, .sale_ids_count = count};
    struct session_result result;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = known_sales_exec(&store->session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    memset(ret_known, 0, count * sizeof(*ret_known));
    for (size_t i = 0; status == DB_OK && i < result.row_count; i++) {
        struct known_sales_row row;
        status = known_sales_read(&store->session, &result, i, &row);
        if (status == DB_OK) {
            mark_known(sale_ids, count, &row.sale_id, ret_known);
        }
    }
    session_result_fini(&result);
    return status == DB_OK ? STORE_OK : connection_unsound(store);
}

/* --- Creating ------------------------------------------------------------------------------------
 */

/* BEGIN and the key; *ret_new tells whether this transaction is the one that makes the sale. */
static enum db_status begin_creation(struct session *session, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena, bool *ret_new)
{
    const struct remember_creation_params params = {
        .idempotency_key = {.bytes = creation->key, .length = creation->key_length},
        .sale_id = creation->sale_id,
        .fingerprint = {.bytes = (const char *)creation->fingerprint,
                        .length = sizeof(creation->fingerprint)},
    };
    int64_t affected;

    enum db_status status = begin_transaction_exec(session, deadline_ns, NULL);
    if (status == DB_OK) {
        status = remember_creation_exec(session, arena, &params, deadline_ns, &affected);
    }
    if (status == DB_OK) {
        *ret_new = affected == 1;
    }
    return status;
}

/* Inserts the sale; *ret_inserted is false when its window has ended by the database's clock. */
static enum db_status insert_sale(struct session *session, const struct store_creation *creation,
                                  int64_t deadline_ns, struct arena *arena, bool *ret_inserted)
{
    struct insert_sale_params params;
    int64_t affected;

    translate_draft(&creation->sale_id, creation->draft, &params);
    enum db_status status = insert_sale_exec(session, arena, &params, deadline_ns, &affected);
    if (status == DB_OK) {
        *ret_inserted = affected == 1;
    }
    return status;
}

/* The sale that the key made before, and whether it was made from the same draft. */
static enum db_status find_creation(struct session *session, const struct store_creation *creation,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct uuid *ret_sale_id, bool *ret_same)
{
    const struct find_creation_params params = {
        .idempotency_key = {.bytes = creation->key, .length = creation->key_length}};
    struct session_result result;
    struct find_creation_row row;

    enum db_status status = find_creation_exec(session, arena, &params, deadline_ns, &result, &row);
    if (status != DB_OK) {
        return status;
    }
    *ret_sale_id = row.sale_id;
    *ret_same = row.fingerprint.length == sizeof(creation->fingerprint) &&
                memcmp(row.fingerprint.bytes, creation->fingerprint, row.fingerprint.length) == 0;
    session_result_fini(&result);
    return DB_OK;
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
    struct lock_sale_row locked;
    struct get_sale_row row;
    bool found;

    enum db_status status =
        lock_sale_exec(session, arena, &(struct lock_sale_params){.sale_id = *sale_id}, deadline_ns,
                       &result, &found, &locked);
    if (status != DB_OK) {
        return status;
    }
    session_result_fini(&result);
    status = get_sale_exec(session, arena, &(struct get_sale_params){.sale_id = *sale_id},
                           deadline_ns, &result, &found, &row);
    if (status != DB_OK) {
        return status;
    }
    bool sound = found && read_sale(&row, arena, ret);
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
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
