/*
 * How the business answers a request. Outcomes are values, not errors: each order or settlement of
 * a batch has one, decided under the sale's lock.
 */
#ifndef ORDERS_DOMAIN_OUTCOME_H
#define ORDERS_DOMAIN_OUTCOME_H

/* X(name, text for people) */
#define OUTCOME_TABLE(X)                                                                           \
    X(PLACED, "the order is placed")                                                               \
    X(REPLAYED, "the order was placed by an earlier request with this key")                        \
    X(SOLD_OUT, "fewer units remain than the order asks for")                                      \
    X(CUSTOMER_LIMIT_REACHED, "the customer would hold more units than one customer may")          \
    X(SALE_NOT_STARTED, "the sale has not started")                                                \
    X(SALE_ENDED, "the sale has ended")                                                            \
    X(SALE_PAUSED, "the sale is paused")                                                           \
    X(IDEMPOTENCY_KEY_REUSED, "the idempotency key was used with another quantity")                \
    X(SALE_NOT_FOUND, "there is no such sale")                                                     \
    X(DONE, "what was asked is so now")                                                            \
    X(ORDER_NOT_FOUND, "this customer has no such order")                                          \
    X(ILLEGAL_TRANSITION, "the order's status does not allow this")

enum outcome {
#define OUTCOME_VALUE(name, text) OUTCOME_##name,
    OUTCOME_TABLE(OUTCOME_VALUE)
#undef OUTCOME_VALUE
        OUTCOME_COUNT
};

#endif
