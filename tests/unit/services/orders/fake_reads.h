/* The reads of the store in memory: what was committed, copied under the database's lock. */
#ifndef TESTS_UNIT_SERVICES_ORDERS_FAKE_READS_H
#define TESTS_UNIT_SERVICES_ORDERS_FAKE_READS_H

struct store;

/* Sets the members that read, and prune_events; the store's data is a struct fake_connection. */
void fake_reads_fill(struct store *store);

#endif
