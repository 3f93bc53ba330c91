/* Rows ⇄ domain, both directions, in one place. Private to this adapter. */
#ifndef ORDERS_ADAPTERS_POSTGRES_TRANSLATE_H
#define ORDERS_ADAPTERS_POSTGRES_TRANSLATE_H

#include "base/check.h"
#include "orders/ports/store.h"
#include "postgres/sql_type.h"

struct change_sale_params;
struct event_changes;
struct insert_placed_params;
struct insert_sale_params;

/*
 * A generated row that holds a sale (of lock_sale, get_sale, list_sales, ...) as a struct sale in
 * *ret; strings are copied into arena. False when it breaks an invariant of the domain or the arena
 * is full.
 */
#define TRANSLATE_SALE(row, arena, ret)                                                            \
    translate_sale(&(struct sale){.sale_id = (row)->sale_id,                                       \
                                  .unit_price.amount_minor = (row)->unit_price_minor,              \
                                  .start_us = (row)->start_time_us,                                \
                                  .end_us = (row)->end_time_us,                                    \
                                  .stock_total = (row)->stock_total,                               \
                                  .stock_remaining = (row)->stock_remaining,                       \
                                  .stock_returning = (row)->stock_returning,                       \
                                  .per_customer_limit = (row)->per_customer_limit,                 \
                                  .hold_seconds = (row)->hold_seconds,                             \
                                  .paused = (row)->paused,                                         \
                                  .ended = (row)->ended,                                           \
                                  .version = (row)->version,                                       \
                                  .orders_count = (row)->orders_count,                             \
                                  .stock_returned = (row)->stock_returned,                         \
                                  .sold_out_since = (row)->sold_out_since},                        \
                   (row)->sku, (row)->title, (row)->currency_code, arena, ret)

/* A generated row that holds an order (of existing_orders, get_order, ...) as a struct order. */
#define TRANSLATE_ORDER(row)                                                                       \
    ((struct order){.order_id = (row)->order_id,                                                   \
                    .number = (row)->number,                                                       \
                    .quantity = (row)->quantity,                                                   \
                    .status = (row)->status,                                                       \
                    .create_us = (row)->create_time_us,                                            \
                    .expire_us =                                                                   \
                        (row)->expire_time_is_null ? ORDER_NEVER_EXPIRES : (row)->expire_time_us})

/* For TRANSLATE_SALE: adds the texts to what numbers says. */
bool translate_sale(const struct sale *numbers, struct sql_text sku, struct sql_text title,
                    struct sql_text currency_code, struct arena *arena,
                    struct sale *ret) MUST_CHECK;

/* False when the currency code has not its three characters. */
bool translate_money(struct sql_text currency_code, int64_t amount_minor,
                     struct money *ret) MUST_CHECK;

/* A NUL-terminated copy; false when the arena is full. */
bool translate_text(struct sql_text text, struct arena *arena, const char **ret) MUST_CHECK;

/* For a parameter: borrows a NUL-terminated text. */
struct sql_text translate_sql_text(const char *text);

/* The placed orders in the batch's order, the sale after them and what expired before. False: arena
 * full. *ret points into it and the requests. */
bool translate_placed(const struct placement_facts *facts, const struct placement_request *requests,
                      size_t count, const struct placement_decision *decision, struct arena *arena,
                      struct insert_placed_params *ret) MUST_CHECK;

/* The whole of after, which follows before; *ret points into it and told. */
void translate_changed_sale(const struct sale *before, int64_t event_us, const struct sale *after,
                            const struct event_changes *told, struct change_sale_params *ret);

/* *ret points into the draft. */
void translate_draft(const struct uuid *sale_id, const struct sale_draft *draft,
                     struct insert_sale_params *ret);

#endif
