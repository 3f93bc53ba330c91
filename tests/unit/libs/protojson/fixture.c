#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(void *context, size_t size)
{
    struct fixture *fixture = context;
    if (fixture->allocations++ == fixture->fail_at) {
        return NULL;
    }
    fixture->outstanding++;
    return malloc(size);
}

static void release(void *context, void *memory)
{
    struct fixture *fixture = context;
    if (memory != NULL) {
        assert_true(fixture->outstanding > 0);
        fixture->outstanding--;
        free(memory);
    }
}

int fixture_set_up(void **state)
{
    static const ProtobufCMessageDescriptor *const messages[] = {
        &kinds__v1__kinds__descriptor, &kinds__v1__names__descriptor, &kinds__v1__empty__descriptor,
        &legacy__v1__legacy__descriptor};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->allocator =
        (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = fixture};
    fixture->fail_at = SIZE_MAX;
    assert_int_equal(protojson_schema_create(messages, COUNT_OF(messages), &fixture->schema), 0);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;
    size_t outstanding = fixture->outstanding;
    protojson_schema_destroy(fixture->schema);
    free(fixture);
    return outstanding == 0 ? 0 : -1;
}

ProtobufCMessage *fixture_message(struct fixture *fixture,
                                  const ProtobufCMessageDescriptor *descriptor)
{
    size_t fail_at = fixture->fail_at;
    fixture->fail_at = SIZE_MAX;
    ProtobufCMessage *message = allocate(fixture, descriptor->sizeof_message);
    fixture->fail_at = fail_at;
    assert_non_null(message);
    protobuf_c_message_init(descriptor, message);
    return message;
}

enum protojson_error fixture_read(struct fixture *fixture, const char *json,
                                  ProtobufCMessage *message, struct protojson_failure *ret_failure)
{
    /* A copy that ends where the text does, so that a sanitizer sees reading past it. */
    size_t length = strlen(json);
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, json, length);
    enum protojson_error error = protojson_read(fixture->schema, copy, length, message, NULL, 0,
                                                &fixture->allocator, ret_failure);
    free(copy);
    return error;
}

ProtobufCMessage *fixture_read_new(struct fixture *fixture, const char *json,
                                   const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = fixture_message(fixture, descriptor);
    struct protojson_failure failure = {.field = ""};
    enum protojson_error error = fixture_read(fixture, json, message, &failure);
    if (error != PROTOJSON_OK) {
        fail_msg("%s: %s", json, failure.description);
    }
    return message;
}

Kinds__V1__Kinds *fixture_read_kinds(struct fixture *fixture, const char *json)
{
    return (Kinds__V1__Kinds *)fixture_read_new(fixture, json, &kinds__v1__kinds__descriptor);
}

void fixture_free(struct fixture *fixture, ProtobufCMessage *message)
{
    protobuf_c_message_free_unpacked(message, &fixture->allocator);
}

char *fixture_write(struct fixture *fixture, const ProtobufCMessage *message)
{
    struct protojson_output output = {.length_max = FIXTURE_OUTPUT_BYTES_MAX,
                                      .allocator = &fixture->allocator};
    assert_int_equal(protojson_write(fixture->schema, message, &output), PROTOJSON_OK);
    char *text = malloc(output.length + 1);
    assert_non_null(text);
    memcpy(text, output.bytes, output.length);
    text[output.length] = '\0';
    release(fixture, output.bytes);
    return text;
}
