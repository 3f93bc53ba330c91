#include "protojson/field_slot.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    assert_non_null(field);
    return field;
}

/* What a writer leaves out: unset members of a oneof, absent messages; and nothing else in proto3.
 */
static void field_slot_presence_follows_proto3(void **state)
{
    (void)state;
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    const ProtobufCMessage *base = &kinds.base;
    assert_true(field_slot_is_present(base, field_of(base, "int32_value")));
    assert_true(field_slot_is_present(base, field_of(base, "string_value")));
    assert_true(field_slot_is_present(base, field_of(base, "int32_list")));
    assert_false(field_slot_is_present(base, field_of(base, "child")));
    assert_false(field_slot_is_present(base, field_of(base, "choice_number")));
    kinds.choice_case = KINDS__V1__KINDS__CHOICE_CHOICE_NUMBER;
    assert_true(field_slot_is_present(base, field_of(base, "choice_number")));
    assert_false(field_slot_is_present(base, field_of(base, "choice_text")));
    kinds.child = &kinds;
    assert_true(field_slot_is_present(base, field_of(base, "child")));
}

/* proto2's optional fields say for themselves whether they are there. */
static void field_slot_presence_follows_proto2(void **state)
{
    (void)state;
    Legacy__V1__Legacy legacy = LEGACY__V1__LEGACY__INIT;
    const ProtobufCMessage *base = &legacy.base;
    char text[] = "t";
    assert_true(field_slot_is_present(base, field_of(base, "must")));
    assert_false(field_slot_is_present(base, field_of(base, "may")));
    assert_false(field_slot_is_present(base, field_of(base, "text")));
    assert_false(field_slot_is_present(base, field_of(base, "data")));
    field_slot_commit(&legacy.base, field_of(base, "may"));
    field_slot_commit(&legacy.base, field_of(base, "data"));
    legacy.text = text;
    assert_true(field_slot_is_present(base, field_of(base, "may")));
    assert_true(field_slot_is_present(base, field_of(base, "text")));
    assert_true(field_slot_is_present(base, field_of(base, "data")));
}

/* Two members of a oneof share memory: to write the second would be to misread the first. */
static void field_slot_rival_is_the_other_member(void **state)
{
    (void)state;
    Kinds__V1__Kinds kinds = KINDS__V1__KINDS__INIT;
    const ProtobufCMessage *base = &kinds.base;
    assert_null(field_slot_rival(base, field_of(base, "choice_text")));
    kinds.choice_case = KINDS__V1__KINDS__CHOICE_CHOICE_NUMBER;
    assert_null(field_slot_rival(base, field_of(base, "choice_number")));
    assert_null(field_slot_rival(base, field_of(base, "int32_value")));
    assert_ptr_equal(field_slot_rival(base, field_of(base, "choice_text")),
                     field_of(base, "choice_number"));
    assert_null(field_slot_message(base, field_of(base, "choice_child")));
}

/* A list grows without losing an element, and gives its former arrays back. */
static void field_slot_append_keeps_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    const ProtobufCFieldDescriptor *field = field_of(message, "int64_list");
    size_t capacity = 0;
    for (int64_t i = 0; i < 100; i++) {
        int64_t *slot = field_slot_append(message, field, &capacity, &fixture->allocator);
        assert_non_null(slot);
        *slot = i;
        field_slot_commit(message, field);
        assert_int_equal(capacity, field_slot_capacity_of((size_t)i + 1));
    }
    const Kinds__V1__Kinds *kinds = (const Kinds__V1__Kinds *)message;
    assert_int_equal(kinds->n_int64_list, 100);
    for (int64_t i = 0; i < 100; i++) {
        assert_int_equal(kinds->int64_list[i], i);
    }
    assert_int_equal(fixture->outstanding, 2); /* the message and its last array */
    fixture_free(fixture, message);
}

/* An append that fails leaves the list as it was. */
static void field_slot_append_without_memory_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    const ProtobufCFieldDescriptor *field = field_of(message, "int64_list");
    size_t capacity = 0;
    fixture->fail_at = fixture->allocations;
    assert_null(field_slot_append(message, field, &capacity, &fixture->allocator));
    assert_int_equal(field_slot_count(message, field), 0);
    assert_int_equal(capacity, 0);
    fixture->fail_at = SIZE_MAX;
    fixture_free(fixture, message);
}

/* protobuf-c's own empty string and a default are not the allocator's to free. */
static void field_slot_release_frees_only_what_was_allocated(void **state)
{
    struct fixture *fixture = *state;
    ProtobufCMessage *message = fixture_message(fixture, &kinds__v1__kinds__descriptor);
    field_slot_release(message, field_of(message, "string_value"), &fixture->allocator);
    field_slot_release(message, field_of(message, "bytes_value"), &fixture->allocator);
    field_slot_release(message, field_of(message, "choice_text"), &fixture->allocator);
    field_slot_release(message, field_of(message, "string_list"), &fixture->allocator);
    field_slot_release(message, field_of(message, "int32_value"), &fixture->allocator);
    Kinds__V1__Kinds *kinds = (Kinds__V1__Kinds *)message;
    kinds->string_value = fixture->allocator.alloc(fixture, 8);
    assert_non_null(kinds->string_value);
    field_slot_release(message, field_of(message, "string_value"), &fixture->allocator);
    assert_null(kinds->string_value);
    assert_int_equal(fixture->outstanding, 1);
    fixture_free(fixture, message);
    message = fixture_message(fixture, &legacy__v1__legacy__descriptor);
    field_slot_release(message, field_of(message, "text"), &fixture->allocator);
    fixture_free(fixture, message);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(field_slot_presence_follows_proto3),
        TEST(field_slot_presence_follows_proto2),
        TEST(field_slot_rival_is_the_other_member),
        TEST(field_slot_append_keeps_what_is_there),
        TEST(field_slot_append_without_memory_changes_nothing),
        TEST(field_slot_release_frees_only_what_was_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
