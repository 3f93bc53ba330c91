/* What the tests of protojson share: a schema of every kind, and an allocator that counts and
 * fails. */
#ifndef TESTS_UNIT_LIBS_PROTOJSON_FIXTURE_H
#define TESTS_UNIT_LIBS_PROTOJSON_FIXTURE_H

#include "protojson/protojson.h"

#include <kinds.pb-c.h>
#include <legacy.pb-c.h>

#define FIXTURE_OUTPUT_BYTES_MAX 65536

struct fixture {
    struct protojson_schema *schema;
    ProtobufCAllocator allocator;
    size_t allocations; /* ever made */
    size_t outstanding; /* not yet freed */
    size_t fail_at;     /* the allocation that fails, counted from 0; SIZE_MAX: none */
};

/* cmocka's setup and teardown; the latter fails if anything is outstanding. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* A new message from the fixture's allocator. */
ProtobufCMessage *fixture_message(struct fixture *fixture,
                                  const ProtobufCMessageDescriptor *descriptor);

/* Reads a NUL-terminated text into message, nothing sealed. */
enum protojson_error fixture_read(struct fixture *fixture, const char *json,
                                  ProtobufCMessage *message, struct protojson_failure *ret_failure);

/* Reads text into a new message, asserting success. */
ProtobufCMessage *fixture_read_new(struct fixture *fixture, const char *json,
                                   const ProtobufCMessageDescriptor *descriptor);
Kinds__V1__Kinds *fixture_read_kinds(struct fixture *fixture, const char *json);

/* Frees a message and all that it holds. */
void fixture_free(struct fixture *fixture, ProtobufCMessage *message);

/* The JSON of a message, NUL-terminated, asserting success; the caller frees it with free(). */
char *fixture_write(struct fixture *fixture, const ProtobufCMessage *message);

#endif
