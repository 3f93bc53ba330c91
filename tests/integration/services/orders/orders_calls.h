/*
 * The calls of the contract that change or list what exists, in the words of a test: each waits for
 * its reply, which is the caller's to free. One thread a client.
 */
#ifndef SERVICES_ORDERS_ORDERS_CALLS_H
#define SERVICES_ORDERS_ORDERS_CALLS_H

#include "orders_client.h"

/* Creates a sale that must work, with orders held for so many seconds, and copies its id. */
void orders_calls_create_held(struct orders_client *admin, const char *key, int32_t stock,
                              int32_t hold_seconds, char ret_sale_id[ORDERS_CLIENT_ID_CHARS + 1]);

/* Places an order of quantity units that must work and copies its id. */
void orders_calls_place(struct orders_client *client, const char *sale_id, const char *customer,
                        const char *key, int32_t quantity,
                        char ret_order_id[ORDERS_CLIENT_ID_CHARS + 1]);

struct rpc_reply *orders_calls_confirm(struct orders_client *client, const char *sale_id,
                                       const char *order_id);
/* customer may be empty. */
struct rpc_reply *orders_calls_cancel(struct orders_client *client, const char *sale_id,
                                      const char *order_id, const char *customer);
struct rpc_reply *orders_calls_get_order(struct orders_client *client, const char *sale_id,
                                         const char *order_id, const char *customer);
struct rpc_reply *orders_calls_list_orders(struct orders_client *client, const char *sale_id,
                                           const char *customer, int32_t page_size,
                                           const char *token);

struct rpc_reply *orders_calls_get_sale(struct orders_client *client, const char *sale_id);
struct rpc_reply *orders_calls_list_sales(struct orders_client *client, int32_t page_size,
                                          const char *token);

/* act is "PauseSale", "ResumeSale" or "EndSale". */
struct rpc_reply *orders_calls_act(struct orders_client *client, const char *act,
                                   const char *sale_id);
struct rpc_reply *orders_calls_restock(struct orders_client *client, const char *sale_id,
                                       const char *key, int32_t quantity);

/* What an update says; what is NULL stays. */
struct orders_calls_update {
    const char *title;
    const int64_t *end_seconds;
    const int32_t *limit;
};
struct rpc_reply *orders_calls_update(struct orders_client *client, const char *sale_id,
                                      const struct orders_calls_update *update);

/* --- What must come back --------------------------------------------------------------------- */

/* Asserts that the reply is an order in this status, and frees it. */
void orders_calls_assert_order(struct rpc_reply *reply, Stampede__Orders__V1__Order__Status status);

/* Asserts that the reply is a sale in this state, and frees it; returns its version. */
int64_t orders_calls_assert_sale(struct rpc_reply *reply, Stampede__Sales__V1__Sale__State state);

/* Asserts a refusal with this message, and frees it. */
void orders_calls_assert_illegal(struct rpc_reply *reply, const char *message);

/* Asserts INVALID_FIELD with exactly one violation, of this field, and frees it. */
void orders_calls_assert_field(struct rpc_reply *reply, const char *field);

/* Asserts on the database that no sale sold what it does not have; url is the superuser's. */
void orders_calls_audit(const char *url);

#endif
