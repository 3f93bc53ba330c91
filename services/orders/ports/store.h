/*
 * The port to whatever remembers sales and orders. One store object is one connection and one
 * thread's at a time; every function may block, but never past its deadline (monotonic
 * nanoseconds). Memory of what is returned comes from the arena passed in. What begins work (all
 * but store_placed and abandon) first makes one quick attempt, a quarter of a second at most, to
 * open a connection that was lost: the same again after STORE_UNAVAILABLE is a new one's chance.
 */
#ifndef ORDERS_PORTS_STORE_H
#define ORDERS_PORTS_STORE_H

#include "orders/domain/placement.h"
#include "orders/domain/settlement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* What is known after a store function returned. Nothing is changed except where it says so. */
enum store_result {
    STORE_OK = 0,
    STORE_NOT_FOUND,   /* what was named does not exist; nothing changed */
    STORE_UNAVAILABLE, /* no connection, or it was lost before COMMIT was sent: nothing changed */
    STORE_BUSY,        /* a lock or statement took too long: rolled back */
    STORE_CONFLICT,    /* rolled back by the database (class 40): the same again may succeed */
    STORE_REJECTED,    /* a value or constraint was refused (classes 22, 23): rolled back */
    STORE_UNKNOWN,     /* COMMIT was sent and its result is not known: perhaps changed */
    STORE_BROKEN,      /* what came back makes no sense, or the arena is full: rolled back */
};

/* Sales that one read_sales takes. */
#define STORE_READ_SALES_MAX 256

/* A customer's order as it is read, with what its sale says about it. */
struct store_order {
    struct order order;
    const char *customer_id;
    struct money unit_price;
};

/* A sale and the database's clock when it was read. */
struct store_sale {
    struct sale sale;
    int64_t now_us;
};

struct store_sale_page {
    const struct store_sale *sales; /* newest first */
    size_t count;
    bool more; /* there are further ones after the last */
};

struct store_creation {
    const char *key;
    size_t key_length;
    uint8_t fingerprint[32]; /* of the draft: the same key with another one is reuse */
    struct uuid sale_id;     /* of the sale, if it is made now */
    const struct sale_draft *draft;
};

enum store_creation_outcome {
    STORE_CREATED,
    STORE_CREATED_BEFORE,
    STORE_CREATION_KEY_REUSED,
    STORE_CREATION_END_PASSED, /* end_time is not after start_time by the database's clock */
};

/* What load_change reads beside the sale. */
struct store_change_query {
    const struct uuid *order_ids; /* at most SETTLEMENT_BATCH_MAX */
    size_t order_count;
    const char *restock_key; /* NULL: none */
    size_t restock_key_length;
};

struct store_change_facts {
    struct settlement_facts settlement;
    bool restocked;             /* the restock key was used before ... */
    int32_t restocked_quantity; /* ... for so many units */
};

/* What one transaction does to a sale and its orders, placements aside. */
struct store_change {
    struct sale sale;                   /* afterwards, whole; of the next version */
    const struct order_change *changes; /* beside the expired of the facts */
    size_t change_count;
    const char *restock_key; /* NULL: none; else it is remembered with restock_quantity */
    size_t restock_key_length;
    int32_t restock_quantity;
};

struct store_order_page {
    const struct store_order *orders; /* by number */
    size_t count;
    bool more;
};

/* What one transaction did to a sale's orders; the orders are as they were after it. */
struct store_event {
    int64_t sequence; /* the sale's version after it */
    int64_t time_us;
    const struct store_order *orders; /* by number; none where only the sale changed */
    size_t order_count;
};

struct store_event_page {
    const struct store_event *events; /* by sequence, without a gap; none: nothing new yet */
    size_t count;
    int64_t oldest_sequence; /* that can still be read, or will be the next one written */
    bool more;               /* there are further ones after the last */
};

/* A sale that wants the sweep, and how far its returning stock was when this was read. */
struct store_due_sale {
    struct uuid sale_id;
    bool holds_due;         /* some hold has run out */
    int64_t stock_returned; /* of the sale; 0 where nothing is returning */
};

/* What the sessions of all replicas are doing at the database, by its own word. */
struct store_sessions {
    int64_t active, idle, idle_in_transaction; /* a session counts once */
    int64_t lock_waiting;                      /* of the active ones: wait for a lock */
    int64_t oldest_transaction_us;             /* the age of the oldest open transaction, or 0 */
};

struct store {
    void *data; /* passed to every function */

    /*
     * Opens a transaction, locks the sale's row, then reads the time, then lets the holds that have
     * run out expire (at most SETTLEMENT_EXPIRED_MAX), then reads which of the requests' orders
     * exist, then what their customers hold (only where the sale has a limit), as separate
     * statements in this order (CORRECTNESS B2). STORE_OK and STORE_NOT_FOUND leave the
     * transaction open: exactly one store_placed or abandon must follow. Every other result leaves
     * none open.
     */
    enum store_result (*load_placement)(void *data, const struct uuid *sale_id,
                                        const struct placement_request *requests, size_t count,
                                        int64_t deadline_ns, struct arena *arena,
                                        struct placement_facts *ret);

    /*
     * In the transaction that load_placement left open: inserts the placed orders, moves the sale
     * to what was decided, appends the event, and commits; where the version did not move it
     * commits only (CORRECTNESS A5). The
     * transaction is over whatever the result; on STORE_UNKNOWN the connection is closed.
     */
    enum store_result (*store_placed)(void *data, const struct placement_facts *facts,
                                      const struct placement_request *requests, size_t count,
                                      const struct placement_decision *decision,
                                      int64_t deadline_ns, struct arena *arena);

    /* The same for every other change: locks the sale, reads the time, lets holds expire, reads the
     * orders that are asked for and what the restock key was used for. */
    enum store_result (*load_change)(void *data, const struct uuid *sale_id,
                                     const struct store_change_query *query, int64_t deadline_ns,
                                     struct arena *arena, struct store_change_facts *ret);

    /* In the transaction that load_change left open: writes the sale's row and the orders' new
     * statuses, remembers the restock key, appends the event, and commits; where change's version
     * is the facts' it commits only. Results as of store_placed. */
    enum store_result (*store_change)(void *data, const struct store_change_facts *facts,
                                      const struct store_change *change, int64_t deadline_ns,
                                      struct arena *arena);

    /* Rolls the open transaction back; a connection that cannot even do that is closed. */
    void (*abandon)(void *data, int64_t deadline_ns);

    /* Whether there is a connection, as far as is known without asking the server: one that the
     * server has closed meanwhile is noticed. Not inside a transaction. */
    bool (*is_connected)(void *data);

    /* Connects again with a back-off until the deadline; true once connected. */
    bool (*wait_connected)(void *data, int64_t deadline_ns);

    /* Makes a sale and remembers its key in one transaction; ret_sale for the first two outcomes.
     */
    enum store_result (*create_sale)(void *data, const struct store_creation *creation,
                                     int64_t deadline_ns, struct arena *arena,
                                     enum store_creation_outcome *ret_outcome,
                                     struct store_sale *ret_sale);

    enum store_result (*get_sale)(void *data, const struct uuid *sale_id, int64_t deadline_ns,
                                  struct arena *arena, struct store_sale *ret);

    /* Up to limit sales older than *before (NULL: from the newest). */
    enum store_result (*list_sales)(void *data, const struct uuid *before, size_t limit,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct store_sale_page *ret);

    /* The order if it is this customer's, else STORE_NOT_FOUND. */
    enum store_result (*get_order)(void *data, const struct uuid *sale_id,
                                   const struct uuid *order_id, const char *customer_id,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct store_order *ret);

    /* Up to limit orders of a sale with a number above after, of one customer unless customer_id is
     * NULL. STORE_NOT_FOUND: no such sale. */
    enum store_result (*list_orders)(void *data, const struct uuid *sale_id,
                                     const char *customer_id, int64_t after, size_t limit,
                                     int64_t deadline_ns, struct arena *arena,
                                     struct store_order_page *ret);

    /* The events from a sequence on: up to events_max, and no more than orders_max orders in all
     * unless the first alone has more. Where from is below oldest_sequence the page is empty.
     * STORE_NOT_FOUND: no such sale. */
    enum store_result (*read_events)(void *data, const struct uuid *sale_id, int64_t from,
                                     size_t events_max, size_t orders_max, int64_t deadline_ns,
                                     struct arena *arena, struct store_event_page *ret);

    /* Those of count (at most STORE_READ_SALES_MAX) sales that exist, in any order. */
    enum store_result (*read_sales)(void *data, const struct uuid *sale_ids, size_t count,
                                    int64_t deadline_ns, struct arena *arena,
                                    struct store_sale_page *ret);

    /* Ids of the orders with numbers above after, by number, at most limit; ret_ids holds so many.
     */
    enum store_result (*read_order_ids)(void *data, const struct uuid *sale_id, int64_t after,
                                        size_t limit, int64_t deadline_ns, struct arena *arena,
                                        struct uuid *ret_ids, size_t *ret_count);

    /* Sales with holds that have run out or with returning stock, by id, above *after (NULL: from
     * the first), at most limit; ret_sales holds so many. Fewer than limit: that was the last. */
    enum store_result (*due_sales)(void *data, const struct uuid *after, size_t limit,
                                   int64_t deadline_ns, struct arena *arena,
                                   struct store_due_sale *ret_sales, size_t *ret_count);

    /* Deletes events older than age_us, oldest first, a bounded number; *ret_more: some are left.
     */
    enum store_result (*prune_events)(void *data, int64_t age_us, int64_t deadline_ns,
                                      struct arena *arena, size_t *ret_count, bool *ret_more);

    enum store_result (*read_sessions)(void *data, int64_t deadline_ns, struct store_sessions *ret);

    /* Which of count sales exist: ret_known[i] for each. */
    enum store_result (*known_sales)(void *data, const struct uuid *sale_ids, size_t count,
                                     int64_t deadline_ns, struct arena *arena, bool *ret_known);

    /* Whoever owns the connection and has to know how long work waits for it; wait is NULL where
     * nobody does. See store_wait_connected. */
    struct store_waiter {
        bool (*wait)(void *data, int64_t deadline_ns);
        void *data;
    } waiter;
};

/* As wait_connected, for whoever has work in hand that needs the connection again: its owner is
 * asked to wait, if it has said so, and so learns of it while the work is not over. */
static inline bool store_wait_connected(const struct store *store, int64_t deadline_ns)
{
    if (store->waiter.wait != NULL) {
        return store->waiter.wait(store->waiter.data, deadline_ns);
    }
    return store->wait_connected(store->data, deadline_ns);
}

#endif
