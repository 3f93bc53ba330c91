/*
 * Deciding a batch of orders: a pure function from what was read under the sale's lock to one
 * outcome per order, in arrival order. No I/O, no clock, no allocation beyond the arena it is
 * given.
 */
#ifndef ORDERS_DOMAIN_PLACEMENT_H
#define ORDERS_DOMAIN_PLACEMENT_H

#include "base/check.h"
#include "orders/domain/order.h"
#include "orders/domain/outcome.h"
#include "orders/domain/sale.h"

#include <stddef.h>

struct arena;

/* Orders decided in one transaction. More would hold the lock longer without selling faster. */
#define PLACEMENT_BATCH_MAX 512

/* One order of the batch. Strings are borrowed; quantity is 1 to ORDER_QUANTITY_MAX. */
struct placement_request {
    struct uuid order_id;
    const char *customer_id;
    size_t customer_length;
    int32_t quantity;
};

/* Units that a customer holds now: the sum over their RESERVED and CONFIRMED orders of the sale. */
struct placement_holding {
    const char *customer_id;
    size_t customer_length;
    int64_t units;
};

/* What was read, in this order, after the sale's row was locked. */
struct placement_facts {
    struct sale sale;
    int64_t now_us; /* the database's clock, read after the lock */
    /* Holds of the sale that had run out and are EXPIRED now, in this transaction; their units are
     * the decision's to give back. What is read below has seen it. */
    const struct order_change *expired;
    size_t expired_count;
    const struct order *existing; /* those of the batch's orders that exist; any order */
    size_t existing_count;        /* at most the batch's size */
    const struct placement_holding *holdings; /* of the batch's customers; none when no limit */
    size_t holding_count;
};

struct placement_decision {
    /* One per request. orders[i] is meaningful for PLACED and REPLAYED only. */
    enum outcome outcomes[PLACEMENT_BATCH_MAX];
    struct order orders[PLACEMENT_BATCH_MAX];
    size_t placed_count;
    int32_t placed_units;
    /* The sale after the batch: the expired units are back, stock and orders_count are moved by
     * what was placed, and version by one if there was any of either. */
    struct sale sale;
};

/*
 * Decides count (at most PLACEMENT_BATCH_MAX) requests, after giving back what has expired. For
 * each, in this sequence: exists already
 * (also as an earlier copy in this batch): replayed, or key reused when the quantity differs; not
 * started; ended; paused; more than remains: sold out for this one, the next may still fit; over
 * the customer's limit; else placed. Units that come back while nothing remains are not for this
 * batch (sale_give_back). Errors: -ENOMEM the arena is full; -EBADMSG what was read contradicts
 * itself; *ret is then undefined.
 */
int placement_decide(const struct placement_facts *facts, const struct placement_request *requests,
                     size_t count, struct arena *scratch,
                     struct placement_decision *ret) MUST_CHECK;

#endif
