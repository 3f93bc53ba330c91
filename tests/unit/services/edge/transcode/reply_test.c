#include "edge/transcode/reply.h"

#include "contract/contract.h"
#include "edge/routes/routes.h"
#include "protojson/protojson.h"
#include "stampede/orders/v1/orders.pb-c.h"
#include "stampede/sales/v1/sales.pb-c.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define BODY_MAX 65536

struct pool {
    void *blocks[64];
    size_t count;
};

static struct routes routes;
static struct protojson_schema *schema;
static struct pool pool;

static void *allocate(void *data, size_t size)
{
    struct pool *memory = data;
    assert_true(memory->count < COUNT_OF(memory->blocks));
    return memory->blocks[memory->count++] = malloc(size == 0 ? 1 : size);
}

static void keep(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static ProtobufCAllocator allocator = {allocate, keep, &pool};

static int free_pool(void **state)
{
    (void)state;
    while (pool.count > 0) {
        free(pool.blocks[--pool.count]);
    }
    return 0;
}

static int setup(void **state)
{
    const ProtobufCMessageDescriptor *messages[] = {
        &stampede__orders__v1__place_order_response__descriptor,
        &stampede__sales__v1__sale__descriptor};
    (void)state;
    assert_int_equal(protojson_schema_create(messages, COUNT_OF(messages), &schema), 0);
    return routes_init(&routes, contract_methods, contract_method_count);
}

static int teardown(void **state)
{
    (void)state;
    protojson_schema_destroy(schema);
    return 0;
}

static const struct route *route_of(const char *method, const char *path)
{
    struct routes_match match;
    assert_int_equal(routes_find(&routes, slice_of(method), slice_of(path), &match), ROUTES_FOUND);
    return match.route;
}

static bool contains(struct slice text, const char *part)
{
    return memmem(text.bytes, text.length, part, strlen(part)) != NULL;
}

/* A placed order's answer is the order alone, with the place where it can be read again. */
static void reply_placement_has_order_location_and_replay(void **state)
{
    char sale_id[] = "s1";
    char order_id[] = "o1";
    char customer_id[] = "c 1/&";
    Stampede__Orders__V1__Order order = STAMPEDE__ORDERS__V1__ORDER__INIT;
    Stampede__Orders__V1__PlaceOrderResponse message =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_RESPONSE__INIT;
    struct reply reply;
    (void)state;
    order.sale_id = sale_id;
    order.order_id = order_id;
    order.customer_id = customer_id;
    order.number = 17;
    message.order = &order;
    message.replayed = 1;
    assert_int_equal(reply_write(schema, route_of("POST", "/v1/sales/s1/orders"), &message.base,
                                 BODY_MAX, &allocator, &reply),
                     0);
    assert_int_equal(reply.status, 201);
    assert_true(reply.is_replayed);
    assert_true(slice_equals(reply.location, "/v1/sales/s1/orders/o1?customerId=c%201%2F%26"));
    assert_int_equal(reply.etag.length, 0);
    assert_true(contains(reply.body, "\"number\":\"17\""));
    assert_false(contains(reply.body, "replayed"));
}

/* The tag changes with whatever a reader could see change. */
static void reply_sale_has_an_etag_of_version_and_state(void **state)
{
    Stampede__Sales__V1__Sale sale = STAMPEDE__SALES__V1__SALE__INIT;
    struct reply reply;
    (void)state;
    sale.version = 42;
    sale.state = STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT;
    assert_int_equal(reply_write(schema, route_of("GET", "/v1/sales/s1"), &sale.base, BODY_MAX,
                                 &allocator, &reply),
                     0);
    assert_int_equal(reply.status, 200);
    assert_true(slice_equals(reply.etag, "\"42-SOLD_OUT\""));
    assert_int_equal(reply.location.length, 0);
}

/* A reply that lacks its body is the service's fault and must not be shown as an empty success. */
static void reply_without_its_body_is_an_error(void **state)
{
    Stampede__Orders__V1__PlaceOrderResponse message =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_RESPONSE__INIT;
    struct reply reply;
    (void)state;
    assert_int_equal(reply_write(schema, route_of("POST", "/v1/sales/s1/orders"), &message.base,
                                 BODY_MAX, &allocator, &reply),
                     -EPROTO);
}

/* Every buffer has a maximum. */
static void reply_longer_than_its_bound_is_an_error(void **state)
{
    char title[4096];
    Stampede__Sales__V1__Sale sale = STAMPEDE__SALES__V1__SALE__INIT;
    struct reply reply;
    (void)state;
    memset(title, 't', sizeof(title));
    title[sizeof(title) - 1] = '\0';
    sale.title = title;
    assert_int_equal(
        reply_write(schema, route_of("GET", "/v1/sales/s1"), &sale.base, 1024, &allocator, &reply),
        -EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_teardown(name, free_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reply_placement_has_order_location_and_replay),
        TEST(reply_sale_has_an_etag_of_version_and_state),
        TEST(reply_without_its_body_is_an_error),
        TEST(reply_longer_than_its_bound_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
