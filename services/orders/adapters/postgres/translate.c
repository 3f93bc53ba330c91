#include "orders/adapters/postgres/translate.h"

#include "base/arena.h"

#include <string.h>

/* --- Rows to domain ------------------------------------------------------------------------------
 */

bool translate_text(struct row *row, size_t column, struct arena *arena, const char **ret)
{
    struct sql_text text = row_text(row, column);
    if (row_failed(row)) {
        return false;
    }
    *ret = arena_strndup(arena, text.bytes, text.length);
    return *ret != NULL;
}

bool translate_money(struct row *row, size_t currency_column, struct money *ret)
{
    struct sql_text code = row_text(row, currency_column);
    struct money money = {.amount_minor = row_int8(row, currency_column + 1)};

    if (row_failed(row) || code.length != sizeof(money.currency_code) - 1) {
        return false;
    }
    memcpy(money.currency_code, code.bytes, code.length);
    *ret = money;
    return true;
}

bool translate_sale(struct row *row, struct arena *arena, struct sale *ret)
{
    struct sale sale = {
        .sale_id = row_uuid(row, 0),
        .start_us = row_timestamptz(row, 5),
        .end_us = row_timestamptz(row, 6),
        .stock_total = row_int4(row, 7),
        .stock_remaining = row_int4(row, 8),
        .stock_returning = row_int4(row, 9),
        .per_customer_limit = row_int4(row, 10),
        .hold_seconds = row_int4(row, 11),
        .paused = row_bool(row, 12),
        .version = row_int8(row, 13),
        .orders_count = row_int8(row, 14),
    };
    if (!translate_text(row, 1, arena, &sale.sku) || !translate_text(row, 2, arena, &sale.title) ||
        !translate_money(row, 3, &sale.unit_price) || row_failed(row) ||
        !sale_is_consistent(&sale)) {
        return false;
    }
    *ret = sale;
    return true;
}

static bool status_parse(struct sql_text text, enum order_status *ret)
{
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        const char *name = order_status_name(status);
        if (text.length == strlen(name) && memcmp(text.bytes, name, text.length) == 0) {
            *ret = status;
            return true;
        }
    }
    return false;
}

bool translate_order(struct row *row, struct order *ret)
{
    struct order order = {
        .order_id = row_uuid(row, 0),
        .number = row_int8(row, 1),
        .quantity = row_int4(row, 2),
        .create_us = row_timestamptz(row, 4),
        .expire_us = row_is_null(row, 5) ? ORDER_NEVER_EXPIRES : row_timestamptz(row, 5),
    };
    struct sql_text status = row_text(row, 3);
    if (row_failed(row) || !status_parse(status, &order.status)) {
        return false;
    }
    *ret = order;
    return true;
}

/* --- Domain to parameters ------------------------------------------------------------------------
 */

/* The columns of the orders that a decision placed. */
struct placed {
    struct uuid *ids;
    struct sql_text *customers;
    int32_t *quantities;
    const struct order *first;
};

static bool collect_placed(const struct placement_request *requests, size_t count,
                           const struct placement_decision *decision, struct arena *arena,
                           struct placed *ret)
{
    struct placed placed = {
        .ids = arena_alloc(arena, decision->placed_count * sizeof(*placed.ids)),
        .customers = arena_alloc(arena, decision->placed_count * sizeof(*placed.customers)),
        .quantities = arena_alloc(arena, decision->placed_count * sizeof(*placed.quantities)),
    };
    size_t used = 0;

    if (placed.ids == NULL || placed.customers == NULL || placed.quantities == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (decision->outcomes[i] != OUTCOME_PLACED) {
            continue;
        }
        if (used == 0) {
            placed.first = &decision->orders[i];
        }
        CHECK(decision->orders[i].number == placed.first->number + (int64_t)used);
        placed.ids[used] = requests[i].order_id;
        placed.customers[used] =
            (struct sql_text){requests[i].customer_id, requests[i].customer_length};
        placed.quantities[used++] = requests[i].quantity;
    }
    CHECK(used == decision->placed_count && used > 0);
    *ret = placed;
    return true;
}

bool translate_placed(const struct placement_facts *facts, const struct placement_request *requests,
                      size_t count, const struct placement_decision *decision, struct arena *arena,
                      struct params *ret)
{
    struct placed placed;

    params_init(ret, arena);
    if (!collect_placed(requests, count, decision, arena, &placed)) {
        return false;
    }
    const char *status = order_status_name(placed.first->status);
    params_add_uuid(ret, &facts->sale.sale_id);
    params_add_int8(ret, facts->sale.version);
    params_add_int4(ret, decision->placed_units);
    params_add_uuid_array(ret, placed.ids, decision->placed_count);
    params_add_text_array(ret, placed.customers, decision->placed_count);
    params_add_int4_array(ret, placed.quantities, decision->placed_count);
    params_add_text(ret, status, strlen(status));
    params_add_timestamptz(ret, placed.first->create_us);
    if (placed.first->expire_us == ORDER_NEVER_EXPIRES) {
        params_add_null(ret, SQL_TYPE_TIMESTAMPTZ);
    } else {
        params_add_timestamptz(ret, placed.first->expire_us);
    }
    return !params_failed(ret);
}

void translate_draft(const struct uuid *sale_id, const struct sale_draft *draft,
                     struct arena *arena, struct params *ret)
{
    params_init(ret, arena);
    params_add_uuid(ret, sale_id);
    params_add_text(ret, draft->sku, strlen(draft->sku));
    params_add_text(ret, draft->title, strlen(draft->title));
    params_add_text(ret, draft->unit_price.currency_code, strlen(draft->unit_price.currency_code));
    params_add_int8(ret, draft->unit_price.amount_minor);
    if (draft->has_start) {
        params_add_timestamptz(ret, draft->start_us);
    } else {
        params_add_null(ret, SQL_TYPE_TIMESTAMPTZ);
    }
    params_add_timestamptz(ret, draft->end_us);
    params_add_int4(ret, draft->stock_total);
    params_add_int4(ret, draft->per_customer_limit);
    params_add_int4(ret, draft->hold_seconds);
}
