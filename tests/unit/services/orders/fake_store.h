/*
 * A store in memory behind the real port: any number of connections to one database
 * (fake_database.h), which follows a script of what shall go wrong. Lock semantics are real: a sale
 * that is loaded stays locked until it is stored or abandoned, and whoever reads without the lock
 * sees what was committed.
 */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_STORE_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_STORE_H

#include "fake_connection.h"
#include "orders/ports/store.h"

/* A store on a new connection. */
struct store fake_store_of(struct fake_connection *connection, struct fake_database *database);

#endif
