/* What becomes of held and sold orders over gRPC: confirmed, cancelled, expired, by whom. */
#include "orders_stage.h"
#include "support/patience.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RESERVED  STAMPEDE__ORDERS__V1__ORDER__STATUS__RESERVED
#define CONFIRMED STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED
#define CANCELLED STAMPEDE__ORDERS__V1__ORDER__STATUS__CANCELLED
#define EXPIRED   STAMPEDE__ORDERS__V1__ORDER__STATUS__EXPIRED

#define HOLD_SECONDS 3600

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1], order_id[ORDERS_CLIENT_ID_CHARS + 1];

/* A sale of ten with a hold, and one order of two units of customer c-1. */
static void hold_one(const char *key)
{
    orders_calls_create_held(&orders_stage.admin, key, 10, HOLD_SECONDS, sale_id);
    orders_calls_place(&orders_stage.public, sale_id, "c-1", "k-1", 2, order_id);
}

static void assert_stock_and_version(int32_t remaining, int64_t version)
{
    struct rpc_reply *reply = orders_calls_get_sale(&orders_stage.public, sale_id);
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    assert_int_equal(sale->stock_remaining, remaining);
    assert_int_equal(sale->version, version);
    rpc_reply_free(reply);
}

/* --- Confirming ------------------------------------------------------------------------------ */

/* A shop whose first answer was lost confirms again: the order is sold once and says so twice. */
static void confirm_held_order_is_sold_however_often_it_is_asked(void **state)
{
    (void)state;
    hold_one("confirm");
    for (int i = 0; i < 3; i++) {
        struct rpc_reply *reply = orders_calls_confirm(&orders_stage.admin, sale_id, order_id);
        const Stampede__Orders__V1__Order *order = orders_client_message(reply);
        assert_int_equal(order->status, CONFIRMED);
        assert_string_equal(order->sale_id, sale_id);
        assert_string_equal(order->order_id, order_id);
        assert_string_equal(order->customer_id, "c-1");
        assert_int_equal(order->number, 1);
        assert_int_equal(order->quantity, 2);
        assert_string_equal(order->unit_price->currency_code, "EUR");
        assert_int_equal(order->unit_price->amount_minor, 100);
        assert_true(order->create_time->seconds > 0);
        assert_int_equal(order->expire_time->seconds - order->create_time->seconds, HOLD_SECONDS);
        rpc_reply_free(reply);
        assert_stock_and_version(8, 3);
    }
    orders_calls_assert_order(
        orders_calls_get_order(&orders_stage.public, sale_id, order_id, "c-1"), CONFIRMED);
}

/* Who holds a unit when the sale is paused or ends has bought in time: only new orders are refused.
 */
static void confirm_and_cancel_go_on_when_a_sale_has_stopped(void **state)
{
    char other_id[ORDERS_CLIENT_ID_CHARS + 1];
    (void)state;

    hold_one("stopped");
    orders_calls_place(&orders_stage.public, sale_id, "c-2", "k-1", 1, other_id);
    orders_calls_assert_sale(orders_calls_act(&orders_stage.admin, "PauseSale", sale_id),
                             STAMPEDE__SALES__V1__SALE__STATE__PAUSED);
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
    orders_calls_assert_sale(orders_calls_act(&orders_stage.admin, "EndSale", sale_id),
                             STAMPEDE__SALES__V1__SALE__STATE__ENDED);
    orders_calls_assert_order(orders_calls_cancel(&orders_stage.public, sale_id, other_id, "c-2"),
                              CANCELLED);
    orders_calls_assert_order(orders_calls_cancel(&orders_stage.admin, sale_id, order_id, ""),
                              CANCELLED);
}

/* A repeated purchase shows the order as it is now. */
static void confirm_shows_in_the_replay_of_the_order(void **state)
{
    (void)state;
    hold_one("confirm-replay");
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
    struct rpc_reply *reply = orders_client_place(&orders_stage.public, sale_id, "c-1", "k-1", 2);
    const Stampede__Orders__V1__PlaceOrderResponse *replay = orders_client_message(reply);
    assert_true(replay->replayed);
    assert_int_equal(replay->order->status, CONFIRMED);
    rpc_reply_free(reply);
}

/* What ran out must not be sold, though nothing has swept it yet; the answer says what it is. */
static void confirm_of_an_expired_hold_is_illegal(void **state)
{
    (void)state;
    orders_calls_create_held(&orders_stage.admin, "confirm-expired", 10, 1, sale_id);
    orders_calls_place(&orders_stage.public, sale_id, "c-1", "k-1", 2, order_id);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL);
    orders_calls_assert_illegal(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                                "an EXPIRED order cannot be confirmed");
    orders_calls_assert_illegal(orders_calls_cancel(&orders_stage.public, sale_id, order_id, "c-1"),
                                "an EXPIRED order cannot be cancelled");
    orders_calls_assert_illegal(orders_calls_cancel(&orders_stage.admin, sale_id, order_id, ""),
                                "an EXPIRED order cannot be cancelled");
    orders_calls_assert_order(
        orders_calls_get_order(&orders_stage.public, sale_id, order_id, "c-1"), EXPIRED);
    assert_stock_and_version(10, 3);
}

/* --- Cancelling ------------------------------------------------------------------------------ */

/* Units of a hold that is given back can be bought again at once where some remained. */
static void cancel_held_order_gives_its_units_back_once(void **state)
{
    (void)state;
    hold_one("cancel");
    assert_stock_and_version(8, 2);
    for (int i = 0; i < 3; i++) {
        orders_calls_assert_order(
            orders_calls_cancel(&orders_stage.public, sale_id, order_id, "c-1"), CANCELLED);
        assert_stock_and_version(10, 3);
    }
    orders_calls_assert_illegal(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                                "a CANCELLED order cannot be confirmed");
    assert_stock_and_version(10, 3);
}

/* A sold order is the shop's to take back, not the customer's. */
static void cancel_sold_order_is_for_administrators(void **state)
{
    (void)state;
    hold_one("cancel-sold");
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
    orders_calls_assert_illegal(orders_calls_cancel(&orders_stage.public, sale_id, order_id, "c-1"),
                                "a CONFIRMED order can be cancelled by an administrator only");
    assert_stock_and_version(8, 3);
    struct rpc_reply *reply = orders_calls_cancel(&orders_stage.admin, sale_id, order_id, "");
    const Stampede__Orders__V1__Order *order = orders_client_message(reply);
    assert_int_equal(order->status, CANCELLED);
    assert_string_equal(order->customer_id, "c-1");
    rpc_reply_free(reply);
    assert_stock_and_version(10, 4);
}

/* An administrator who names a customer means that customer's order. */
static void cancel_by_an_administrator_keeps_to_the_named_customer(void **state)
{
    (void)state;
    hold_one("cancel-named");
    orders_client_assert_refused(orders_calls_cancel(&orders_stage.admin, sale_id, order_id, "c-2"),
                                 RPC_NOT_FOUND, "ORDER_NOT_FOUND");
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
    orders_calls_assert_order(orders_calls_cancel(&orders_stage.admin, sale_id, order_id, "c-1"),
                              CANCELLED);
}

/* Nobody learns of another customer's order, nor ends it. */
static void cancel_of_anothers_order_is_not_found(void **state)
{
    (void)state;
    hold_one("cancel-other");
    orders_client_assert_refused(
        orders_calls_cancel(&orders_stage.public, sale_id, order_id, "c-2"), RPC_NOT_FOUND,
        "ORDER_NOT_FOUND");
    orders_client_assert_refused(
        orders_calls_cancel(&orders_stage.public, sale_id, ORDERS_STAGE_NOBODYS_ID, "c-1"),
        RPC_NOT_FOUND, "ORDER_NOT_FOUND");
    orders_client_assert_refused(
        orders_calls_cancel(&orders_stage.public, ORDERS_STAGE_NOBODYS_ID, order_id, "c-1"),
        RPC_NOT_FOUND, "SALE_NOT_FOUND");
    orders_client_assert_refused(
        orders_calls_confirm(&orders_stage.admin, sale_id, ORDERS_STAGE_NOBODYS_ID), RPC_NOT_FOUND,
        "ORDER_NOT_FOUND");
    orders_client_assert_refused(
        orders_calls_confirm(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, order_id), RPC_NOT_FOUND,
        "SALE_NOT_FOUND");
    orders_calls_assert_order(
        orders_calls_get_order(&orders_stage.public, sale_id, order_id, "c-1"), RESERVED);
    assert_stock_and_version(8, 2);
}

/* --- Access and fields ----------------------------------------------------------------------- */

/* A token only adds: a wrong one makes nobody less than a customer, and nobody more. */
static void cancel_with_a_wrong_token_is_a_customers(void **state)
{
    struct orders_client wrong = {.channel = orders_stage.public.channel,
                                  .token = "not-the-token-at-all"};
    (void)state;

    hold_one("cancel-token");
    orders_calls_assert_field(orders_calls_cancel(&orders_stage.public, sale_id, order_id, ""),
                              "customer_id");
    orders_client_assert_refused(orders_calls_cancel(&wrong, sale_id, order_id, ""),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    orders_client_assert_refused(orders_calls_confirm(&orders_stage.public, sale_id, order_id),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    orders_client_assert_refused(orders_calls_confirm(&wrong, sale_id, order_id),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
    orders_calls_assert_illegal(orders_calls_cancel(&wrong, sale_id, order_id, "c-1"),
                                "a CONFIRMED order can be cancelled by an administrator only");
}

/* Without a token set nobody is an administrator, on public methods too. */
static void cancel_where_administration_is_closed_takes_customers_only(void **state)
{
    struct orders_process closed;
    struct orders_client bare, armed;
    (void)state;

    hold_one("cancel-closed");
    orders_process_start(&closed, orders_stage.server.service_url, NULL);
    orders_process_wait_ready(&closed, true);
    orders_client_open(&bare, closed.grpc_port, NULL);
    orders_client_open(&armed, closed.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_client_assert_refused(orders_calls_cancel(&armed, sale_id, order_id, ""),
                                 RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    orders_client_assert_refused(orders_calls_confirm(&armed, sale_id, order_id),
                                 RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    orders_client_assert_refused(orders_calls_act(&armed, "PauseSale", sale_id),
                                 RPC_PERMISSION_DENIED, "ADMIN_CLOSED");
    orders_calls_assert_field(orders_calls_cancel(&bare, sale_id, order_id, ""), "customer_id");
    orders_calls_assert_order(orders_calls_cancel(&bare, sale_id, order_id, "c-1"), CANCELLED);
    orders_client_close(&bare);
    orders_client_close(&armed);
    orders_process_stop(&closed);
}

static void settling_with_bad_fields_names_each(void **state)
{
    static const char longer[] =
        "a-customer-whose-name-is-longer-than-the-sixty-four-characters-it-may-have";
    (void)state;

    orders_calls_assert_field(
        orders_calls_confirm(&orders_stage.admin, "nonsense", ORDERS_STAGE_NOBODYS_ID), "sale_id");
    orders_calls_assert_field(
        orders_calls_confirm(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, "nonsense"), "order_id");
    orders_calls_assert_field(
        orders_calls_cancel(&orders_stage.public, "nonsense", ORDERS_STAGE_NOBODYS_ID, "c"),
        "sale_id");
    orders_calls_assert_field(
        orders_calls_cancel(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, "", ""), "order_id");
    orders_calls_assert_field(orders_calls_cancel(&orders_stage.public, ORDERS_STAGE_NOBODYS_ID,
                                                  ORDERS_STAGE_NOBODYS_ID, longer),
                              "customer_id");
    orders_calls_assert_field(orders_calls_cancel(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID,
                                                  ORDERS_STAGE_NOBODYS_ID, "h\xc3\xbcte"),
                              "customer_id");
    struct rpc_reply *reply = orders_calls_cancel(&orders_stage.public, "", "", "");
    assert_int_equal(reply->status.violation_count, 3);
    orders_client_assert_refused(reply, RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

/* --- Many at once ---------------------------------------------------------------------------- */

#define CROWD 200

/* Replies that come on the channel's threads. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    size_t done;
    struct rpc_reply *replies[2 * CROWD];
} crowd = {.lock = PTHREAD_MUTEX_INITIALIZER, .all_done = PTHREAD_COND_INITIALIZER};

static void on_done(struct rpc_reply *reply, void *data)
{
    struct rpc_reply **slot = data;
    pthread_mutex_lock(&crowd.lock);
    *slot = reply;
    crowd.done++;
    pthread_cond_signal(&crowd.all_done);
    pthread_mutex_unlock(&crowd.lock);
}

static void crowd_begin(void)
{
    pthread_mutex_lock(&crowd.lock);
    crowd.done = 0;
    pthread_mutex_unlock(&crowd.lock);
}

static void crowd_wait(size_t count)
{
    pthread_mutex_lock(&crowd.lock);
    while (crowd.done < count) {
        pthread_cond_wait(&crowd.all_done, &crowd.lock);
    }
    pthread_mutex_unlock(&crowd.lock);
}

static void start_confirm(struct orders_client *client, const char *order, struct rpc_reply **slot)
{
    Stampede__Orders__V1__ConfirmOrderRequest request =
        STAMPEDE__ORDERS__V1__CONFIRM_ORDER_REQUEST__INIT;
    request.sale_id = sale_id;
    request.order_id = (char *)(uintptr_t)order;
    orders_client_start(client, "/stampede.orders.v1.OrderService/ConfirmOrder",
                        &stampede__orders__v1__order__descriptor, &request.base,
                        ORDERS_CLIENT_CALL_MS, on_done, slot);
}

static void start_cancel(const char *order, const char *customer, struct rpc_reply **slot)
{
    Stampede__Orders__V1__CancelOrderRequest request =
        STAMPEDE__ORDERS__V1__CANCEL_ORDER_REQUEST__INIT;
    request.sale_id = sale_id;
    request.order_id = (char *)(uintptr_t)order;
    request.customer_id = (char *)(uintptr_t)customer;
    orders_client_start(&orders_stage.public, "/stampede.orders.v1.OrderService/CancelOrder",
                        &stampede__orders__v1__order__descriptor, &request.base,
                        ORDERS_CLIENT_CALL_MS, on_done, slot);
}

/* A confirmation and a cancellation of the same hold arrive together: one of them wins, whoever is
 * told so is told the truth, and the units are counted once. */
static void settling_together_has_one_winner_an_order(void **state)
{
    static char orders[CROWD][ORDERS_CLIENT_ID_CHARS + 1];
    static char customers[CROWD][16];
    int32_t confirmed = 0;
    (void)state;

    orders_calls_create_held(&orders_stage.admin, "together", 2 * CROWD, HOLD_SECONDS, sale_id);
    for (size_t i = 0; i < CROWD; i++) {
        snprintf(customers[i], sizeof(customers[i]), "c-%zu", i);
        orders_calls_place(&orders_stage.public, sale_id, customers[i], "k", 1, orders[i]);
    }
    crowd_begin();
    for (size_t i = 0; i < CROWD; i++) {
        start_confirm(&orders_stage.admin, orders[i], &crowd.replies[2 * i]);
        start_cancel(orders[i], customers[i], &crowd.replies[2 * i + 1]);
    }
    crowd_wait((size_t)2 * CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        bool sold = crowd.replies[2 * i]->status.code == RPC_OK;
        confirmed += sold;
        if (sold) {
            orders_calls_assert_order(crowd.replies[2 * i], CONFIRMED);
            orders_calls_assert_illegal(
                crowd.replies[2 * i + 1],
                "a CONFIRMED order can be cancelled by an administrator only");
        } else {
            orders_calls_assert_illegal(crowd.replies[2 * i],
                                        "a CANCELLED order cannot be confirmed");
            orders_calls_assert_order(crowd.replies[2 * i + 1], CANCELLED);
        }
        orders_calls_assert_order(
            orders_calls_get_order(&orders_stage.public, sale_id, orders[i], customers[i]),
            sold ? CONFIRMED : CANCELLED);
    }
    struct rpc_reply *reply = orders_calls_get_sale(&orders_stage.public, sale_id);
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    assert_int_equal(sale->stock_remaining, 2 * CROWD - confirmed);
    rpc_reply_free(reply);
}

/* --- When nothing can be done ---------------------------------------------------------------- */

/* What was certainly not done says so, and when to come again. */
static void settling_without_a_database_is_refused_and_may_be_repeated(void **state)
{
    (void)state;
    hold_one("no-database");
    assert_int_equal(scratch_postgres_halt(&orders_stage.server), 0);
    orders_process_wait_ready(&orders_stage.process, false);
    struct rpc_reply *reply = orders_calls_confirm(&orders_stage.admin, sale_id, order_id);
    assert_true(reply->status.retry_after_ms > 0);
    orders_client_assert_refused(reply, RPC_UNAVAILABLE, "DATABASE_UNAVAILABLE");
    reply = orders_calls_act(&orders_stage.admin, "PauseSale", sale_id);
    assert_true(reply->status.retry_after_ms > 0);
    orders_client_assert_refused(reply, RPC_UNAVAILABLE, "DATABASE_UNAVAILABLE");
    assert_int_equal(scratch_postgres_restart(&orders_stage.server), 0);
    orders_process_wait_ready(&orders_stage.process, true);
    orders_calls_assert_order(orders_calls_confirm(&orders_stage.admin, sale_id, order_id),
                              CONFIRMED);
}

/* Keeps the sale's row locked until its connection is ended. */
static void *hold_lock(void *data)
{
    char sql[200];
    (void)data;
    snprintf(sql, sizeof(sql),
             "BEGIN; SELECT sale_id FROM sales WHERE sale_id = '%s' FOR UPDATE;"
             " SELECT pg_sleep(600)",
             sale_id);
    (void)!scratch_postgres_execute(orders_stage.server.admin_url, sql);
    return NULL;
}

#define LOCKERS                                                                                    \
    "FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"

static void wait_for_one(const char *sql)
{
    struct patience patience = patience_of_ms(ORDERS_PROCESS_PATIENCE_MS);
    char value[16] = "0";
    while (strcmp(value, "0") == 0) {
        assert_false(patience_is_over(&patience));
        assert_int_equal(
            scratch_postgres_query(orders_stage.server.admin_url, sql, value, sizeof(value)), 0);
    }
}

/* A program that had ended by then, on a slow machine, refuses without a reason. */
static void assert_draining(struct rpc_reply *reply)
{
    if (reply->status.reason == NULL) {
        assert_int_equal(reply->status.code, RPC_UNAVAILABLE);
        rpc_reply_free(reply);
        return;
    }
    assert_true(reply->status.retry_after_ms > 0);
    orders_client_assert_refused(reply, RPC_UNAVAILABLE, "DRAINING");
}

#define STUCK 10

/* One stuck sale must not collect calls without a bound, nor keep a program from stopping: what
 * does not fit is told when to come again, and so is whoever asks a program that drains. */
static void settling_of_a_stuck_sale_is_bounded(void **state)
{
    static const char *const settings[] = {"STAMPEDE_ADMIN_TOKEN=" ORDERS_PROCESS_TOKEN,
                                           "ORDERS_POOL_SIZE=1", "ORDERS_QUEUE_MAX=2",
                                           "ORDERS_DRAIN_PAUSE_MS=0", NULL};
    static char orders[STUCK][ORDERS_CLIENT_ID_CHARS + 1];
    struct orders_process stuck;
    struct orders_client client;
    size_t overloaded = 0;
    pthread_t locker;
    char key[16], value[16];
    (void)state;

    orders_process_start(&stuck, orders_stage.server.service_url, settings);
    orders_process_wait_ready(&stuck, true);
    orders_client_open(&client, stuck.grpc_port, ORDERS_PROCESS_TOKEN);
    orders_calls_create_held(&orders_stage.admin, "stuck", STUCK, HOLD_SECONDS, sale_id);
    for (size_t i = 0; i < STUCK; i++) {
        snprintf(key, sizeof(key), "k-%zu", i);
        orders_calls_place(&orders_stage.public, sale_id, "c-1", key, 1, orders[i]);
    }
    assert_int_equal(pthread_create(&locker, NULL, hold_lock, NULL), 0);
    wait_for_one("SELECT count(*) " LOCKERS " AND wait_event = 'PgSleep'");
    crowd_begin();
    for (size_t i = 0; i < STUCK; i++) {
        start_confirm(&client, orders[i], &crowd.replies[i]);
    }
    crowd_wait(STUCK - 2); /* one is with a worker and one waits; the others do not fit */
    orders_process_signal(&stuck, SIGTERM);
    orders_process_wait_log(&stuck, "\"event\":\"draining\"");
    for (;;) {
        struct rpc_reply *reply = orders_calls_cancel(&client, sale_id, orders[0], "c-1");
        if (reply->status.reason == NULL || strcmp(reply->status.reason, "OVERLOADED") != 0) {
            assert_draining(reply);
            break;
        }
        rpc_reply_free(reply);
    }
    assert_draining(orders_calls_act(&client, "PauseSale", sale_id));
    assert_draining(orders_calls_list_orders(&client, sale_id, "", 0, ""));
    assert_int_equal(scratch_postgres_query(orders_stage.server.admin_url,
                                            "SELECT count(pg_terminate_backend(pid)) " LOCKERS,
                                            value, sizeof(value)),
                     0);
    pthread_join(locker, NULL);
    crowd_wait(STUCK);
    for (size_t i = 0; i < STUCK; i++) {
        struct rpc_reply *reply = crowd.replies[i];
        if (reply->status.code != RPC_OK) {
            overloaded++;
            assert_true(reply->status.retry_after_ms > 0);
            orders_client_assert_refused(reply, RPC_RESOURCE_EXHAUSTED, "OVERLOADED");
        } else {
            orders_calls_assert_order(reply, CONFIRMED);
        }
    }
    assert_true(overloaded >= STUCK - 2);
    assert_int_equal(orders_process_wait(&stuck), 0);
    orders_process_forget(&stuck);
    orders_client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confirm_held_order_is_sold_however_often_it_is_asked),
        cmocka_unit_test(confirm_and_cancel_go_on_when_a_sale_has_stopped),
        cmocka_unit_test(confirm_shows_in_the_replay_of_the_order),
        cmocka_unit_test(confirm_of_an_expired_hold_is_illegal),
        cmocka_unit_test(cancel_held_order_gives_its_units_back_once),
        cmocka_unit_test(cancel_sold_order_is_for_administrators),
        cmocka_unit_test(cancel_by_an_administrator_keeps_to_the_named_customer),
        cmocka_unit_test(cancel_of_anothers_order_is_not_found),
        cmocka_unit_test(cancel_with_a_wrong_token_is_a_customers),
        cmocka_unit_test(cancel_where_administration_is_closed_takes_customers_only),
        cmocka_unit_test(settling_with_bad_fields_names_each),
        cmocka_unit_test(settling_together_has_one_winner_an_order),
        cmocka_unit_test(settling_of_a_stuck_sale_is_bounded),
        cmocka_unit_test(settling_without_a_database_is_refused_and_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
