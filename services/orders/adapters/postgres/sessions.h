/*
 * Looking at the server's sessions of this program: the store port's read_sessions, whose contract
 * ports/store.h has. Private to this adapter.
 */
#ifndef ORDERS_ADAPTERS_POSTGRES_SESSIONS_H
#define ORDERS_ADAPTERS_POSTGRES_SESSIONS_H

#include "orders/ports/store.h"

enum store_result sessions_read(void *data, int64_t deadline_ns, struct store_sessions *ret);

#endif
