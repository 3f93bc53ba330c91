/*
 * Makes a sale, exactly once per idempotency key.
 */
#ifndef ORDERS_LOGIC_CREATE_SALE_H
#define ORDERS_LOGIC_CREATE_SALE_H

#include "orders/domain/violation.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"
#include "orders/ports/system.h"

struct create_sale {
    const struct store *store;
    const struct system_port *system;
    int64_t transaction_ns_max;
};

struct create_sale_request {
    const char *key;
    size_t key_length;
    struct sale_draft draft;
};

/*
 * Blocks until the deadline at most. VERDICT_PLACED: made now. VERDICT_REPLAYED: made by an earlier
 * request with this key. Both fill *ret, whose strings live in arena. VERDICT_INVALID_FIELD fills
 * *ret_violations. A COMMIT without an answer is asked about again until the deadline.
 */
enum verdict create_sale_run(const struct create_sale *use_case,
                             const struct create_sale_request *request, int64_t deadline_ns,
                             struct arena *arena, struct store_sale *ret,
                             struct violations *ret_violations);

#endif
