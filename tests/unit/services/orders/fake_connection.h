/* One connection to the database in memory: whether it is up, and which sale it has locked. */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_CONNECTION_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_CONNECTION_H

#include "fake_database.h"

struct fake_connection {
    struct fake_database *database;
    struct fake_sale *locked;
    bool is_lost;
};

/* Members of the port; data is a struct fake_connection. */
bool fake_connection_is_connected(void *data);
bool fake_connection_wait_connected(void *data, int64_t deadline_ns);

/* A lost connection is opened again before work, as the port promises. */
void fake_connection_prepare(struct fake_connection *connection);

/* Notes what the result says of the connection; true when nothing can be done on it. */
bool fake_connection_goes_away(struct fake_connection *connection, enum store_result result);

#endif
