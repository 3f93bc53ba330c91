/*
 * Between the contract's messages and the domain, both directions in one place. Nothing here
 * decides or checks more than a translation needs; what cannot be translated becomes a value that
 * the domain's validation refuses.
 *
 * Messages that are made here live in storage of the caller's and point at what they were made of,
 * so that a reply of 512 orders is one allocation.
 */
#ifndef ORDERS_ADAPTERS_GRPC_MESSAGES_H
#define ORDERS_ADAPTERS_GRPC_MESSAGES_H

#include "base/uuid.h"
#include "orders/domain/transition.h"
#include "orders/logic/create_sale.h"
#include "orders/logic/manage_sale.h"
#include "orders/logic/verdict.h"
#include "rpc/status.h"

#include <stampede/orders/v1/orders.pb-c.h>
#include <stampede/sales/v1/sales.pb-c.h>

#define MESSAGES_DOMAIN "stampede" /* ErrorInfo.domain */

/* --- Refusals -------------------------------------------------------------------------------- */

_Static_assert(VIOLATIONS_MAX <= RPC_VIOLATIONS_MAX, "a status holds every violation");

/*
 * The status of a verdict that is neither PLACED nor REPLAYED (asserted). retry_after_ms is for
 * verdicts that may change by waiting; the others ignore it. All strings are constant.
 */
struct rpc_status messages_refusal(enum verdict verdict, int64_t retry_after_ms);

/* Whether a refusal for this verdict carries RetryInfo. */
bool messages_is_retryable(enum verdict verdict);

/* The status of a request with these violations (at least one); ret_items is its storage. */
struct rpc_status messages_violations(const struct violations *violations,
                                      struct rpc_violation ret_items[VIOLATIONS_MAX]);

/* The status of an act that an order's status does not allow, saying both. */
struct rpc_status messages_illegal_transition(enum order_status is, enum order_act asked);

/* The status of a refusal that no verdict stands for: access and methods. name is a reason of the
 * contract (asserted); both strings are constants. */
struct rpc_status messages_reason(const char *name, const char *message);

/* --- Orders ---------------------------------------------------------------------------------- */

/* An Order with all that it points at; not to be moved once translated. */
struct messages_order {
    Stampede__Orders__V1__Order message;
    Stampede__Api__V1__Money unit_price;
    Google__Protobuf__Timestamp create_time, expire_time;
    char order_id[UUID_TEXT_CHARS + 1];
};

/* Fills *ret, which borrows every pointer. sale_id is the text form. */
void messages_order(const struct order *order, const char *sale_id, const char *customer_id,
                    const struct money *unit_price, struct messages_order *ret);

/* An event and its orders in arena, borrowing sale_id (the text form) and the customers' ids; NULL
 * when the arena is full. */
Stampede__Orders__V1__OrderEvents *messages_event(const struct store_event *event,
                                                  const char *sale_id, struct arena *arena);

/* --- Sales ----------------------------------------------------------------------------------- */

/* A Sale with all that it points at; not to be moved once translated. */
struct messages_sale {
    Stampede__Sales__V1__Sale message;
    Stampede__Api__V1__Money unit_price;
    Google__Protobuf__Timestamp start_time, end_time;
    char sale_id[UUID_TEXT_CHARS + 1];
};

Stampede__Sales__V1__Sale__State messages_sale_state(enum sale_state state);

/* Fills *ret, which borrows sale and its strings. now_us is the database's clock. */
void messages_sale(const struct sale *sale, int64_t now_us, struct messages_sale *ret);

/* The use case's request; it borrows the message's strings. Times and codes that the domain cannot
 * hold become ones that it refuses. */
struct create_sale_request messages_create_sale_request(
    const Stampede__Sales__V1__CreateSaleRequest *message);

/* The use case's requests, likewise; fields that are left out stay as they are. */
struct manage_sale_request messages_update_sale_request(
    const Stampede__Sales__V1__UpdateSaleRequest *message);
struct manage_sale_request messages_restock_sale_request(
    const Stampede__Sales__V1__RestockSaleRequest *message);

/* Reads a UUID, or adds a violation of field and returns false. */
bool messages_uuid(const char *text, const char *field, struct uuid *ret,
                   struct violations *violations);

#endif
