/*
 * Any bytes, read as the body of several messages. What is refused must be refused cleanly, without
 * a leak and with a sentence; what is read must come back the same after it was written and read
 * again.
 */
#include "protojson/protojson.h"

#include <kinds.pb-c.h>
#include <stampede/orders/v1/orders.pb-c.h>
#include <stampede/sales/v1/sales.pb-c.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_BYTES_MAX (16u * 1024u * 1024u)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const types[] = {
    &stampede__orders__v1__place_order_request__descriptor,
    &stampede__sales__v1__create_sale_request__descriptor,
    &stampede__sales__v1__sale__descriptor,
    &stampede__sales__v1__update_sale_request__descriptor,
    &kinds__v1__kinds__descriptor,
};

static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

static ProtobufCAllocator allocator = {.alloc = allocate, .free = release};

/* Made on first use and kept: the fuzzer has no other beginning. */
static const struct protojson_schema *schema_of_types(void)
{
    static struct protojson_schema *schema;
    if (schema == NULL) {
        CHECK(protojson_schema_create(types, COUNT_OF(types), &schema) == 0);
    }
    return schema;
}

/* The message that text reads as, or NULL. */
static ProtobufCMessage *read_message(const ProtobufCMessageDescriptor *type, const char *text,
                                      size_t length)
{
    ProtobufCMessage *message = malloc(type->sizeof_message);
    CHECK(message != NULL);
    protobuf_c_message_init(type, message);
    struct protojson_failure failure = {.field = ""};
    enum protojson_error error =
        protojson_read(schema_of_types(), text, length, message, NULL, 0, &allocator, &failure);
    if (error == PROTOJSON_OK) {
        return message;
    }
    CHECK(error != PROTOJSON_NO_MEMORY);
    CHECK(failure.description[0] != '\0' && failure.offset <= length);
    CHECK(error == PROTOJSON_INVALID_FIELD || failure.field[0] == '\0');
    protobuf_c_message_free_unpacked(message, &allocator);
    return NULL;
}

static void check_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    size_t length = protobuf_c_message_get_packed_size(a);
    CHECK(protobuf_c_message_get_packed_size(b) == length);
    uint8_t *bytes = malloc(2 * length + 1);
    CHECK(bytes != NULL);
    protobuf_c_message_pack(a, bytes);
    protobuf_c_message_pack(b, bytes + length);
    CHECK(memcmp(bytes, bytes + length, length) == 0);
    free(bytes);
}

static void check_round_trip(const ProtobufCMessage *message)
{
    struct protojson_output output = {.length_max = OUTPUT_BYTES_MAX, .allocator = &allocator};
    enum protojson_error error = protojson_write(schema_of_types(), message, &output);
    /* An empty Kinds takes half a KiB, so a small text may well be too much to write. */
    if (error == PROTOJSON_OK) {
        ProtobufCMessage *again = read_message(message->descriptor, output.bytes, output.length);
        CHECK(again != NULL);
        check_equal(message, again);
        protobuf_c_message_free_unpacked(again, &allocator);
    }
    CHECK(error == PROTOJSON_OK || (error == PROTOJSON_NO_MEMORY && output.overflowed));
    free(output.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        ProtobufCMessage *message = read_message(types[i], (const char *)data, size);
        if (message != NULL) {
            check_round_trip(message);
            protobuf_c_message_free_unpacked(message, &allocator);
        }
    }
    return 0;
}
