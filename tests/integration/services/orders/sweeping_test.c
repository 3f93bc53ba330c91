/* What happens to holds that run out when nobody asks for their sale: on a real clock and database,
 * so only that it happens, and that nothing happens too early. How late is in sweeper_test.c, where
 * time is the test's own. */
#include "base/clock.h"
#include "orders_stage.h"
#include "support/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define LEASE_MS 500

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1], order_id[ORDERS_CLIENT_ID_CHARS + 1];

static int32_t read_remaining(void)
{
    struct rpc_reply *reply = orders_calls_get_sale(&orders_stage.public, sale_id);
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    int32_t remaining = sale->stock_remaining;
    rpc_reply_free(reply);
    return remaining;
}

/* Places one order that is held for a second, and waits until all of the stock can be sold again.
 * Reading a sale changes nothing. Returns how long after the hold's end that was, in milliseconds.
 */
static int64_t time_return(const char *key, int32_t stock, int32_t quantity)
{
    orders_calls_create_held(&orders_stage.admin, key, stock, 1, sale_id);
    int64_t hold_end_ns = clock_monotonic_ns() + CLOCK_NS_PER_SECOND; /* or a little later */
    orders_calls_place(&orders_stage.public, sale_id, "c-1", "k-1", quantity, order_id);
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    while (read_remaining() < stock) {
        assert_false(patience_is_over(&patience));
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    int64_t ms = (clock_monotonic_ns() - hold_end_ns) / CLOCK_NS_PER_MS;
    printf("%s: sold again %lld ms after the hold's end\n", key, (long long)ms);
    orders_calls_place(&orders_stage.public, sale_id, "c-2", "k-2", stock, order_id);
    return ms;
}

/* Units of a hold that nobody asks about come back by themselves. */
static void expired_hold_comes_back_unasked(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof(key), "some-left-%d", i);
        time_return(key, 10, 4);
    }
}

/* On a sold-out sale they are sold no earlier than one lease after they came back, which was after
 * the hold's end. */
static void expired_hold_of_a_sold_out_sale_matures_first(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        char key[32];
        snprintf(key, sizeof(key), "sold-out-%d", i);
        assert_true(time_return(key, 4, 4) >= LEASE_MS);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(expired_hold_comes_back_unasked),
        cmocka_unit_test(expired_hold_of_a_sold_out_sale_matures_first),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
