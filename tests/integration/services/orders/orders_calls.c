#include "orders_calls.h"

#include "support/scratch_postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SALES  "/stampede.sales.v1.SaleService/"
#define ORDERS "/stampede.orders.v1.OrderService/"

static char *unconst(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* --- Orders ---------------------------------------------------------------------------------- */

void orders_calls_place(struct orders_client *client, const char *sale_id, const char *customer,
                        const char *key, int32_t quantity,
                        char ret_order_id[ORDERS_CLIENT_ID_CHARS + 1])
{
    struct rpc_reply *reply = orders_client_place(client, sale_id, customer, key, quantity);
    const Stampede__Orders__V1__PlaceOrderResponse *placed = orders_client_message(reply);
    memcpy(ret_order_id, placed->order->order_id, ORDERS_CLIENT_ID_CHARS + 1);
    rpc_reply_free(reply);
}

struct rpc_reply *orders_calls_confirm(struct orders_client *client, const char *sale_id,
                                       const char *order_id)
{
    Stampede__Orders__V1__ConfirmOrderRequest request =
        STAMPEDE__ORDERS__V1__CONFIRM_ORDER_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.order_id = unconst(order_id);
    return orders_client_call(client, ORDERS "ConfirmOrder",
                              &stampede__orders__v1__order__descriptor, &request.base);
}

struct rpc_reply *orders_calls_cancel(struct orders_client *client, const char *sale_id,
                                      const char *order_id, const char *customer)
{
    Stampede__Orders__V1__CancelOrderRequest request =
        STAMPEDE__ORDERS__V1__CANCEL_ORDER_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.order_id = unconst(order_id);
    request.customer_id = unconst(customer);
    return orders_client_call(client, ORDERS "CancelOrder",
                              &stampede__orders__v1__order__descriptor, &request.base);
}

struct rpc_reply *orders_calls_get_order(struct orders_client *client, const char *sale_id,
                                         const char *order_id, const char *customer)
{
    Stampede__Orders__V1__GetOrderRequest request = STAMPEDE__ORDERS__V1__GET_ORDER_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.order_id = unconst(order_id);
    request.customer_id = unconst(customer);
    return orders_client_call(client, ORDERS "GetOrder", &stampede__orders__v1__order__descriptor,
                              &request.base);
}

struct rpc_reply *orders_calls_list_orders(struct orders_client *client, const char *sale_id,
                                           const char *customer, int32_t page_size,
                                           const char *token)
{
    Stampede__Orders__V1__ListOrdersRequest request =
        STAMPEDE__ORDERS__V1__LIST_ORDERS_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.customer_id = unconst(customer);
    request.page_size = page_size;
    request.page_token = unconst(token);
    return orders_client_call(client, ORDERS "ListOrders",
                              &stampede__orders__v1__list_orders_response__descriptor,
                              &request.base);
}

/* --- Sales ----------------------------------------------------------------------------------- */

void orders_calls_create_held(struct orders_client *admin, const char *key, int32_t stock,
                              int32_t hold_seconds, char ret_sale_id[ORDERS_CLIENT_ID_CHARS + 1])
{
    struct orders_client_sale sale;
    orders_client_sale_init(&sale, key, stock);
    sale.message.hold_seconds = hold_seconds;
    struct rpc_reply *reply = orders_client_call(
        admin, SALES "CreateSale", &stampede__sales__v1__create_sale_response__descriptor,
        &sale.message.base);
    const Stampede__Sales__V1__CreateSaleResponse *made = orders_client_message(reply);
    memcpy(ret_sale_id, made->sale->sale_id, ORDERS_CLIENT_ID_CHARS + 1);
    rpc_reply_free(reply);
}

struct rpc_reply *orders_calls_get_sale(struct orders_client *client, const char *sale_id)
{
    Stampede__Sales__V1__GetSaleRequest request = STAMPEDE__SALES__V1__GET_SALE_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    return orders_client_call(client, SALES "GetSale", &stampede__sales__v1__sale__descriptor,
                              &request.base);
}

struct rpc_reply *orders_calls_list_sales(struct orders_client *client, int32_t page_size,
                                          const char *token)
{
    Stampede__Sales__V1__ListSalesRequest request = STAMPEDE__SALES__V1__LIST_SALES_REQUEST__INIT;
    request.page_size = page_size;
    request.page_token = unconst(token);
    return orders_client_call(client, SALES "ListSales",
                              &stampede__sales__v1__list_sales_response__descriptor, &request.base);
}

/* Channels keep the method's name, so it must be a constant. */
struct rpc_reply *orders_calls_act(struct orders_client *client, const char *act,
                                   const char *sale_id)
{
    Stampede__Sales__V1__PauseSaleRequest pause = STAMPEDE__SALES__V1__PAUSE_SALE_REQUEST__INIT;
    Stampede__Sales__V1__ResumeSaleRequest resume = STAMPEDE__SALES__V1__RESUME_SALE_REQUEST__INIT;
    Stampede__Sales__V1__EndSaleRequest end = STAMPEDE__SALES__V1__END_SALE_REQUEST__INIT;
    const ProtobufCMessage *request = &end.base;
    const char *method = SALES "EndSale";

    pause.sale_id = resume.sale_id = end.sale_id = unconst(sale_id);
    if (strcmp(act, "PauseSale") == 0) {
        method = SALES "PauseSale";
        request = &pause.base;
    } else if (strcmp(act, "ResumeSale") == 0) {
        method = SALES "ResumeSale";
        request = &resume.base;
    }
    return orders_client_call(client, method, &stampede__sales__v1__sale__descriptor, request);
}

struct rpc_reply *orders_calls_restock(struct orders_client *client, const char *sale_id,
                                       const char *key, int32_t quantity)
{
    Stampede__Sales__V1__RestockSaleRequest request =
        STAMPEDE__SALES__V1__RESTOCK_SALE_REQUEST__INIT;
    request.sale_id = unconst(sale_id);
    request.idempotency_key = unconst(key);
    request.quantity = quantity;
    return orders_client_call(client, SALES "RestockSale",
                              &stampede__sales__v1__restock_sale_response__descriptor,
                              &request.base);
}

struct rpc_reply *orders_calls_update(struct orders_client *client, const char *sale_id,
                                      const struct orders_calls_update *update)
{
    Stampede__Sales__V1__UpdateSaleRequest request = STAMPEDE__SALES__V1__UPDATE_SALE_REQUEST__INIT;
    Google__Protobuf__StringValue title = GOOGLE__PROTOBUF__STRING_VALUE__INIT;
    Google__Protobuf__Timestamp end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Int32Value limit = GOOGLE__PROTOBUF__INT32_VALUE__INIT;

    request.sale_id = unconst(sale_id);
    if (update->title != NULL) {
        title.value = unconst(update->title);
        request.title = &title;
    }
    if (update->end_seconds != NULL) {
        end.seconds = *update->end_seconds;
        request.end_time = &end;
    }
    if (update->limit != NULL) {
        limit.value = *update->limit;
        request.per_customer_limit = &limit;
    }
    return orders_client_call(client, SALES "UpdateSale", &stampede__sales__v1__sale__descriptor,
                              &request.base);
}

/* --- What must come back --------------------------------------------------------------------- */

void orders_calls_assert_order(struct rpc_reply *reply, Stampede__Orders__V1__Order__Status status)
{
    const Stampede__Orders__V1__Order *order = orders_client_message(reply);
    assert_int_equal(order->status, status);
    rpc_reply_free(reply);
}

int64_t orders_calls_assert_sale(struct rpc_reply *reply, Stampede__Sales__V1__Sale__State state)
{
    const Stampede__Sales__V1__Sale *sale = orders_client_message(reply);
    int64_t version = sale->version;
    assert_int_equal(sale->state, state);
    rpc_reply_free(reply);
    return version;
}

void orders_calls_assert_illegal(struct rpc_reply *reply, const char *message)
{
    assert_non_null(reply->status.message);
    assert_string_equal(reply->status.message, message);
    orders_client_assert_refused(reply, RPC_FAILED_PRECONDITION, "ILLEGAL_TRANSITION");
}

void orders_calls_assert_field(struct rpc_reply *reply, const char *field)
{
    if (reply->status.violation_count != 1) {
        fail_msg("%zu violations, code %d, instead of one of %s", reply->status.violation_count,
                 reply->status.code, field);
    }
    assert_string_equal(reply->status.violations[0].field, field);
    orders_client_assert_refused(reply, RPC_INVALID_ARGUMENT, "INVALID_FIELD");
}

void orders_calls_audit(const char *url)
{
    static const char sql[] =
        "SELECT count(*) FROM sales AS s"
        " WHERE s.stock_total <> s.stock_remaining + s.stock_returning + (SELECT"
        "   coalesce(sum(o.quantity), 0) FROM orders AS o WHERE o.sale_id = s.sale_id"
        "   AND o.status IN ('RESERVED', 'CONFIRMED'))"
        "  OR s.stock_remaining < 0"
        "  OR s.orders_count <> (SELECT count(*) FROM orders AS o WHERE o.sale_id = s.sale_id)";
    char value[32];
    assert_int_equal(scratch_postgres_query(url, sql, value, sizeof(value)), 0);
    assert_string_equal(value, "0");
}
