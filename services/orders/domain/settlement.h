/*
 * Deciding a batch of confirmations and cancellations: a pure function from what was read under the
 * sale's lock to one outcome each, in arrival order.
 */
#ifndef ORDERS_DOMAIN_SETTLEMENT_H
#define ORDERS_DOMAIN_SETTLEMENT_H

#include "base/check.h"
#include "orders/domain/outcome.h"
#include "orders/domain/sale.h"
#include "orders/domain/transition.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Orders settled in one transaction. */
#define SETTLEMENT_BATCH_MAX 512

/* Holds that one transaction lets expire; more wait for the next. */
#define SETTLEMENT_EXPIRED_MAX 512

struct settlement_request {
    struct uuid order_id;
    const char *customer_id; /* whose order it must be; empty: anybody's */
    size_t customer_length;
    enum order_act act; /* not EXPIRE */
};

/* An order as it is read, with whose it is. */
struct settlement_order {
    struct order order;
    const char *customer_id;
    size_t customer_length;
};

/* What was read, in this order, after the sale's row was locked. */
struct settlement_facts {
    struct sale sale;
    int64_t now_us;
    const struct order_change *expired; /* as in placement_facts */
    size_t expired_count;
    const struct settlement_order *orders; /* those of the batch's that exist, each once */
    size_t order_count;
};

struct settlement_decision {
    /* One per request: DONE (also when it had been done before), ORDER_NOT_FOUND or
     * ILLEGAL_TRANSITION. orders[i] is the order after request i, before any later one of the
     * batch; for all but ORDER_NOT_FOUND. Its strings are those of the facts. */
    enum outcome outcomes[SETTLEMENT_BATCH_MAX];
    struct settlement_order orders[SETTLEMENT_BATCH_MAX];
    /* What moved, at most once an order; the expired of the facts are not among them. */
    struct order_change changes[SETTLEMENT_BATCH_MAX];
    size_t change_count;
    struct sale sale; /* afterwards; the next version if anything changed or had expired */
};

/* Whether a hold of the order has run out: it is RESERVED, and expire_us is not after now_us. */
bool settlement_is_due(const struct order *order, int64_t now_us);

/* Gives the units of holds that expired in this transaction back to the sale. Errors: -EBADMSG they
 * are more than are out: what was read contradicts itself; the sale is then undefined. */
int settlement_return_expired(const struct order_change *expired, size_t count,
                              struct sale *sale) MUST_CHECK;

/*
 * Decides count (at most SETTLEMENT_BATCH_MAX) requests, after giving back what has expired. A hold
 * that has run out by now_us and is still RESERVED expires here, before anything is done to it: so
 * a confirmation that comes too late is ILLEGAL_TRANSITION, and the order EXPIRED. Errors: -ENOMEM
 * the arena is full; -EBADMSG what was read contradicts itself; *ret is then undefined.
 */
int settlement_decide(const struct settlement_facts *facts,
                      const struct settlement_request *requests, size_t count,
                      struct arena *scratch, struct settlement_decision *ret) MUST_CHECK;

#endif
