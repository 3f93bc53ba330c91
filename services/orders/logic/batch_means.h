/*
 * What a worker brings batches of orders or of changes to an end with, and within which time. Both
 * kinds run by the rules of batch.h.
 */
#ifndef ORDERS_LOGIC_BATCH_MEANS_H
#define ORDERS_LOGIC_BATCH_MEANS_H

#include "orders/ports/store.h"
#include "orders/ports/system.h"

#include <stdint.h>

struct batch_means {
    const struct store *store;
    const struct system_port *system;
    /* How long one transaction may take, from BEGIN to the answer to COMMIT. */
    int64_t transaction_ns_max;
    /* How long one run may go on beginning transactions; an item's attempts_end_ns may be earlier.
     */
    int64_t decision_ns_max;
};

#endif
