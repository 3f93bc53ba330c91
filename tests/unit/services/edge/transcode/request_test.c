#include "edge/transcode/request.h"

#include "contract/contract.h"
#include "edge/routes/routes.h"
#include "protojson/protojson.h"
#include "stampede/api/v1/reason.pb-c.h"
#include "stampede/orders/v1/orders.pb-c.h"
#include "stampede/sales/v1/sales.pb-c.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY_MISSING STAMPEDE__API__V1__REASON__IDEMPOTENCY_KEY_MISSING
#define INVALID     STAMPEDE__API__V1__REASON__INVALID_FIELD
#define MALFORMED   STAMPEDE__API__V1__REASON__MALFORMED_JSON
#define MEDIA_TYPE  STAMPEDE__API__V1__REASON__UNSUPPORTED_MEDIA_TYPE
#define ORDERS      "/v1/sales/s1/orders"
#define BODY        "{\"customerId\":\"c-1\",\"quantity\":2}"

/* A pool that frees everything at the end of a test, as the edge's does. */
struct pool {
    void *blocks[256];
    size_t count;
};

static struct routes routes;
static struct protojson_schema *schema;
static struct pool pool;

static void *allocate(void *data, size_t size)
{
    struct pool *memory = data;
    assert_true(memory->count < COUNT_OF(memory->blocks));
    void *block = malloc(size == 0 ? 1 : size);
    memory->blocks[memory->count++] = block;
    return block;
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
    const ProtobufCMessageDescriptor *messages[64];
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < contract_method_count; i++) {
        if (contract_methods[i].route_count > 0) {
            messages[count++] = contract_methods[i].input;
        }
    }
    assert_int_equal(protojson_schema_create(messages, count, &schema), 0);
    return routes_init(&routes, contract_methods, contract_method_count);
}

static int teardown(void **state)
{
    (void)state;
    protojson_schema_destroy(schema);
    return 0;
}

/* A request as a test writes it; what is NULL is not sent. */
struct sent {
    const char *method, *path, *query, *key, *second_key, *content_type, *encoding, *body;
};

static int read_sent(const struct sent *sent, ProtobufCMessage **message, struct refusal *refusal)
{
    struct routes_match match;
    struct header entries[4];
    size_t count = 0;
    assert_int_equal(routes_find(&routes, slice_of(sent->method), slice_of(sent->path), &match),
                     ROUTES_FOUND);
    const struct header all[] = {
        {slice_of("idempotency-key"), slice_of(sent->key == NULL ? "" : sent->key)},
        {slice_of("idempotency-key"), slice_of(sent->second_key == NULL ? "" : sent->second_key)},
        {slice_of("content-type"), slice_of(sent->content_type == NULL ? "" : sent->content_type)},
        {slice_of("content-encoding"), slice_of(sent->encoding == NULL ? "" : sent->encoding)},
    };
    const char *const given[] = {sent->key, sent->second_key, sent->content_type, sent->encoding};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        if (given[i] != NULL) {
            entries[count++] = all[i];
        }
    }
    const struct request_source source = {
        .match = &match,
        .headers = {entries, count},
        .query = slice_of(sent->query == NULL ? "" : sent->query),
        .body = slice_of(sent->body == NULL ? "" : sent->body),
    };
    return request_read(schema, &source, &allocator, message, refusal);
}

static void assert_refused(const struct sent *sent, int reason, const char *field)
{
    ProtobufCMessage *message;
    struct refusal refusal;
    assert_int_equal(read_sent(sent, &message, &refusal), -EINVAL);
    assert_int_equal(refusal.reason, reason);
    assert_string_equal(refusal.field, field);
    assert_true(strlen(refusal.description) > 0);
}

static struct sent placement(void)
{
    return (struct sent){.method = "POST",
                         .path = ORDERS,
                         .key = "k",
                         .content_type = "application/json",
                         .body = BODY};
}

/* Path, header and body of a placement end in one message. */
static void request_placement_fills_every_field(void **state)
{
    struct sent sent = placement();
    ProtobufCMessage *message;
    struct refusal refusal;
    (void)state;
    sent.path = "/v1/sales/S%31/orders";
    sent.key = "\"k \\\" 1\"";
    assert_int_equal(read_sent(&sent, &message, &refusal), 0);
    const Stampede__Orders__V1__PlaceOrderRequest *request = (const void *)message;
    assert_string_equal(request->sale_id, "S1");
    assert_string_equal(request->idempotency_key, "k \" 1");
    assert_string_equal(request->customer_id, "c-1");
    assert_int_equal(request->quantity, 2);
}

/* The key is what makes a retry safe: without exactly one good key nothing is placed. */
static void request_bad_idempotency_keys_are_refused(void **state)
{
    char long_key[300];
    struct sent sent = placement();
    (void)state;
    sent.key = NULL;
    assert_refused(&sent, KEY_MISSING, "Idempotency-Key");
    sent.key = "";
    assert_refused(&sent, INVALID, "Idempotency-Key");
    sent.key = "k\x01";
    assert_refused(&sent, INVALID, "Idempotency-Key");
    memset(long_key, 'k', sizeof(long_key));
    long_key[256] = '\0';
    sent.key = long_key;
    assert_refused(&sent, INVALID, "Idempotency-Key");
    sent.key = "k";
    sent.second_key = "k";
    assert_refused(&sent, INVALID, "Idempotency-Key");
}

/* The longest key, every character escaped, is still a key. */
static void request_longest_quoted_key_is_taken(void **state)
{
    char key[2 + 2 * REQUEST_HEADER_CHARS_MAX + 1];
    struct sent sent = placement();
    ProtobufCMessage *message;
    struct refusal refusal;
    (void)state;
    memset(key, '\\', sizeof(key));
    key[0] = '"';
    key[sizeof(key) - 2] = '"';
    key[sizeof(key) - 1] = '\0';
    sent.key = key;
    assert_int_equal(read_sent(&sent, &message, &refusal), 0);
    assert_int_equal(strlen(((const Stampede__Orders__V1__PlaceOrderRequest *)(const void *)message)
                                ->idempotency_key),
                     REQUEST_HEADER_CHARS_MAX);
}

/* A body that names another sale than the path would make logs and limits lie. */
static void request_body_cannot_set_what_path_or_header_carry(void **state)
{
    struct sent sent = placement();
    (void)state;
    sent.body = "{\"saleId\":\"other\",\"quantity\":1}";
    assert_refused(&sent, INVALID, "saleId");
    sent.body = "{\"sale_id\":\"other\",\"quantity\":1}";
    assert_refused(&sent, INVALID, "sale_id");
    sent.body = "{\"idempotencyKey\":\"other\"}";
    assert_refused(&sent, INVALID, "idempotencyKey");
}

/* Wrong bodies each get the reason that helps to mend them. */
static void request_bad_bodies_are_refused_by_kind(void **state)
{
    struct sent sent = placement();
    (void)state;
    sent.content_type = "text/plain";
    assert_refused(&sent, MEDIA_TYPE, "");
    sent.content_type = NULL;
    assert_refused(&sent, MEDIA_TYPE, "");
    sent.content_type = "application/json; charset=utf-8";
    sent.encoding = "gzip";
    assert_refused(&sent, MEDIA_TYPE, "");
    sent.encoding = NULL;
    sent.body = "{\"quantity\":";
    assert_refused(&sent, MALFORMED, "");
    sent.body = "{\"quantity\":\"many\"}";
    assert_refused(&sent, INVALID, "quantity");
    sent.body = "{\"colour\":1}";
    assert_refused(&sent, INVALID, "colour");
    sent.body = BODY;
    sent.query = "customerId=c-2";
    assert_refused(&sent, INVALID, "customerId");
}

/* Commands without arguments are sent without a body by any reasonable client. */
static void request_empty_body_counts_as_an_empty_object(void **state)
{
    const struct sent sent = {.method = "POST", .path = "/v1/sales/s1:pause"};
    ProtobufCMessage *message;
    struct refusal refusal;
    (void)state;
    assert_int_equal(read_sent(&sent, &message, &refusal), 0);
    assert_string_equal(
        ((const Stampede__Sales__V1__PauseSaleRequest *)(const void *)message)->sale_id, "s1");
}

/* RFC 9110 gives content of a GET no meaning, so whatever it is, it changes nothing. */
static void request_content_of_a_read_is_ignored(void **state)
{
    const struct sent sent = {
        .method = "GET", .path = "/v1/sales/s1", .content_type = "text/plain", .body = "nonsense"};
    ProtobufCMessage *message;
    struct refusal refusal;
    (void)state;
    assert_int_equal(read_sent(&sent, &message, &refusal), 0);
}

/* Both spellings of a parameter are read, and form encoding is undone. */
static void request_query_parameters_fill_fields(void **state)
{
    struct sent sent = {
        .method = "GET", .path = ORDERS, .query = "&page_size=7&customerId=a+b%2Fc"};
    ProtobufCMessage *message;
    struct refusal refusal;
    (void)state;
    assert_int_equal(read_sent(&sent, &message, &refusal), 0);
    const Stampede__Orders__V1__ListOrdersRequest *request = (const void *)message;
    assert_int_equal(request->page_size, 7);
    assert_string_equal(request->customer_id, "a b/c");
}

/* A parameter that is misspelled, doubled or out of place is a mistake that must be seen. */
static void request_bad_query_parameters_are_refused(void **state)
{
    struct sent sent = {.method = "GET", .path = ORDERS};
    (void)state;
    sent.query = "pagesize=7";
    assert_refused(&sent, INVALID, "pagesize");
    sent.query = "pageSize=7&page_size=8";
    assert_refused(&sent, INVALID, "page_size");
    sent.query = "pageSize=many";
    assert_refused(&sent, INVALID, "pageSize");
    sent.query = "saleId=other";
    assert_refused(&sent, INVALID, "saleId");
    sent.query = "customerId=%zz";
    assert_refused(&sent, INVALID, "customerId");
    sent.query = "%zz=1";
    assert_refused(&sent, INVALID, "");
}

/* A path that does not decode names the variable at fault. */
static void request_broken_path_variable_is_refused(void **state)
{
    struct sent sent = {.method = "GET", .path = "/v1/sales/%zz"};
    (void)state;
    assert_refused(&sent, INVALID, "saleId");
    sent.path = "/v1/sales/%ff";
    assert_refused(&sent, INVALID, "saleId");
    sent.path = "/v1/sales/s1/orders/o%00";
    assert_refused(&sent, INVALID, "orderId");
}

#define TEST(name) cmocka_unit_test_teardown(name, free_pool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(request_placement_fills_every_field),
        TEST(request_bad_idempotency_keys_are_refused),
        TEST(request_longest_quoted_key_is_taken),
        TEST(request_body_cannot_set_what_path_or_header_carry),
        TEST(request_bad_bodies_are_refused_by_kind),
        TEST(request_empty_body_counts_as_an_empty_object),
        TEST(request_content_of_a_read_is_ignored),
        TEST(request_query_parameters_fill_fields),
        TEST(request_bad_query_parameters_are_refused),
        TEST(request_broken_path_variable_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
