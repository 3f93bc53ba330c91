/* A clock that stands still but for waits, wall time 0, and random bytes that count. */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_SYSTEM_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_SYSTEM_H

#include "fake_database.h"
#include "orders/ports/system.h"

/* The time is the database's now_ns. */
struct system_port fake_system_of(struct fake_database *database);

#endif
