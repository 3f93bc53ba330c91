/*
 * What a sale needs done when nobody asks: holds that have run out expire, and units that came back
 * to a sold-out sale become sellable once every board that could still refuse has run out.
 */
#ifndef ORDERS_LOGIC_SWEEP_SALE_H
#define ORDERS_LOGIC_SWEEP_SALE_H

#include "orders/ports/store.h"
#include "orders/ports/system.h"

struct sweep_sale {
    const struct store *store;
    int64_t deadline_ns; /* monotonic; one transaction */
};

/*
 * One transaction. mature_up_to is the sale's stock_returned as it was read, committed, at least
 * one lease of the edges' boards ago; 0 for none. Whatever the result, nothing is lost: the next
 * discovery finds what is left. ret_expired (holds) and ret_matured (units) are set on STORE_OK.
 */
enum store_result sweep_sale_run(const struct sweep_sale *use_case, const struct uuid *sale_id,
                                 int64_t mature_up_to, struct arena *arena, size_t *ret_expired,
                                 int32_t *ret_matured);

#endif
