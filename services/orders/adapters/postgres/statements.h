/* Every SQL statement of the orders service. Private to this adapter. */
#ifndef ORDERS_ADAPTERS_POSTGRES_STATEMENTS_H
#define ORDERS_ADAPTERS_POSTGRES_STATEMENTS_H

#include "postgres/statement.h"

extern const struct statement statements_begin, statements_commit, statements_rollback;
extern const struct statement statements_schema_version;
extern const struct statement statements_lock_sale, statements_read_clock;
extern const struct statement statements_existing_orders, statements_held_units;
extern const struct statement statements_place_orders;
extern const struct statement statements_remember_creation, statements_find_creation;
extern const struct statement statements_insert_sale;
extern const struct statement statements_get_sale, statements_list_sales, statements_known_sales;
extern const struct statement statements_get_order;

/* All of the above, to be prepared with each new connection. */
extern const struct statement *const statements_all[];
extern const size_t statements_all_count;

#endif
