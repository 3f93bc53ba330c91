/* Lists in pages over gRPC while what they list keeps growing: nothing skipped, nothing twice. */
#include "orders_stage.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SALES_TOKEN "1-01920000-0000-7000-8000-00000000dead" /* a token of another list */

#define PAGE          7
#define ORDERS_BEFORE 100
#define SALES_BEFORE  30
#define TOKEN_BYTES   128

static char sale_id[ORDERS_CLIENT_ID_CHARS + 1];

/* --- Somebody who keeps adding --------------------------------------------------------------- */

struct adder {
    pthread_t thread;
    struct orders_client client;
    void (*add)(struct orders_client *client, size_t turn);
    atomic_size_t added;
    atomic_bool stops;
};

static void *keep_adding(void *data)
{
    struct adder *adder = data;
    for (size_t turn = 0; !atomic_load(&adder->stops); turn++) {
        adder->add(&adder->client, turn);
        atomic_fetch_add(&adder->added, 1);
    }
    return NULL;
}

/* Returns once it has begun. */
static void adder_start(struct adder *adder, const char *token,
                        void (*add)(struct orders_client *client, size_t turn))
{
    *adder = (struct adder){.add = add};
    orders_client_open(&adder->client, orders_stage.process.grpc_port, token);
    assert_int_equal(pthread_create(&adder->thread, NULL, keep_adding, adder), 0);
    while (atomic_load(&adder->added) == 0) {
        sched_yield();
    }
}

static void adder_stop(struct adder *adder)
{
    atomic_store(&adder->stops, true);
    pthread_join(adder->thread, NULL);
    orders_client_close(&adder->client);
}

static void add_order(struct orders_client *client, size_t turn)
{
    char key[32];
    snprintf(key, sizeof(key), "more-%zu", turn);
    rpc_reply_free(orders_client_place(client, sale_id, "c-more", key, 1));
}

static void add_sale(struct orders_client *client, size_t turn)
{
    char key[32], id[ORDERS_CLIENT_ID_CHARS + 1];
    snprintf(key, sizeof(key), "more-%zu", turn);
    orders_client_create_sale(client, key, 1, 0, id);
}

/* --- Orders ---------------------------------------------------------------------------------- */

static void place_orders(size_t count)
{
    char customer[32], key[32], order_id[ORDERS_CLIENT_ID_CHARS + 1];
    for (size_t i = 0; i < count; i++) {
        snprintf(customer, sizeof(customer), "c-%zu", i % 3);
        snprintf(key, sizeof(key), "k-%zu", i);
        orders_calls_place(&orders_stage.public, sale_id, customer, key, 1, order_id);
    }
}

static void next_token(const char *from, char ret_token[TOKEN_BYTES])
{
    assert_true(strlen(from) < TOKEN_BYTES);
    snprintf(ret_token, TOKEN_BYTES, "%s", from);
}

/* Numbers have no gap, so a walk that skips or doubles one shows at once; and it ends, for the walk
 * is faster than a single buyer. */
static void list_orders_while_orders_arrive_has_every_number_once(void **state)
{
    char token[TOKEN_BYTES] = "";
    struct adder adder;
    int64_t expected = 1;
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "growing", 10000000, 0, sale_id);
    place_orders(ORDERS_BEFORE);
    adder_start(&adder, NULL, add_order);
    do {
        struct rpc_reply *reply =
            orders_calls_list_orders(&orders_stage.admin, sale_id, "", PAGE, token);
        const Stampede__Orders__V1__ListOrdersResponse *page = orders_client_message(reply);
        assert_true(page->n_orders <= PAGE);
        for (size_t i = 0; i < page->n_orders; i++) {
            assert_int_equal(page->orders[i]->number, expected++);
        }
        next_token(page->next_page_token, token);
        rpc_reply_free(reply);
    } while (token[0] != '\0');
    adder_stop(&adder);
    assert_true(expected > ORDERS_BEFORE);
}

/* A customer's orders are that customer's, all of them, in the order in which they were placed. */
static void list_orders_of_one_customer_has_theirs_only(void **state)
{
    char token[TOKEN_BYTES] = "";
    int64_t last = 0;
    size_t seen = 0;
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "customers", 1000, 0, sale_id);
    place_orders(30);
    do {
        struct rpc_reply *reply =
            orders_calls_list_orders(&orders_stage.admin, sale_id, "c-1", 4, token);
        const Stampede__Orders__V1__ListOrdersResponse *page = orders_client_message(reply);
        for (size_t i = 0; i < page->n_orders; i++, seen++) {
            const Stampede__Orders__V1__Order *order = page->orders[i];
            assert_string_equal(order->customer_id, "c-1");
            assert_string_equal(order->sale_id, sale_id);
            assert_int_equal(order->quantity, 1);
            assert_int_equal(order->unit_price->amount_minor, 100);
            assert_int_equal(order->status, STAMPEDE__ORDERS__V1__ORDER__STATUS__CONFIRMED);
            assert_true(order->number > last);
            last = order->number;
        }
        next_token(page->next_page_token, token);
        rpc_reply_free(reply);
    } while (token[0] != '\0');
    assert_int_equal(seen, 10);
}

static size_t count_orders(const char *customer, int32_t page_size, bool *ret_more)
{
    struct rpc_reply *reply =
        orders_calls_list_orders(&orders_stage.admin, sale_id, customer, page_size, "");
    const Stampede__Orders__V1__ListOrdersResponse *page = orders_client_message(reply);
    size_t count = page->n_orders;
    *ret_more = page->next_page_token[0] != '\0';
    rpc_reply_free(reply);
    return count;
}

/* The page's size as the contract says it: 50 unless asked, at most 500, the last without token. */
static void list_orders_pages_are_of_the_size_asked_for(void **state)
{
    static struct orders_client_batch batch;
    char customer[32];
    bool more;
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "sizes", 1000, 0, sale_id);
    assert_int_equal(count_orders("", 10, &more), 0);
    assert_false(more);
    orders_client_batch_init(&batch, sale_id);
    for (size_t i = 0; i < 501; i++) {
        snprintf(customer, sizeof(customer), "c-%zu", i);
        orders_client_batch_add(&batch, customer, "k", 1);
    }
    rpc_reply_free(orders_client_place_batch(&orders_stage.public, &batch));
    assert_int_equal(count_orders("", 0, &more), 50);
    assert_true(more);
    assert_int_equal(count_orders("", 500, &more), 500);
    assert_true(more);
    assert_int_equal(count_orders("", INT32_MAX, &more), 500);
    assert_true(more);
    assert_int_equal(count_orders("c-7", 1, &more), 1);
    assert_false(more);
    assert_int_equal(count_orders("nobody", 0, &more), 0);
    assert_false(more);
}

static void list_orders_refuses_by_name(void **state)
{
    static const char longer[] =
        "a-customer-whose-name-is-longer-than-the-sixty-four-characters-it-may-have";
    static const char *const tokens[] = {
        "made-up", "1-", SALES_TOKEN, "1--5", "1-99999999999999999999999", "1-1x", " ",
    };
    (void)state;

    orders_client_create_sale(&orders_stage.admin, "list-bad", 10, 0, sale_id);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        orders_calls_assert_field(
            orders_calls_list_orders(&orders_stage.admin, sale_id, "", 0, tokens[i]), "page_token");
    }
    orders_calls_assert_field(orders_calls_list_orders(&orders_stage.admin, sale_id, "", -1, ""),
                              "page_size");
    orders_calls_assert_field(orders_calls_list_orders(&orders_stage.admin, sale_id, longer, 0, ""),
                              "customer_id");
    orders_calls_assert_field(orders_calls_list_orders(&orders_stage.admin, "nonsense", "", 0, ""),
                              "sale_id");
    orders_client_assert_refused(
        orders_calls_list_orders(&orders_stage.admin, ORDERS_STAGE_NOBODYS_ID, "", 0, ""),
        RPC_NOT_FOUND, "SALE_NOT_FOUND");
    orders_client_assert_refused(orders_calls_list_orders(&orders_stage.public, sale_id, "", 0, ""),
                                 RPC_UNAUTHENTICATED, "UNAUTHENTICATED");
}

/* --- Sales ----------------------------------------------------------------------------------- */

/* Sales that were there when a walk began are seen once each, newest first, while others are made.
 */
static void list_sales_while_sales_are_made_has_each_once(void **state)
{
    static char before[SALES_BEFORE][ORDERS_CLIENT_ID_CHARS + 1];
    char key[32], token[TOKEN_BYTES] = "", last[ORDERS_CLIENT_ID_CHARS + 1] = "~";
    size_t found = 0;
    struct adder adder;
    (void)state;

    for (size_t i = 0; i < SALES_BEFORE; i++) {
        snprintf(key, sizeof(key), "before-%zu", i);
        orders_client_create_sale(&orders_stage.admin, key, 1, 0, before[i]);
    }
    adder_start(&adder, ORDERS_PROCESS_TOKEN, add_sale);
    do {
        struct rpc_reply *reply = orders_calls_list_sales(&orders_stage.public, 3, token);
        const Stampede__Sales__V1__ListSalesResponse *page = orders_client_message(reply);
        for (size_t i = 0; i < page->n_sales; i++) {
            const char *id = page->sales[i]->sale_id;
            assert_true(strcmp(id, last) < 0);
            memcpy(last, id, sizeof(last));
            if (found < SALES_BEFORE && strcmp(id, before[SALES_BEFORE - 1 - found]) == 0) {
                found++;
            }
        }
        next_token(page->next_page_token, token);
        rpc_reply_free(reply);
    } while (token[0] != '\0');
    adder_stop(&adder);
    assert_int_equal(found, SALES_BEFORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_orders_while_orders_arrive_has_every_number_once),
        cmocka_unit_test(list_orders_of_one_customer_has_theirs_only),
        cmocka_unit_test(list_orders_pages_are_of_the_size_asked_for),
        cmocka_unit_test(list_orders_refuses_by_name),
        cmocka_unit_test(list_sales_while_sales_are_made_has_each_once),
    };
    return cmocka_run_group_tests(tests, orders_stage_start, orders_stage_stop);
}
