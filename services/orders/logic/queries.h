/*
 * Reads of sales and orders, and the tokens of their pages.
 */
#ifndef ORDERS_LOGIC_QUERIES_H
#define ORDERS_LOGIC_QUERIES_H

#include "orders/domain/violation.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"

#define QUERIES_PAGE_DEFAULT 50
#define QUERIES_PAGE_MAX     500
/* Characters of a page token at most, without the NUL. */
#define QUERIES_TOKEN_CHARS 38

/* VERDICT_DONE fills *ret, whose strings live in arena. */
enum verdict queries_get_sale(const struct store *store, const struct uuid *sale_id,
                              int64_t deadline_ns, struct arena *arena, struct store_sale *ret);

struct queries_sale_page {
    struct store_sale_page page;
    char next_token[QUERIES_TOKEN_CHARS + 1]; /* empty on the last page */
};

/* token is empty for the first page. VERDICT_INVALID_FIELD fills *ret_violations. */
enum verdict queries_list_sales(const struct store *store, int32_t page_size, const char *token,
                                int64_t deadline_ns, struct arena *arena,
                                struct queries_sale_page *ret, struct violations *ret_violations);

/* A customer's own order; anybody else's is VERDICT_ORDER_NOT_FOUND. */
enum verdict queries_get_order(const struct store *store, const struct uuid *sale_id,
                               const struct uuid *order_id, const char *customer_id,
                               int64_t deadline_ns, struct arena *arena, struct store_order *ret,
                               struct violations *ret_violations);

struct queries_order_page {
    struct store_order_page page;
    char next_token[QUERIES_TOKEN_CHARS + 1]; /* empty on the last page */
};

/* A sale's orders by number; of one customer unless customer_id is empty. token as above: orders
 * that arrive meanwhile come after all pages, none twice. */
enum verdict queries_list_orders(const struct store *store, const struct uuid *sale_id,
                                 const char *customer_id, int32_t page_size, const char *token,
                                 int64_t deadline_ns, struct arena *arena,
                                 struct queries_order_page *ret, struct violations *ret_violations);

#endif
