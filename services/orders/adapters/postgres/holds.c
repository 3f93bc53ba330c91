#include "orders/adapters/postgres/holds.h"

#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/queries/due_sales.h"
#include "orders/adapters/postgres/queries/expire_holds.h"
#include "orders/adapters/postgres/rows.h"

/* --- In a sale's transaction ---------------------------------------------------------------------
 */

enum db_status holds_send_expiry(struct session *session, struct arena *arena,
                                 const struct uuid *sale_id)
{
    return expire_holds_send(
        session, arena,
        &(struct expire_holds_params){.sale_id = *sale_id, .limit_count = SETTLEMENT_EXPIRED_MAX});
}

static enum db_status read_expired(struct session *session, const struct session_result *result,
                                   size_t index, struct arena *arena, void *ret_expired)
{
    struct order_change *expired = ret_expired;
    struct expire_holds_row row;
    (void)arena;
    enum db_status status = expire_holds_read(session, result, index, &row);
    if (status == DB_OK) {
        *expired = (struct order_change){.order_id = row.order_id,
                                         .number = row.number,
                                         .quantity = row.quantity,
                                         .from = ORDER_RESERVED,
                                         .to = ORDER_EXPIRED};
    }
    return status;
}

enum db_status holds_receive_expiry(struct session *session, int64_t deadline_ns,
                                    struct arena *arena, const struct order_change **ret_expired,
                                    size_t *ret_count)
{
    static const struct rows_kind expired = {
        .receive = expire_holds_receive,
        .item_bytes = sizeof(struct order_change),
        .read = read_expired,
    };
    struct rows rows;
    enum db_status status = rows_receive(&expired, session, deadline_ns, arena, &rows);
    if (status == DB_OK) {
        *ret_expired = rows.items;
        *ret_count = rows.count;
    }
    return status;
}

/* --- Over all sales ------------------------------------------------------------------------------
 */

static enum db_status read_due(struct session *session, const struct session_result *result,
                               struct store_due_sale *ret_sales)
{
    for (size_t i = 0; i < result->row_count; i++) {
        struct due_sales_row row;
        enum db_status status = due_sales_read(session, result, i, &row);
        if (status != DB_OK) {
            return status;
        }
        ret_sales[i] = (struct store_due_sale){.sale_id = row.sale_id,
                                               .holds_due = row.holds_due,
                                               .stock_returned = row.stock_returned};
    }
    return DB_OK;
}

enum store_result holds_due_sales(void *data, const struct uuid *after, size_t limit,
                                  int64_t deadline_ns, struct arena *arena,
                                  struct store_due_sale *ret_sales, size_t *ret_count)
{
    struct store_postgres *store = connection_of(data);
    struct due_sales_params params = {.limit_count = (int64_t)limit}; /* after the nil id: all */
    struct session_result result;

    if (after != NULL) {
        params.after_id = *after;
    }
    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status = due_sales_exec(&store->session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    bool sound =
        result.row_count <= limit && read_due(&store->session, &result, ret_sales) == DB_OK;
    if (sound) {
        *ret_count = result.row_count;
    }
    session_result_fini(&result);
    return sound ? STORE_OK : connection_unsound(store);
}
