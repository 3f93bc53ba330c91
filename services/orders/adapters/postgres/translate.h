/* Rows ⇄ domain, both directions, in one place. Private to this adapter. */
#ifndef ORDERS_ADAPTERS_POSTGRES_TRANSLATE_H
#define ORDERS_ADAPTERS_POSTGRES_TRANSLATE_H

#include "orders/ports/store.h"
#include "postgres/params.h"
#include "postgres/row.h"

/* How many columns a sale and an order take; what a statement adds comes after them. */
#define TRANSLATE_SALE_COLUMNS  15
#define TRANSLATE_ORDER_COLUMNS 6

/*
 * Each reads the row's first columns; strings are copied into arena. False when the row is not what
 * it should be, breaks an invariant of the domain, or the arena is full.
 */
bool translate_sale(struct row *row, struct arena *arena, struct sale *ret) MUST_CHECK;
bool translate_order(struct row *row, struct order *ret) MUST_CHECK;
bool translate_money(struct row *row, size_t currency_column, struct money *ret) MUST_CHECK;
bool translate_text(struct row *row, size_t column, struct arena *arena,
                    const char **ret) MUST_CHECK;

/* The parameters of place_orders: the placed orders in the batch's order. False: arena full. */
bool translate_placed(const struct placement_facts *facts, const struct placement_request *requests,
                      size_t count, const struct placement_decision *decision, struct arena *arena,
                      struct params *ret) MUST_CHECK;

/* The parameters of insert_sale. */
void translate_draft(const struct uuid *sale_id, const struct sale_draft *draft,
                     struct arena *arena, struct params *ret);

#endif
