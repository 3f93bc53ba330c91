/* The machine's own clocks and randomness behind the system port. */
#ifndef ORDERS_ADAPTERS_SYSTEM_SYSTEM_POSIX_H
#define ORDERS_ADAPTERS_SYSTEM_SYSTEM_POSIX_H

#include "orders/ports/system.h"

/* Needs no data; any thread, for as long as the program runs. */
extern const struct system_port system_posix;

#endif
