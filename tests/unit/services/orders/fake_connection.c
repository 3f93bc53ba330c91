#include "fake_connection.h"

#include "base/clock.h"

#define QUICK_CONNECT_NS (100 * CLOCK_NS_PER_MS)

bool fake_connection_goes_away(struct fake_connection *connection, enum store_result result)
{
    connection->is_lost |= result == STORE_UNAVAILABLE || result == STORE_UNKNOWN;
    return connection->is_lost || atomic_load(&connection->database->is_down);
}

bool fake_connection_is_connected(void *data)
{
    return !((struct fake_connection *)data)->is_lost;
}

bool fake_connection_wait_connected(void *data, int64_t deadline_ns)
{
    struct fake_connection *connection = data;
    atomic_fetch_add(&connection->database->wait_count, 1);
    if (atomic_load(&connection->database->is_down)) {
        atomic_store(&connection->database->now_ns, deadline_ns);
        return false;
    }
    connection->is_lost = false;
    return true;
}

void fake_connection_prepare(struct fake_connection *connection)
{
    if (connection->is_lost) {
        fake_connection_wait_connected(connection, atomic_load(&connection->database->now_ns) +
                                                       QUICK_CONNECT_NS);
    }
}
