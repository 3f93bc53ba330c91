/*
 * What an administrator does to a sale that exists: pause, resume, end, update, restock.
 */
#ifndef ORDERS_LOGIC_MANAGE_SALE_H
#define ORDERS_LOGIC_MANAGE_SALE_H

#include "orders/domain/violation.h"
#include "orders/logic/verdict.h"
#include "orders/ports/store.h"
#include "orders/ports/system.h"

struct manage_sale {
    const struct store *store;
    const struct system_port *system;
    int64_t transaction_ns_max;
};

enum manage_sale_act {
    MANAGE_SALE_PAUSE,
    MANAGE_SALE_RESUME,
    MANAGE_SALE_END,
    MANAGE_SALE_UPDATE,
    MANAGE_SALE_RESTOCK,
};

struct manage_sale_request {
    enum manage_sale_act act;
    const char *title; /* UPDATE; NULL: stays */
    bool has_end, has_limit;
    int64_t end_us;             /* UPDATE, when has_end */
    int32_t per_customer_limit; /* UPDATE, when has_limit */
    const char *key;            /* RESTOCK */
    size_t key_length;
    int32_t quantity; /* RESTOCK */
};

/*
 * Blocks until the deadline at most. VERDICT_DONE: done, or so already; VERDICT_REPLAYED: a restock
 * that an earlier request with this key did. Both fill *ret, whose strings live in arena.
 * VERDICT_INVALID_FIELD fills *ret_violations. SALE_NOT_FOUND; SALE_ENDED for what an ended sale
 * does not take (resume, pause, restock, another end_time than it has); IDEMPOTENCY_KEY_REUSED for
 * a restock of another quantity. Ending an ended sale is done already. A COMMIT without an answer
 * is asked about again until the deadline; the rules are batch_run's.
 */
enum verdict manage_sale_run(const struct manage_sale *use_case, const struct uuid *sale_id,
                             const struct manage_sale_request *request, int64_t deadline_ns,
                             struct arena *arena, struct store_sale *ret,
                             struct violations *ret_violations);

#endif
