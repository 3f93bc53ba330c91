/*
 * A database in memory: a few sales with their orders and events, and a script of what shall go
 * wrong. Whoever calls holds its lock where nothing else is said.
 */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_DATABASE_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_DATABASE_H

#include "orders/ports/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define FAKE_STORE_ORDERS_MAX   20000
#define FAKE_STORE_SALES_MAX    4
#define FAKE_STORE_STEPS_MAX    16
#define FAKE_STORE_RESTOCKS_MAX 64

/* The database's clock at first. */
#define FAKE_STORE_CLOCK_US INT64_C(1000000000)

struct fake_order {
    struct order order;
    char customer_id[ORDER_CUSTOMER_CHARS_MAX + 1];
};

/* What an event says about one order. */
struct fake_event_order {
    int64_t number;
    enum order_status status;
};

struct fake_event {
    int64_t sequence, time_us;
    struct fake_event_order *orders; /* by number */
    size_t order_count;
};

struct fake_restock {
    char key[ORDER_KEY_CHARS_MAX + 1];
    int32_t quantity;
};

struct fake_sale {
    struct sale sale;
    char title[SALE_TEXT_CHARS_MAX * 4 + 1]; /* sale.title, once an update gave it one */
    pthread_mutex_t row_lock;
    struct fake_order orders[FAKE_STORE_ORDERS_MAX]; /* orders[i] has the number i + 1 */
    size_t order_count;
    struct fake_event *events; /* by sequence, without a gap */
    size_t event_count, event_capacity;
    struct fake_restock restocks[FAKE_STORE_RESTOCKS_MAX];
    size_t restock_count;
};

enum fake_place {
    FAKE_LOAD,         /* load_placement */
    FAKE_STORE,        /* store_placed, create_sale */
    FAKE_LOAD_CHANGE,  /* load_change */
    FAKE_STORE_CHANGE, /* store_change */
    FAKE_READ,         /* every read but get_order and known_sales */
};

/* What the next load, store or read answers instead of doing its work; a read whose result is
 * STORE_OK does it, after the time that it took. */
struct fake_step {
    enum fake_place where;
    enum store_result result;
    bool committed;     /* FAKE_STORE, FAKE_STORE_CHANGE: the work was done all the same */
    bool goes_down;     /* afterwards the database cannot be reached */
    int64_t elapsed_ns; /* how long it took */
};

struct fake_database {
    pthread_mutex_t lock; /* guards everything but the row locks */
    struct fake_sale sales[FAKE_STORE_SALES_MAX];
    size_t sale_count;
    struct fake_step steps[FAKE_STORE_STEPS_MAX];
    size_t step_count, steps_done;
    int32_t poisoned_quantity; /* an order of so many units is refused by a constraint; 0: none */
    atomic_bool is_down;
    atomic_int load_count, store_count, wait_count, sleep_count; /* changes count as well */
    atomic_int_least64_t now_ns;   /* of fake_system; moves when somebody sleeps or waits in vain */
    atomic_int_least64_t clock_us; /* the database's own; moves only when a test sets it */
    struct {                       /* creations */
        char key[ORDER_KEY_CHARS_MAX + 1];
        uint8_t fingerprint[32];
        struct uuid sale_id;
    } creations[FAKE_STORE_SALES_MAX];
    size_t creation_count;
};

/* Before and after everybody else, without the lock. */
void fake_database_init(struct fake_database *database);
void fake_database_fini(struct fake_database *database);

/* Adds a live sale; its id's first byte is its position. */
struct uuid fake_database_add_sale(struct fake_database *database, int32_t stock, int32_t limit);

/* Adds the sale with the event of its creation. */
struct fake_sale *fake_database_append_sale(struct fake_database *database,
                                            const struct sale *sale);

/* NULL when there is none. */
struct fake_sale *fake_database_find_sale(struct fake_database *database,
                                          const struct uuid *sale_id);

/* NULL when the sale has no such order. */
const struct fake_order *fake_database_find_order(const struct fake_sale *fake,
                                                  const struct uuid *order_id);

/* What one transaction did, told once its sale is of the next version. orders is taken over. */
void fake_database_tell(struct fake_sale *fake, int64_t time_us, struct fake_event_order *orders,
                        size_t count);

/* Forgets the oldest so many events. */
void fake_database_forget_events(struct fake_sale *fake, size_t count);

void fake_database_add_step(struct fake_database *database, struct fake_step step);

/* The next step if it is for this place, or NULL. Takes the lock itself. */
const struct fake_step *fake_database_next_step(struct fake_database *database,
                                                enum fake_place where);

/* Whether what must always hold of a sale, its orders and its events holds. Nobody is at work. */
bool fake_database_is_sound(const struct fake_sale *fake);

#endif
