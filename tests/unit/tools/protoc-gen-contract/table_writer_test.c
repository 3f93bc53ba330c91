/*
 * What the generator makes of accepted.proto, compiled and looked at through contract.h: the same
 * way in which the real tables are used.
 */
#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <accepted.pb-c.h>
#include <cmocka.h>
#include <string.h>

static const struct contract_method *method_of(const char *name)
{
    char full_name[128] = "/accepted.v1alpha.ShelfService/";
    strcat(full_name, name);
    const struct contract_method *method = contract_method_by_full_name(full_name);
    assert_non_null(method);
    return method;
}

static void check_path(const struct contract_path *path, const char *const *names, size_t count)
{
    const ProtobufCFieldDescriptor *fields[CONTRACT_PATH_MAX + 1];
    assert_int_equal(path->count, count);
    contract_path_descriptors(path, fields);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(fields[i]->name, names[i]);
    }
    assert_null(fields[count]);
}

/* A variable may lead into messages; fields are found although the proto has them in another order.
 */
static void table_writer_route_has_nested_variables(void **state)
{
    (void)state;
    const struct contract_method *method = method_of("GetBook");
    assert_ptr_equal(method->input, &accepted__v1alpha__get_book_request__descriptor);
    assert_ptr_equal(method->output, &accepted__v1alpha__book__descriptor);
    assert_int_equal(method->route_count, 4);
    const struct contract_route *route = &method->routes[0];
    assert_string_equal(route->http_method, "GET");
    assert_string_equal(route->template_text, "/v1/{shelf.room.name}/books/{book_id}");
    assert_int_equal(route->segment_count, 4);
    assert_string_equal(route->segments[0].literal, "v1");
    assert_int_equal(route->segments[0].path.count, 0);
    static const char *const room[] = {"shelf", "room", "name"};
    assert_null(route->segments[1].literal);
    check_path(&route->segments[1].path, room, 3);
    static const char *const book[] = {"book_id"};
    check_path(&route->segments[3].path, book, 1);
    assert_null(route->verb);
    assert_null(route->body);
    assert_null(contract_field_descriptor(route->body_field));
    assert_null(contract_field_descriptor(route->response_body));
}

/* A literal may stand where another route of the method has a variable: it is the more specific. */
static void table_writer_additional_bindings_follow_in_order(void **state)
{
    (void)state;
    const struct contract_method *method = method_of("GetBook");
    assert_string_equal(method->routes[1].template_text, "/v1/books/special");
    assert_string_equal(method->routes[2].template_text, "/v1/books/{book_id}");
    const struct contract_route *custom = &method->routes[3];
    assert_string_equal(custom->http_method, "QUERY");
    assert_string_equal(custom->segments[1].literal, "books-~a");
    assert_string_equal(custom->verb, "seek");
}

/* Options that are written in pieces arrive in pieces and are one. */
static void table_writer_repeated_option_is_merged(void **state)
{
    (void)state;
    const struct contract_method *method = method_of("GetBook");
    assert_int_equal(method->access, CONTRACT_ACCESS_PUBLIC);
    assert_int_equal(method->success_status, 200);
    assert_int_equal(method->etag_count, 2);
    assert_string_equal(contract_field_descriptor(method->etag_fields[0])->name, "title");
    assert_string_equal(contract_field_descriptor(method->etag_fields[1])->name, "HTTPCode");
}

/* A body that is one field, a reply that is one, and a Location with characters that C escapes. */
static void table_writer_bodies_and_location_are_resolved(void **state)
{
    (void)state;
    const struct contract_method *method = method_of("PutBook");
    const struct contract_route *route = &method->routes[0];
    assert_string_equal(route->body, "book");
    assert_string_equal(contract_field_descriptor(route->body_field)->name, "book");
    assert_ptr_equal(route->response_body.message, &accepted__v1alpha__put_book_reply__descriptor);
    assert_int_equal(method->access, CONTRACT_ACCESS_ADMIN);
    assert_int_equal(method->success_status, 202);
    assert_null(contract_field_descriptor(method->replayed_field));
    assert_int_equal(method->header_count, 1);
    assert_string_equal(method->headers[0].name, "if-match");
    assert_int_equal(method->headers[0].missing_reason, 0);
    assert_string_equal(contract_field_descriptor(method->headers[0].field)->name, "if_match");
    assert_int_equal(method->location_count, 6);
    assert_string_equal(method->location[0].text, "/v1/");
    static const char *const name[] = {"book", "shelf", "room", "name"};
    check_path(&method->location[3].path, name, 4);
    assert_string_equal(method->location[4].text, "?x=\"y\"#");
    static const char *const count[] = {"count"};
    check_path(&method->location[5].path, count, 1);
}

/* A method without options is closed and has no routes: forgetting one opens nothing. */
static void table_writer_method_without_options_is_closed(void **state)
{
    (void)state;
    const struct contract_method *method = method_of("Talk");
    assert_int_equal(method->access, CONTRACT_ACCESS_ADMIN);
    assert_int_equal(method->route_count, 0);
    assert_true(method->client_streaming && method->server_streaming);
    assert_int_equal(method_of("DropBook")->access, CONTRACT_ACCESS_ADMIN);
    assert_string_equal(method_of("DropBook")->routes[0].http_method, "DELETE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_writer_route_has_nested_variables),
        cmocka_unit_test(table_writer_additional_bindings_follow_in_order),
        cmocka_unit_test(table_writer_repeated_option_is_merged),
        cmocka_unit_test(table_writer_bodies_and_location_are_resolved),
        cmocka_unit_test(table_writer_method_without_options_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
