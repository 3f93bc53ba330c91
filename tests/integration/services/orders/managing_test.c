/* What an administrator does to a sale that exists, over gRPC: pause, resume, end, update, restock.
 */
#include "orders_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define LIVE      STAMPEDE__SALES__V1__SALE__STATE__LIVE
#define PAUSED    STAMPEDE__SALES__V1__SALE__STATE__PAUSED
#define ENDED     STAMPEDE__SALES__V1__SALE__STATE__ENDED
#define SCHEDULED STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1];

static struct rpc_reply *act(const char *name)
{
    return orders_calls_act(&orders_stage.admin, name, sale_id);
}

static struct rpc_reply *place(const char *customer, const char *key, int32_t quantity)
{
    return orders_client_place(&orders_stage.public, sale_id, customer, key, quantity);
}

static void assert_placed(struct rpc_reply *reply)
{
    (void)orders_client_message(reply);
    rpc_reply_free(reply);
}

/* --- Pause and resume ------------------------------------------------------------------------ */

/* Nothing is sold while a sale is paused, and all as before afterwards; repeating changes nothing.
 */
static void pause_stops_orders_until_resume(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "pause", 10, 0, sale_id);
    assert_placed(place("c-1", "k-1", 1));
    assert_int_equal(orders_calls_assert_sale(act("PauseSale"), PAUSED), 3);
    assert_int_equal(orders_calls_assert_sale(act("PauseSale"), PAUSED), 3);
    orders_client_assert_refused(place("c-2", "k-1", 1), RPC_FAILED_PRECONDITION, "SALE_PAUSED");
    /* Whoever bought before is told so still. */
    assert_placed(place("c-1", "k-1", 1));
    assert_int_equal(orders_calls_assert_sale(act("ResumeSale"), LIVE), 4);
    assert_int_equal(orders_calls_assert_sale(act("ResumeSale"), LIVE), 4);
    assert_placed(place("c-2", "k-1", 1));
}

/* --- End ------------------------------------------------------------------------------------- */

/* An end is for good: what would sell again is refused by name. */
static void end_is_for_good(void **state)
{
    static const char *const acts[] = {"PauseSale", "ResumeSale"};
    static const int64_t later = INT64_C(4102444800);
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "end", 10, 0, sale_id);
    assert_placed(place("c-1", "k-1", 1));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(orders_calls_assert_sale(act("EndSale"), ENDED), 3);
    }
    orders_client_assert_refused(place("c-2", "k-1", 1), RPC_FAILED_PRECONDITION, "SALE_ENDED");
    assert_placed(place("c-1", "k-1", 1));
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        orders_client_assert_refused(act(acts[i]), RPC_FAILED_PRECONDITION, "SALE_ENDED");
    }
    orders_client_assert_refused(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 1),
                                 RPC_FAILED_PRECONDITION, "SALE_ENDED");
    orders_client_assert_refused(
        orders_calls_update(&orders_stage.admin, sale_id,
                            &(struct orders_calls_update){.end_seconds = &later}),
        RPC_FAILED_PRECONDITION, "SALE_ENDED");
    orders_calls_assert_sale(orders_calls_get_sale(&orders_stage.public, sale_id), ENDED);
}

/* A sale that never began can be called off. */
static void end_of_a_scheduled_sale_ends_it(void **state)
{
    struct orders_client_sale sale;
    Google__Protobuf__Timestamp begin = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    (void)state;

    begin.seconds = INT64_C(4000000000);
    orders_client_sale_init(&sale, "end-scheduled", 10);
    sale.message.start_time = &begin;
    struct rpc_reply *reply = orders_client_call(
        &orders_stage.admin, "/stampede.sales.v1.SaleService/CreateSale",
        &stampede__sales__v1__create_sale_response__descriptor, &sale.message.base);
    const Stampede__Sales__V1__CreateSaleResponse *made = orders_client_message(reply);
    assert_int_equal(made->sale->state, SCHEDULED);
    memcpy(sale_id, made->sale->sale_id, sizeof(sale_id));
    rpc_reply_free(reply);
    orders_calls_assert_sale(act("EndSale"), ENDED);
    orders_client_assert_refused(place("c-1", "k-1", 1), RPC_FAILED_PRECONDITION, "SALE_ENDED");
}

/* --- Update ---------------------------------------------------------------------------------- */

/* Each field by itself, and what is left out stays. */
static void update_changes_what_is_there(void **state)
{
    static const int64_t end = INT64_C(4000000000);
    static const int32_t limit = 3, none = 0;
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "update", 10, 2, sale_id);
    struct rpc_reply *reply =
        orders_calls_update(&orders_stage.admin, sale_id,
                            &(struct orders_calls_update){.title = "Gr\xc3\xb6\xc3\x9f"
                                                                   "e 42"});
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    assert_string_equal(sale->title, "Gr\xc3\xb6\xc3\x9f"
                                     "e 42");
    assert_int_equal(sale->per_customer_limit, 2);
    assert_int_equal(sale->version, 2);
    rpc_reply_free(reply);

    reply =
        orders_calls_update(&orders_stage.admin, sale_id,
                            &(struct orders_calls_update){.end_seconds = &end, .limit = &limit});
    sale = orders_client_message(reply);
    assert_string_equal(sale->title, "Gr\xc3\xb6\xc3\x9f"
                                     "e 42");
    assert_int_equal(sale->end_time->seconds, end);
    assert_int_equal(sale->per_customer_limit, 3);
    assert_int_equal(sale->version, 3);
    rpc_reply_free(reply);

    reply = orders_calls_update(&orders_stage.admin, sale_id,
                                &(struct orders_calls_update){.limit = &none});
    sale = orders_client_message(reply);
    assert_int_equal(sale->per_customer_limit, 0);
    assert_int_equal(sale->end_time->seconds, end);
    rpc_reply_free(reply);
    assert_int_equal(orders_calls_assert_sale(orders_calls_update(&orders_stage.admin, sale_id,
                                                                  &(struct orders_calls_update){0}),
                                              LIVE),
                     4);
}

static void update_with_bad_fields_names_each(void **state)
{
    static const int64_t past = 1000000000, before_time = -1;
    static const int32_t negative = -1, huge = 1000001;
    static char long_title[202];
    (void)state;

    memset(long_title, 'x', sizeof(long_title) - 1);
    orders_client_create_sale(&orders_stage.admin, "update-bad", 10, 2, sale_id);
    const struct {
        struct orders_calls_update update;
        const char *field;
    } rows[] = {
        {{.title = ""}, "title"},
        {{.title = long_title}, "title"},
        {{.end_seconds = &past}, "end_time"},
        {{.end_seconds = &before_time}, "end_time"},
        {{.limit = &negative}, "per_customer_limit"},
        {{.limit = &huge}, "per_customer_limit"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        orders_calls_assert_field(
            orders_calls_update(&orders_stage.admin, sale_id, &rows[i].update), rows[i].field);
    }
    assert_int_equal(
        orders_calls_assert_sale(orders_calls_get_sale(&orders_stage.public, sale_id), LIVE), 1);
}

/* A lower limit takes nothing away that was sold, and counts for what is sold from now on. */
static void update_limit_counts_for_later_orders(void **state)
{
    static const int32_t one = 1, three = 3;
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "update-limit", 10, 2, sale_id);
    assert_placed(place("c-1", "k-1", 2));
    orders_calls_assert_sale(orders_calls_update(&orders_stage.admin, sale_id,
                                                 &(struct orders_calls_update){.limit = &one}),
                             LIVE);
    assert_placed(place("c-1", "k-1", 2));
    orders_client_assert_refused(place("c-1", "k-2", 1), RPC_FAILED_PRECONDITION,
                                 "CUSTOMER_LIMIT_REACHED");
    orders_client_assert_refused(place("c-2", "k-1", 2), RPC_FAILED_PRECONDITION,
                                 "CUSTOMER_LIMIT_REACHED");
    assert_placed(place("c-2", "k-2", 1));
    orders_calls_assert_sale(orders_calls_update(&orders_stage.admin, sale_id,
                                                 &(struct orders_calls_update){.limit = &three}),
                             LIVE);
    assert_placed(place("c-1", "k-2", 1));
}

/* --- Restock --------------------------------------------------------------------------------- */

static void assert_restocked(struct rpc_reply *reply, bool replayed, int32_t total,
                             int32_t remaining)
{
    const Stampede__Sales__V1__RestockSaleResponse *restocked = orders_client_message(reply);
    assert_int_equal(restocked->replayed, replayed);
    assert_int_equal(restocked->sale->stock_total, total);
    assert_int_equal(restocked->sale->stock_remaining, remaining);
    rpc_reply_free(reply);
}

/* A doubled restock would sell goods that do not exist with every invariant green. */
static void restock_adds_its_units_once(void **state)
{
    (void)state;
    orders_client_create_sale(&orders_stage.admin, "restock", 10, 0, sale_id);
    assert_placed(place("c-1", "k-1", 4));
    assert_restocked(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 5), false, 15, 11);
    assert_restocked(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 5), true, 15, 11);
    assert_placed(place("c-2", "k-1", 11));
    /* The repeated answer is the sale as it is now. */
    assert_restocked(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 5), true, 15, 0);
    orders_client_assert_refused(orders_calls_restock(&orders_stage.admin, sale_id, "r-1", 6),
                                 RPC_FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED");
}

static void restock_with_bad_fields_names_each(void **state)
{
    static char long_key[257];
    (void)state;

    memset(long_key, 'k', sizeof(long_key) - 1);
    orders_client_create_sale(&orders_stage.admin, "restock-bad", 10, 0, sale_id);
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, "r", 0),
                              "quantity");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, "r", -5),
                              "quantity");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, "r", 10000001),
                              "quantity");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, "r", 9999991),
                              "quantity");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, "", 1),
                              "idempotency_key");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, sale_id, long_key, 1),
                              "idempotency_key");
    assert_restocked(orders_calls_restock(&orders_stage.admin, sale_id, "r", 9999990), false,
                     10000000, 10000000);
}

/* --- Who may, and what there is --------------------------------------------------------------- */

static void managing_is_for_administrators_and_of_sales_that_exist(void **state)
{
    static const char *const acts[] = {"PauseSale", "ResumeSale", "EndSale"};
    struct orders_client wrong = {.channel = orders_stage.public.channel,
                                  .token = "not-the-token-at-all"};
    const struct orders_calls_update title = {.title = "Another"};
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "access", 10, 0, sale_id);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        orders_client_assert_refused(orders_calls_act(&orders_stage.public, acts[i], sale_id),
                                     RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
        orders_client_assert_refused(orders_calls_act(&wrong, acts[i], sale_id),
                                     RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
        orders_client_assert_refused(
            orders_calls_act(&orders_stage.admin, acts[i], ORDERS_STAGE_NOBODYS_ID), RPC_NOT_FOUND,
            "SALE_NOT_FOUND");
        orders_calls_assert_field(orders_calls_act(&orders_stage.admin, acts[i], "nonsense"),
                                  "sale_id");
    }
    orders_client_assert_refused(orders_calls_update(&orders_stage.public, sale_id, &title),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    orders_client_assert_refused(
        orders_calls_update(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, &title), RPC_NOT_FOUND,
        "SALE_NOT_FOUND");
    orders_calls_assert_field(orders_calls_update(&orders_stage.admin, "", &title), "sale_id");
    orders_client_assert_refused(orders_calls_restock(&orders_stage.public, sale_id, "r", 1),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    orders_client_assert_refused(
        orders_calls_restock(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, "r", 1), RPC_NOT_FOUND,
        "SALE_NOT_FOUND");
    orders_calls_assert_field(orders_calls_restock(&orders_stage.admin, "nonsense", "r", 1),
                              "sale_id");
    assert_int_equal(
        orders_calls_assert_sale(orders_calls_get_sale(&orders_stage.public, sale_id), LIVE), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause_stops_orders_until_resume),
        cmocka_unit_test(end_is_for_good),
        cmocka_unit_test(end_of_a_scheduled_sale_ends_it),
        cmocka_unit_test(update_changes_what_is_there),
        cmocka_unit_test(update_with_bad_fields_names_each),
        cmocka_unit_test(update_limit_counts_for_later_orders),
        cmocka_unit_test(restock_adds_its_units_once),
        cmocka_unit_test(restock_with_bad_fields_names_each),
        cmocka_unit_test(managing_is_for_administrators_and_of_sales_that_exist),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
