/*
 * How long it takes to read a placement's body and to write an order, as the edge does for every
 * request, with the request's memory in one arena. Printed, not judged: ctest does not run it.
 *
 *     build/release/bench/protojson_bench [rounds]
 *
 * The same body goes through bare yajl (callbacks that do nothing), through jansson (its own tree,
 * then the two fields looked up) as well: what the choice of docs/decisions/0003-json-parser.md
 * rests on.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "protojson/protojson.h"

#include <inttypes.h>
#include <jansson.h>
#include <stampede/orders/v1/orders.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define ROUNDS_DEFAULT 1000000
#define SAMPLES        5 /* the quickest counts: everything else is noise of the machine */

#define ARENA_BLOCK_BYTES 4096
#define ARENA_BYTES_MAX   65536
#define ORDER_BYTES_MAX   4096

static const char placement[] = "{\"customerId\":\"customer-0123456789\",\"quantity\":1}";

struct bench {
    struct protojson_schema *schema;
    struct arena arena;
    ProtobufCAllocator allocator;
    Stampede__Orders__V1__Order *order;
    size_t bytes; /* of the text that the last round read or wrote */
};

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void do_not_free(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static void read_placement(struct bench *bench)
{
    Stampede__Orders__V1__PlaceOrderRequest request =
        STAMPEDE__ORDERS__V1__PLACE_ORDER_REQUEST__INIT;
    struct protojson_failure failure;
    enum protojson_error error =
        protojson_read(bench->schema, placement, sizeof(placement) - 1, &request.base, NULL, 0,
                       &bench->allocator, &failure);
    CHECK(error == PROTOJSON_OK && request.quantity == 1);
    bench->bytes = sizeof(placement) - 1;
    arena_reset(&bench->arena);
}

static void write_order(struct bench *bench)
{
    struct protojson_output output = {.length_max = ORDER_BYTES_MAX,
                                      .allocator = &bench->allocator};
    enum protojson_error error = protojson_write(bench->schema, &bench->order->base, &output);
    CHECK(error == PROTOJSON_OK);
    bench->bytes = output.length;
    arena_reset(&bench->arena);
}

static int ignore_string(void *context, const unsigned char *text, size_t length)
{
    (void)context;
    (void)text;
    (void)length;
    return 1;
}

static int ignore_number(void *context, const char *text, size_t length)
{
    (void)context;
    (void)text;
    (void)length;
    return 1;
}

/* yajl as it comes, with the heap's malloc: the least that it costs to be told of each token. */
static void parse_with_yajl(struct bench *bench)
{
    static const yajl_callbacks callbacks = {
        .yajl_string = ignore_string, .yajl_map_key = ignore_string, .yajl_number = ignore_number};
    yajl_handle handle = yajl_alloc(&callbacks, NULL, NULL);
    CHECK(yajl_parse(handle, (const unsigned char *)placement, sizeof(placement) - 1) ==
          yajl_status_ok);
    CHECK(yajl_complete_parse(handle) == yajl_status_ok);
    yajl_free(handle);
    bench->bytes = sizeof(placement) - 1;
}

static void parse_with_jansson(struct bench *bench)
{
    json_t *root = json_loadb(placement, sizeof(placement) - 1, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_string_value(json_object_get(root, "customerId")) != NULL);
    CHECK(json_integer_value(json_object_get(root, "quantity")) == 1);
    json_decref(root);
    bench->bytes = sizeof(placement) - 1;
}

static void run(struct bench *bench, const char *name, void (*round)(struct bench *),
                int64_t rounds)
{
    int64_t best_ns = INT64_MAX;
    for (int sample = 0; sample < SAMPLES; sample++) {
        int64_t begin_ns = clock_monotonic_ns();
        for (int64_t i = 0; i < rounds; i++) {
            round(bench);
        }
        int64_t taken_ns = clock_monotonic_ns() - begin_ns;
        best_ns = taken_ns < best_ns ? taken_ns : best_ns;
    }
    double ns = (double)best_ns / (double)rounds;
    printf("%-28s %4zu bytes %8.1f ns %10.0f /s\n", name, bench->bytes, ns, 1e9 / ns);
}

int main(int argc, char **argv)
{
    int64_t rounds = argc > 1 ? strtoll(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds <= 0) {
        fprintf(stderr, "usage: %s [rounds, 1 or more]\n", argv[0]);
        return EXIT_FAILURE;
    }
    const ProtobufCMessageDescriptor *messages[] = {
        &stampede__orders__v1__place_order_request__descriptor,
        &stampede__orders__v1__order__descriptor};
    char sale_id[] = "01890a5d-ac96-774b-bcce-b302099a8057";
    char order_id[] = "9a3b1c5e-07d4-8f21-a6b0-5c2e9d417f38";
    char customer_id[] = "customer-0123456789";
    char currency_code[] = "EUR";
    Stampede__Api__V1__Money price = STAMPEDE__API__V1__MONEY__INIT;
    Google__Protobuf__Timestamp create_time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Google__Protobuf__Timestamp expire_time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Stampede__Orders__V1__Order order = STAMPEDE__ORDERS__V1__ORDER__INIT;
    price.currency_code = currency_code;
    price.amount_minor = 129900;
    create_time.seconds = 1760000000;
    create_time.nanos = 123456000;
    expire_time.seconds = create_time.seconds + 600;
    expire_time.nanos = create_time.nanos;
    order.sale_id = sale_id;
    order.order_id = order_id;
    order.customer_id = customer_id;
    order.number = 123456;
    order.quantity = 1;
    order.status = STAMPEDE__ORDERS__V1__ORDER__STATUS__RESERVED;
    order.unit_price = &price;
    order.create_time = &create_time;
    order.expire_time = &expire_time;

    struct bench bench = {.order = &order};
    bench.allocator = (ProtobufCAllocator){
        .alloc = allocate, .free = do_not_free, .allocator_data = &bench.arena};
    CHECK(protojson_schema_create(messages, COUNT_OF(messages), &bench.schema) == 0);
    arena_init(&bench.arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    run(&bench, "protojson: read a placement", read_placement, rounds);
    run(&bench, "protojson: write an order", write_order, rounds);
    run(&bench, "yajl, tokens alone", parse_with_yajl, rounds);
    run(&bench, "jansson, tree and look-up", parse_with_jansson, rounds);
    arena_fini(&bench.arena);
    protojson_schema_destroy(bench.schema);
    return EXIT_SUCCESS;
}
