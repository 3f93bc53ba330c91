/*
 * A sale: a limited quantity of one thing, offered in a window of time. Pure values; times are
 * microseconds since 1970 by the database's clock.
 */
#ifndef ORDERS_DOMAIN_SALE_H
#define ORDERS_DOMAIN_SALE_H

#include "base/uuid.h"
#include "orders/domain/violation.h"

#include <stdbool.h>
#include <stdint.h>

#define SALE_TEXT_CHARS_MAX         200      /* sku, title: code points */
#define SALE_STOCK_MAX              10000000 /* units */
#define SALE_PER_CUSTOMER_LIMIT_MAX 1000000  /* units; 0 is no limit */
#define SALE_HOLD_SECONDS_MAX       86400
#define SALE_AMOUNT_MINOR_MAX       INT64_C(9007199254740991) /* exact in every JSON reader */

/* 9999-12-31T23:59:59.999999Z, the last moment that a Timestamp can hold in microseconds. */
#define SALE_TIME_US_MAX INT64_C(253402300799999999)

enum sale_state {
    SALE_SCHEDULED,
    SALE_LIVE,
    SALE_PAUSED,
    SALE_SOLD_OUT,
    SALE_ENDED,
};

struct money {
    char currency_code[4]; /* ISO 4217, NUL-terminated */
    int64_t amount_minor;
};

struct sale {
    struct uuid sale_id;
    const char *sku, *title; /* borrowed from whoever read the sale */
    struct money unit_price;
    int64_t start_us, end_us;
    int32_t stock_total, stock_remaining, stock_returning;
    int32_t per_customer_limit; /* units that one customer may hold; 0: no limit */
    int32_t hold_seconds;       /* 0: an order is confirmed at once */
    bool paused;
    bool ended;           /* by EndSale: for good, wherever the database's clock is set */
    int64_t version;      /* counts the transactions that changed the sale or its orders */
    int64_t orders_count; /* the last order number given */
    /* Units that ever came back while nothing remained; stock_returning are the last of them. */
    int64_t stock_returned;
    int64_t sold_out_since; /* the version at which stock last ran out; 0 while some remains */
};

/* What an administrator asks for. */
struct sale_draft {
    const char *sku, *title;
    struct money unit_price;
    bool has_start;
    int64_t start_us; /* when has_start; else the sale starts when it is made */
    int64_t end_us;
    int32_t stock_total, per_customer_limit, hold_seconds;
};

/* What an administrator may change while a sale runs. */
struct sale_update {
    const char *title; /* NULL: stays */
    bool has_end, has_limit;
    int64_t end_us;             /* when has_end */
    int32_t per_customer_limit; /* when has_limit */
};

/* The state at a moment: ENDED before SCHEDULED before PAUSED before SOLD_OUT before LIVE. */
enum sale_state sale_state_at(const struct sale *sale, int64_t now_us);

/* Whether what must always hold of one sale's own row holds (ARCHITECTURE, "What is always true").
 */
bool sale_is_consistent(const struct sale *sale);

/* --- Changing: each transaction that changes a sale or its orders does so through these --------
 */

/* Whether so many units can come back: they are out, held or sold. What is read from a store is
 * asked this before it is given back. */
bool sale_may_give_back(const struct sale *sale, int64_t units);

/* Takes units for an order; there are that many (asserted). */
void sale_take(struct sale *sale, int32_t units);

/*
 * Units come back, or are added by a restock (which raises stock_total first). Where some remain
 * they can be sold at once. Where none do, an edge may still refuse by its board: they return, and
 * mature one lease later (CORRECTNESS C3). So many are out (asserted: sale_may_give_back).
 */
void sale_give_back(struct sale *sale, int32_t units);

/* The units that had come back when stock_returned was seen to be returned become sellable; those
 * that matured since then already, and those that came later, do not. Returns how many. */
int32_t sale_mature(struct sale *sale, int64_t returned);

/* Ends a change: after is before's next version and knows since when it is sold out. Once a
 * transaction, and only where something changed. */
void sale_seal(const struct sale *before, struct sale *after);

/* Adds a violation for every field that is out of bounds; sku and title must be valid UTF-8. */
void sale_draft_validate(const struct sale_draft *draft, struct violations *violations);

/* The same for an update, as far as can be told without the sale; nothing in it is valid. */
void sale_update_validate(const struct sale_update *update, struct violations *violations);

/* And against the sale under its lock: another end_time than it has must come after start_time and
 * must not have passed. */
void sale_update_validate_at(const struct sale *sale, int64_t now_us,
                             const struct sale_update *update, struct violations *violations);

/* A restock of so many units, without and with the sale that gets them. */
void sale_restock_validate(int32_t quantity, struct violations *violations);
void sale_restock_validate_for(const struct sale *sale, int32_t quantity,
                               struct violations *violations);

#endif
