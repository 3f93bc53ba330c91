#include "protojson/protojson_schema.h"

#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static int create(const ProtobufCMessageDescriptor *descriptor)
{
    struct protojson_schema *schema = NULL;
    int error = protojson_schema_create(&descriptor, 1, &schema);
    protojson_schema_destroy(schema);
    return error;
}

/* What has no JSON form here is refused when the program starts, not when a request comes. */
static void protojson_schema_unsupported_type_is_refused(void **state)
{
    (void)state;
    assert_int_equal(create(&kinds__v1__with_map__descriptor), -ENOTSUP);
    assert_int_equal(create(&kinds__v1__with_any__descriptor), -ENOTSUP);
}

/* A message that is called Entry is not for that a map. */
static void protojson_schema_entry_message_is_no_map(void **state)
{
    (void)state;
    assert_int_equal(create(&kinds__v1__with_entry__descriptor), 0);
}

/* Types that contain themselves and each other are entered once; none at all is fine too. */
static void protojson_schema_holds_all_that_is_reachable(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *descriptors[] = {&kinds__v1__kinds__descriptor,
                                                       &kinds__v1__kinds__descriptor};
    struct protojson_schema *schema;
    assert_int_equal(protojson_schema_create(descriptors, 2, &schema), 0);
    const struct protojson_message *kinds =
        protojson_schema_message(schema, &kinds__v1__kinds__descriptor);
    assert_ptr_equal(kinds->fields[16].message, kinds);
    assert_int_equal(
        protojson_schema_message(schema, &google__protobuf__timestamp__descriptor)->kind,
        PROTOJSON_KIND_TIMESTAMP);
    assert_int_equal(
        protojson_schema_message(schema, &google__protobuf__string_value__descriptor)->kind,
        PROTOJSON_KIND_WRAPPER);
    protojson_schema_destroy(schema);
    assert_int_equal(protojson_schema_create(NULL, 0, &schema), 0);
    protojson_schema_destroy(schema);
    protojson_schema_destroy(NULL);
}

/* Every field is found by both its names, and nothing is found by a piece of one. */
static void protojson_schema_spelling_finds_exactly_the_fields(void **state)
{
    struct fixture *fixture = *state;
    const struct protojson_message *type =
        protojson_schema_message(fixture->schema, &kinds__v1__names__descriptor);
    for (unsigned i = 0; i < type->descriptor->n_fields; i++) {
        const char *json_name = type->fields[i].json_name;
        const char *name = type->descriptor->fields[i].name;
        assert_int_equal(protojson_schema_spelling(type, name, strlen(name))->field, i);
        assert_int_equal(protojson_schema_spelling(type, json_name, strlen(json_name))->field, i);
        assert_null(protojson_schema_spelling(type, name, 4));
    }
    assert_null(protojson_schema_spelling(type, "", 0));
    assert_null(protojson_schema_spelling(type, "fieldname1x", 11));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protojson_schema_unsupported_type_is_refused),
        cmocka_unit_test(protojson_schema_entry_message_is_no_map),
        cmocka_unit_test(protojson_schema_holds_all_that_is_reachable),
        TEST(protojson_schema_spelling_finds_exactly_the_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
