#include "orders/adapters/postgres/translate.h"

#include "base/arena.h"
#include "orders/adapters/postgres/event_changes.h"
#include "orders/adapters/postgres/queries/change_sale.h"
#include "orders/adapters/postgres/queries/insert_placed.h"
#include "orders/adapters/postgres/queries/insert_sale.h"

#include <string.h>

/* --- Rows to domain ------------------------------------------------------------------------------
 */

bool translate_text(struct sql_text text, struct arena *arena, const char **ret)
{
    const char *copy = arena_strndup(arena, text.bytes, text.length);
    if (copy == NULL) {
        return false;
    }
    *ret = copy;
    return true;
}

bool translate_money(struct sql_text currency_code, int64_t amount_minor, struct money *ret)
{
    struct money money = {.amount_minor = amount_minor};
    if (currency_code.length != sizeof(money.currency_code) - 1) {
        return false;
    }
    memcpy(money.currency_code, currency_code.bytes, currency_code.length);
    *ret = money;
    return true;
}

bool translate_sale(const struct sale *numbers, struct sql_text sku, struct sql_text title,
                    struct sql_text currency_code, struct arena *arena, struct sale *ret)
{
    struct sale sale = *numbers;
    if (!translate_text(sku, arena, &sale.sku) || !translate_text(title, arena, &sale.title) ||
        !translate_money(currency_code, sale.unit_price.amount_minor, &sale.unit_price) ||
        !sale_is_consistent(&sale)) {
        return false;
    }
    *ret = sale;
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

struct sql_text translate_sql_text(const char *text)
{
    return (struct sql_text){.bytes = text, .length = strlen(text)};
}

bool translate_placed(const struct placement_facts *facts, const struct placement_request *requests,
                      size_t count, const struct placement_decision *decision, struct arena *arena,
                      struct insert_placed_params *ret)
{
    const struct sale *sale = &decision->sale;
    struct placed placed;
    struct event_changes told;
    if (!collect_placed(requests, count, decision, arena, &placed) ||
        !event_changes_collect(facts->expired, facts->expired_count, NULL, 0, arena, &told)) {
        return false;
    }
    *ret = (struct insert_placed_params){
        .sale_id = facts->sale.sale_id,
        .version = facts->sale.version,
        .stock_remaining = sale->stock_remaining,
        .stock_returning = sale->stock_returning,
        .stock_returned = sale->stock_returned,
        .sold_out_since = sale->sold_out_since,
        .order_count = decision->placed_count,
        .order_ids = placed.ids,
        .customer_ids = placed.customers,
        .quantities = placed.quantities,
        .status = placed.first->status,
        .create_time_us = placed.first->create_us,
        .expire_time_is_null = placed.first->expire_us == ORDER_NEVER_EXPIRES,
        .expire_time_us = placed.first->expire_us,
        .changed_count = told.count,
        .changed_numbers = told.numbers,
        .changed_statuses = told.statuses,
    };
    return true;
}

void translate_changed_sale(const struct sale *before, int64_t event_us, const struct sale *after,
                            const struct event_changes *told, struct change_sale_params *ret)
{
    *ret = (struct change_sale_params){
        .sale_id = before->sale_id,
        .version = before->version,
        .event_time_us = event_us,
        .title = translate_sql_text(after->title),
        .start_time_us = after->start_us,
        .end_time_us = after->end_us,
        .stock_total = after->stock_total,
        .stock_remaining = after->stock_remaining,
        .stock_returning = after->stock_returning,
        .stock_returned = after->stock_returned,
        .sold_out_since = after->sold_out_since,
        .per_customer_limit = after->per_customer_limit,
        .paused = after->paused,
        .ended = after->ended,
        .changed_count = told->count,
        .changed_numbers = told->numbers,
        .changed_statuses = told->statuses,
    };
}

void translate_draft(const struct uuid *sale_id, const struct sale_draft *draft,
                     struct insert_sale_params *ret)
{
    *ret = (struct insert_sale_params){
        .sale_id = *sale_id,
        .sku = translate_sql_text(draft->sku),
        .title = translate_sql_text(draft->title),
        .currency_code = translate_sql_text(draft->unit_price.currency_code),
        .unit_price_minor = draft->unit_price.amount_minor,
        .start_time_is_null = !draft->has_start,
        .start_time_us = draft->start_us,
        .end_time_us = draft->end_us,
        .stock_total = draft->stock_total,
        .per_customer_limit = draft->per_customer_limit,
        .hold_seconds = draft->hold_seconds,
    };
}
