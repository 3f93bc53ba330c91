#include "orders/adapters/postgres/orders.h"

#include "base/arena.h"
#include "orders/adapters/postgres/connection.h"
#include "orders/adapters/postgres/queries/find_price.h"
#include "orders/adapters/postgres/queries/get_order.h"
#include "orders/adapters/postgres/queries/list_customer_orders.h"
#include "orders/adapters/postgres/queries/list_orders.h"
#include "orders/adapters/postgres/queries/read_order_ids.h"
#include "orders/adapters/postgres/translate.h"

/* --- One -----------------------------------------------------------------------------------------
 */

static bool read_order(const struct get_order_row *row, struct arena *arena,
                       struct store_order *ret)
{
    ret->order = TRANSLATE_ORDER(row);
    return translate_text(row->customer_id, arena, &ret->customer_id) &&
           translate_money(row->currency_code, row->unit_price_minor, &ret->unit_price);
}

enum store_result orders_get(void *data, const struct uuid *sale_id, const struct uuid *order_id,
                             const char *customer_id, int64_t deadline_ns, struct arena *arena,
                             struct store_order *ret)
{
    struct store_postgres *store = connection_of(data);
    const struct get_order_params params = {
        .sale_id = *sale_id, .order_id = *order_id, .customer_id = translate_sql_text(customer_id)};
    struct session_result result;
    struct get_order_row row;
    bool found;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status =
        get_order_exec(&store->session, arena, &params, deadline_ns, &result, &found, &row);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    bool sound = !found || read_order(&row, arena, ret);
    session_result_fini(&result);
    if (!sound) {
        return connection_unsound(store);
    }
    return found ? STORE_OK : STORE_NOT_FOUND;
}

/* --- A page --------------------------------------------------------------------------------------
 */

struct listing {
    const struct uuid *sale_id;
    const char *customer_id; /* NULL: everybody's */
    int64_t after;
    size_t limit;
};

static enum db_status send_listing(struct session *session, const struct listing *listing,
                                   struct arena *arena)
{
    int64_t limit_count = (int64_t)listing->limit + 1; /* one more tells of another page */
    const struct find_price_params price = {.sale_id = *listing->sale_id};
    enum db_status status = find_price_send(session, arena, &price);
    if (status == DB_OK && listing->customer_id == NULL) {
        const struct list_orders_params params = {.sale_id = *listing->sale_id,
                                                  .after_number = listing->after,
                                                  .limit_count = limit_count};
        status = list_orders_send(session, arena, &params);
    } else if (status == DB_OK) {
        const struct list_customer_orders_params params = {
            .sale_id = *listing->sale_id,
            .customer_id = translate_sql_text(listing->customer_id),
            .after_number = listing->after,
            .limit_count = limit_count};
        status = list_customer_orders_send(session, arena, &params);
    }
    return status == DB_OK ? session_sync(session) : status;
}

static enum db_status receive_price(struct session *session, int64_t deadline_ns, struct money *ret,
                                    bool *ret_found)
{
    struct session_result result;
    struct find_price_row row;

    enum db_status status = find_price_receive(session, deadline_ns, &result, ret_found, &row);
    if (status != DB_OK) {
        return status;
    }
    bool sound = !*ret_found || translate_money(row.currency_code, row.unit_price_minor, ret);
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static enum db_status read_any(struct session *session, const struct session_result *result,
                               size_t index, struct arena *arena, struct store_order *ret)
{
    struct list_orders_row row;
    enum db_status status = list_orders_read(session, result, index, &row);
    if (status != DB_OK) {
        return status;
    }
    ret->order = TRANSLATE_ORDER(&row);
    return translate_text(row.customer_id, arena, &ret->customer_id) ? DB_OK : DB_OUT_OF_MEMORY;
}

static enum db_status read_customers(struct session *session, const struct session_result *result,
                                     size_t index, struct arena *arena, struct store_order *ret)
{
    struct list_customer_orders_row row;
    enum db_status status = list_customer_orders_read(session, result, index, &row);
    if (status != DB_OK) {
        return status;
    }
    ret->order = TRANSLATE_ORDER(&row);
    return translate_text(row.customer_id, arena, &ret->customer_id) ? DB_OK : DB_OUT_OF_MEMORY;
}

/* Of both kinds of list the result's form is the same, but not its reader. */
static enum db_status receive_orders(struct session *session, const struct listing *listing,
                                     const struct money *price, int64_t deadline_ns,
                                     struct arena *arena, struct store_order_page *ret)
{
    bool all = listing->customer_id == NULL;
    struct session_result result;

    enum db_status status = all ? list_orders_receive(session, deadline_ns, &result)
                                : list_customer_orders_receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    bool more = result.row_count > listing->limit;
    size_t count = more ? listing->limit : result.row_count;
    struct store_order *orders = arena_calloc(arena, count, sizeof(*orders));
    status = orders != NULL ? DB_OK : DB_OUT_OF_MEMORY;
    for (size_t i = 0; status == DB_OK && i < count; i++) {
        status = (all ? read_any : read_customers)(session, &result, i, arena, &orders[i]);
        orders[i].unit_price = *price;
    }
    session_result_fini(&result);
    if (status == DB_OK) {
        *ret = (struct store_order_page){.orders = orders, .count = count, .more = more};
    }
    return status;
}

enum store_result orders_list(void *data, const struct uuid *sale_id, const char *customer_id,
                              int64_t after, size_t limit, int64_t deadline_ns, struct arena *arena,
                              struct store_order_page *ret)
{
    struct store_postgres *store = connection_of(data);
    const struct listing listing = {
        .sale_id = sale_id, .customer_id = customer_id, .after = after, .limit = limit};
    struct store_order_page page = {0};
    struct money price = {0};
    bool found = false;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status;
    (void)((status = send_listing(&store->session, &listing, arena)) != DB_OK ||
           (status = receive_price(&store->session, deadline_ns, &price, &found)) != DB_OK ||
           (status = receive_orders(&store->session, &listing, &price, deadline_ns, arena,
                                    &page)) != DB_OK);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    if (!found) {
        return STORE_NOT_FOUND;
    }
    *ret = page;
    return STORE_OK;
}

/* --- Ids alone -----------------------------------------------------------------------------------
 */

enum store_result orders_read_ids(void *data, const struct uuid *sale_id, int64_t after,
                                  size_t limit, int64_t deadline_ns, struct arena *arena,
                                  struct uuid *ret_ids, size_t *ret_count)
{
    struct store_postgres *store = connection_of(data);
    const struct read_order_ids_params params = {
        .sale_id = *sale_id, .after_number = after, .limit_count = (int64_t)limit};
    struct session_result result;

    if (!connection_prepare(store, deadline_ns)) {
        return STORE_UNAVAILABLE;
    }
    enum db_status status =
        read_order_ids_exec(&store->session, arena, &params, deadline_ns, &result);
    if (status != DB_OK) {
        return connection_fail(store, status, deadline_ns);
    }
    bool sound = result.row_count <= limit;
    for (size_t i = 0; sound && i < result.row_count; i++) {
        struct read_order_ids_row row;
        sound = read_order_ids_read(&store->session, &result, i, &row) == DB_OK;
        ret_ids[i] = row.order_id;
    }
    if (sound) {
        *ret_count = result.row_count;
    }
    session_result_fini(&result);
    return sound ? STORE_OK : connection_unsound(store);
}
