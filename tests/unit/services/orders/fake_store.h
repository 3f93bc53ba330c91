/*
 * A store in memory behind the real port: one database with a few sales, any number of connections
 * to it, and a script of what shall go wrong. Lock semantics are real: a sale that is loaded stays
 * locked until it is stored or abandoned.
 */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_STORE_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_STORE_H

#include "orders/ports/store.h"
#include "orders/ports/system.h"

#include <pthread.h>
#include <stdatomic.h>

#define FAKE_STORE_ORDERS_MAX 20000
#define FAKE_STORE_SALES_MAX  4
#define FAKE_STORE_STEPS_MAX  16

struct fake_order {
    struct order order;
    char customer_id[ORDER_CUSTOMER_CHARS_MAX + 1];
};

struct fake_sale {
    struct sale sale;
    pthread_mutex_t row_lock;
    struct fake_order orders[FAKE_STORE_ORDERS_MAX];
    size_t order_count;
};

enum fake_place {
    FAKE_LOAD,
    FAKE_STORE,
};

/* What the next load or store answers instead of doing its work. */
struct fake_step {
    enum fake_place where;
    enum store_result result;
    bool committed;     /* FAKE_STORE: the work was done all the same */
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
    atomic_int load_count, store_count, wait_count, sleep_count;
    atomic_int_least64_t now_ns; /* of fake_system; moves when somebody sleeps or waits in vain */
    struct {                     /* creations */
        char key[ORDER_KEY_CHARS_MAX + 1];
        uint8_t fingerprint[32];
        struct uuid sale_id;
    } creations[FAKE_STORE_SALES_MAX];
    size_t creation_count;
};

struct fake_connection {
    struct fake_database *database;
    struct fake_sale *locked;
    bool is_lost;
};

void fake_database_init(struct fake_database *database);
void fake_database_fini(struct fake_database *database);

/* Adds a live sale; its id's first byte is its position. */
struct uuid fake_database_add_sale(struct fake_database *database, int32_t stock, int32_t limit);

void fake_database_add_step(struct fake_database *database, struct fake_step step);

struct store fake_store_of(struct fake_connection *connection, struct fake_database *database);

/* A clock that stands still but for waits, wall time 0, and random bytes that count. */
struct system_port fake_system_of(struct fake_database *database);

#endif
