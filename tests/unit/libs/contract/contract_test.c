/*
 * The tables against the contract as docs/ARCHITECTURE.md section 6 has it: outside checks use that
 * page, so what the protos say and what it says must not drift apart.
 */
#include "contract/contract.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <google/protobuf/descriptor.pb-c.h>
#include <stampede/api/v1/reason.pb-c.h>
#include <stdio.h>
#include <string.h>

#define SALES            "/stampede.sales.v1.SaleService/"
#define ORDERS           "/stampede.orders.v1.OrderService/"
#define OPS              "/stampede.ops.v1.OpsService/"
#define HEALTH           "/grpc.health.v1.Health/"
#define REFLECTION       "/grpc.reflection.v1.ServerReflection/"
#define REFLECTION_ALPHA "/grpc.reflection.v1alpha.ServerReflection/"

struct expected_method {
    const char *full_name;
    enum contract_access access;
    const char *route; /* "POST /v1/sales"; NULL for none */
    const char *body;
    const char *response_body;
    int status;
    bool streams;
};

static const struct expected_method expected_methods[] = {
    {SALES "CreateSale", CONTRACT_ACCESS_ADMIN, "POST /v1/sales", "", "sale", 201, false},
    {SALES "GetSale", CONTRACT_ACCESS_PUBLIC, "GET /v1/sales/{sale_id}", NULL, NULL, 200, false},
    {SALES "ListSales", CONTRACT_ACCESS_PUBLIC, "GET /v1/sales", NULL, NULL, 200, false},
    {SALES "UpdateSale", CONTRACT_ACCESS_ADMIN, "PATCH /v1/sales/{sale_id}", "", NULL, 200, false},
    {SALES "PauseSale", CONTRACT_ACCESS_ADMIN, "POST /v1/sales/{sale_id}:pause", "", NULL, 200,
     false},
    {SALES "ResumeSale", CONTRACT_ACCESS_ADMIN, "POST /v1/sales/{sale_id}:resume", "", NULL, 200,
     false},
    {SALES "EndSale", CONTRACT_ACCESS_ADMIN, "POST /v1/sales/{sale_id}:end", "", NULL, 200, false},
    {SALES "RestockSale", CONTRACT_ACCESS_ADMIN, "POST /v1/sales/{sale_id}:restock", "", "sale",
     200, false},
    {SALES "WatchSales", CONTRACT_ACCESS_PUBLIC, "GET /v1/sales/{sale_id}/events", NULL, NULL, 200,
     true},
    {SALES "ReadBoard", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, false},
    {ORDERS "PlaceOrder", CONTRACT_ACCESS_PUBLIC, "POST /v1/sales/{sale_id}/orders", "", "order",
     201, false},
    {ORDERS "BatchPlaceOrders", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, false},
    {ORDERS "GetOrder", CONTRACT_ACCESS_PUBLIC, "GET /v1/sales/{sale_id}/orders/{order_id}", NULL,
     NULL, 200, false},
    {ORDERS "ListOrders", CONTRACT_ACCESS_ADMIN, "GET /v1/sales/{sale_id}/orders", NULL, NULL, 200,
     false},
    {ORDERS "ConfirmOrder", CONTRACT_ACCESS_ADMIN,
     "POST /v1/sales/{sale_id}/orders/{order_id}:confirm", "", NULL, 200, false},
    {ORDERS "CancelOrder", CONTRACT_ACCESS_PUBLIC,
     "POST /v1/sales/{sale_id}/orders/{order_id}:cancel", "", NULL, 200, false},
    {ORDERS "StreamOrderEvents", CONTRACT_ACCESS_ADMIN, NULL, NULL, NULL, 200, true},
    {OPS "Drain", CONTRACT_ACCESS_ADMIN, NULL, NULL, NULL, 200, false},
    {OPS "GetStatus", CONTRACT_ACCESS_ADMIN, NULL, NULL, NULL, 200, false},
    {HEALTH "Check", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, false},
    {HEALTH "List", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, false},
    {HEALTH "Watch", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, true},
    {REFLECTION "ServerReflectionInfo", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, true},
    {REFLECTION_ALPHA "ServerReflectionInfo", CONTRACT_ACCESS_PUBLIC, NULL, NULL, NULL, 200, true},
};

static const struct contract_method *method_of(const char *full_name)
{
    const struct contract_method *method = contract_method_by_full_name(full_name);
    if (method == NULL) {
        fail_msg("%s is not in the contract", full_name);
    }
    return method;
}

static void check_route(const struct expected_method *expected,
                        const struct contract_method *method)
{
    if (expected->route == NULL) {
        assert_int_equal(method->route_count, 0);
        return;
    }
    char text[128];
    const struct contract_route *route = &method->routes[0];
    assert_int_equal(method->route_count, 1);
    snprintf(text, sizeof(text), "%s %s", route->http_method, route->template_text);
    assert_string_equal(text, expected->route);
    if (expected->body == NULL) {
        assert_null(route->body);
    } else {
        assert_string_equal(route->body, expected->body);
    }
    const ProtobufCFieldDescriptor *response = contract_field_descriptor(route->response_body);
    if (expected->response_body == NULL) {
        assert_null(response);
    } else {
        assert_string_equal(response->name, expected->response_body);
    }
}

/* A method more, or one that opened, is a change of the contract: somebody has to say so here. */
static void contract_methods_are_those_of_the_architecture(void **state)
{
    (void)state;
    assert_int_equal(contract_method_count, COUNT_OF(expected_methods));
    for (size_t i = 0; i < COUNT_OF(expected_methods); i++) {
        const struct expected_method *expected = &expected_methods[i];
        const struct contract_method *method = method_of(expected->full_name);
        assert_int_equal(method->access, expected->access);
        assert_int_equal(method->success_status, expected->status);
        assert_int_equal(method->server_streaming, expected->streams);
        assert_int_equal(method->client_streaming,
                         strstr(expected->full_name, "Reflection") != NULL);
        check_route(expected, method);
    }
}

/* The template's text, the segments and the verb say the same, for every route. */
static void contract_segments_spell_the_template(void **state)
{
    (void)state;
    size_t routes = 0;
    for (size_t i = 0; i < contract_method_count; i++) {
        for (size_t j = 0; j < contract_methods[i].route_count; j++, routes++) {
            const struct contract_route *route = &contract_methods[i].routes[j];
            char text[256] = "";
            for (size_t k = 0; k < route->segment_count; k++) {
                const struct contract_segment *segment = &route->segments[k];
                const ProtobufCFieldDescriptor *path[CONTRACT_PATH_MAX + 1];
                contract_path_descriptors(&segment->path, path);
                bool is_literal = segment->literal != NULL;
                assert_int_equal(segment->path.count, is_literal ? 0 : 1);
                strcat(text, is_literal ? "/" : "/{");
                strcat(text, is_literal ? segment->literal : path[0]->name);
                strcat(text, is_literal ? "" : "}");
            }
            if (route->verb != NULL) {
                strcat(text, ":");
                strcat(text, route->verb);
            }
            assert_string_equal(text, route->template_text);
        }
    }
    assert_int_equal(routes, 14);
}

/* The key that makes a retry safe comes in a header, and only there. */
static void contract_idempotency_key_is_a_required_header(void **state)
{
    (void)state;
    static const char *const names[] = {SALES "CreateSale", SALES "RestockSale",
                                        ORDERS "PlaceOrder"};
    size_t headers = 0;
    for (size_t i = 0; i < contract_method_count; i++) {
        headers += contract_methods[i].header_count;
    }
    assert_int_equal(headers, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct contract_method *method = method_of(names[i]);
        assert_int_equal(method->header_count, 1);
        assert_string_equal(method->headers[0].name, "idempotency-key");
        assert_string_equal(contract_field_descriptor(method->headers[0].field)->name,
                            "idempotency_key");
        assert_ptr_equal(method->headers[0].field.message, method->input);
        assert_int_equal(method->headers[0].missing_reason,
                         STAMPEDE__API__V1__REASON__IDEMPOTENCY_KEY_MISSING);
        assert_string_equal(contract_field_descriptor(method->replayed_field)->name, "replayed");
    }
}

static void check_location(const char *full_name, const char *const *parts, size_t count)
{
    const struct contract_method *method = method_of(full_name);
    assert_int_equal(method->location_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct contract_location_part *part = &method->location[i];
        if (parts[i][0] == '/' || parts[i][0] == '?') {
            assert_string_equal(part->text, parts[i]);
            continue;
        }
        const ProtobufCFieldDescriptor *path[CONTRACT_PATH_MAX + 1];
        char text[64];
        assert_null(part->text);
        contract_path_descriptors(&part->path, path);
        assert_int_equal(part->path.count, 2);
        snprintf(text, sizeof(text), "%s.%s", path[0]->name, path[1]->name);
        assert_string_equal(text, parts[i]);
    }
}

/* Whoever follows the Location of a placement gets the order, so it must name the customer too. */
static void contract_location_leads_to_what_was_made(void **state)
{
    (void)state;
    static const char *const sale[] = {"/v1/sales/", "sale.sale_id"};
    static const char *const order[] = {"/v1/sales/",     "order.sale_id", "/orders/",
                                        "order.order_id", "?customerId=",  "order.customer_id"};
    check_location(SALES "CreateSale", sale, COUNT_OF(sale));
    check_location(ORDERS "PlaceOrder", order, COUNT_OF(order));
    assert_int_equal(method_of(SALES "GetSale")->location_count, 0);
}

/* State changes without a write (a sale starts by the clock), so it is part of the ETag. */
static void contract_etag_of_a_sale_is_version_and_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < contract_method_count; i++) {
        const struct contract_method *method = &contract_methods[i];
        if (strcmp(method->full_name, SALES "GetSale") != 0) {
            assert_int_equal(method->etag_count, 0);
            continue;
        }
        assert_int_equal(method->etag_count, 2);
        assert_string_equal(contract_field_descriptor(method->etag_fields[0])->name, "version");
        assert_string_equal(contract_field_descriptor(method->etag_fields[1])->name, "state");
    }
}

struct expected_reason {
    const char *name;
    int grpc_code;
    int http_status;
};

/* Section 6's table of reasons. The edge's own three have codes that never leave the edge. */
static void contract_reasons_are_those_of_the_architecture(void **state)
{
    (void)state;
    static const struct expected_reason expected[] = {
        {"SOLD_OUT", 9, 409},
        {"CUSTOMER_LIMIT_REACHED", 9, 409},
        {"SALE_NOT_STARTED", 9, 409},
        {"SALE_ENDED", 9, 409},
        {"SALE_PAUSED", 9, 409},
        {"ILLEGAL_TRANSITION", 9, 409},
        {"IDEMPOTENCY_KEY_REUSED", 9, 422},
        {"IDEMPOTENCY_KEY_MISSING", 3, 400},
        {"INVALID_FIELD", 3, 400},
        {"MALFORMED_JSON", 3, 400},
        {"SALE_NOT_FOUND", 5, 404},
        {"ORDER_NOT_FOUND", 5, 404},
        {"ROUTE_NOT_FOUND", 5, 404},
        {"EVENTS_PRUNED", 11, 410},
        {"METHOD_NOT_ALLOWED", 12, 405},
        {"BODY_TOO_LARGE", 3, 413},
        {"UNSUPPORTED_MEDIA_TYPE", 3, 415},
        {"UNAUTHENTICATED", 16, 401},
        {"ADMIN_CLOSED", 7, 403},
        {"RATE_LIMITED", 8, 429},
        {"OVERLOADED", 8, 503},
        {"DRAINING", 14, 503},
        {"DATABASE_UNAVAILABLE", 14, 503},
        {"OUTCOME_UNKNOWN", 4, 504},
        {"METHOD_UNIMPLEMENTED", 12, 501},
        {"INTERNAL", 13, 500},
    };
    assert_int_equal(contract_reason_count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const struct contract_reason *reason = contract_reason_by_name(expected[i].name);
        assert_non_null(reason);
        assert_int_equal(reason->grpc_code, expected[i].grpc_code);
        assert_int_equal(reason->http_status, expected[i].http_status);
        assert_true(strlen(reason->title) > 0);
        assert_ptr_equal(contract_reason_by_number(reason->number), reason);
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(
            &stampede__api__v1__reason__descriptor, expected[i].name);
        assert_int_equal(value->value, reason->number);
    }
    assert_null(contract_reason_by_number(0));
    assert_null(contract_reason_by_name("REASON_UNSPECIFIED"));
    assert_null(contract_reason_by_name(""));
    assert_null(contract_reason_by_number(-1));
}

/* What is not in the tables is not found, and nothing is found by half its name. */
static void contract_unknown_names_are_not_found(void **state)
{
    (void)state;
    assert_null(contract_method_by_full_name(""));
    assert_null(contract_method_by_full_name("stampede.sales.v1.SaleService/GetSale"));
    assert_null(contract_method_by_full_name(SALES "GetSal"));
    assert_null(contract_method_by_full_name(SALES "GetSales"));
    assert_null(contract_file_by_name("sales.proto"));
    assert_null(contract_file_by_symbol("stampede.sales.v1"));
}

/* A status without our ErrorInfo still has to become some HTTP status, whatever its number. */
static void contract_every_code_has_an_http_status(void **state)
{
    (void)state;
    static const int expected[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
                                   400, 409, 400, 501, 500, 503, 500, 401};
    for (int code = 0; code < (int)COUNT_OF(expected); code++) {
        assert_int_equal(contract_http_status_of_code(code), expected[code]);
    }
    assert_int_equal(contract_http_status_of_code(17), 500);
    assert_int_equal(contract_http_status_of_code(-1), 500);
    assert_int_equal(contract_http_status_of_code(INT32_MAX), 500);
    assert_int_equal(contract_http_status_of_code(INT32_MIN), 500);
}

/* Whether a file's options kept what this program does not understand: ours and google's. */
static bool keeps_custom_options(const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t i = 0; i < file->n_service; i++) {
        const Google__Protobuf__MethodDescriptorProto *method = file->service[i]->method[0];
        if (method->options == NULL || method->options->base.n_unknown_fields == 0) {
            return false;
        }
    }
    return true;
}

/*
 * A client of reflection asks for a file and then for what it imports: each file must decode under
 * its own name, with every import at hand, and without the comments that make it three times as
 * large.
 */
static void contract_files_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < contract_file_count; i++) {
        const struct contract_file *file = &contract_files[i];
        Google__Protobuf__FileDescriptorProto *proto =
            google__protobuf__file_descriptor_proto__unpack(NULL, file->length, file->bytes);
        assert_non_null(proto);
        assert_string_equal(proto->name, file->name);
        assert_null(proto->source_code_info);
        assert_true(keeps_custom_options(proto));
        size_t count = 0;
        for (; file->dependencies[count] != NULL; count++) {
            assert_string_equal(proto->dependency[count], file->dependencies[count]);
            assert_non_null(contract_file_by_name(file->dependencies[count]));
        }
        assert_int_equal(proto->n_dependency, count);
        assert_int_equal(proto->n_extension, file->extension_count);
        google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
    }
}

static void check_symbol(const char *symbol, const char *file_name)
{
    const struct contract_file *file = contract_file_by_symbol(symbol);
    assert_non_null(file);
    assert_string_equal(file->name, file_name);
}

/* Reflection is asked for services, methods, messages, nested types, enums and extensions. */
static void contract_symbols_lead_to_their_files(void **state)
{
    (void)state;
    check_symbol("stampede.sales.v1.SaleService", "stampede/sales/v1/sales.proto");
    check_symbol("stampede.sales.v1.SaleService.GetSale", "stampede/sales/v1/sales.proto");
    check_symbol("stampede.sales.v1.Sale", "stampede/sales/v1/sales.proto");
    check_symbol("stampede.sales.v1.Sale.State", "stampede/sales/v1/sales.proto");
    check_symbol("stampede.api.v1.Reason", "stampede/api/v1/reason.proto");
    check_symbol("stampede.api.v1.method", "stampede/api/v1/options.proto");
    check_symbol("google.protobuf.Timestamp", "google/protobuf/timestamp.proto");
    check_symbol("grpc.health.v1.HealthListResponse.StatusesEntry", "grpc/health/v1/health.proto");
    const struct contract_file *options = contract_file_by_name("stampede/api/v1/options.proto");
    assert_int_equal(options->extension_count, 3);
    assert_string_equal(options->extensions[0].extendee, "google.protobuf.MethodOptions");
    assert_int_equal(options->extensions[0].number, 50100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract_methods_are_those_of_the_architecture),
        cmocka_unit_test(contract_segments_spell_the_template),
        cmocka_unit_test(contract_idempotency_key_is_a_required_header),
        cmocka_unit_test(contract_location_leads_to_what_was_made),
        cmocka_unit_test(contract_etag_of_a_sale_is_version_and_state),
        cmocka_unit_test(contract_reasons_are_those_of_the_architecture),
        cmocka_unit_test(contract_unknown_names_are_not_found),
        cmocka_unit_test(contract_every_code_has_an_http_status),
        cmocka_unit_test(contract_files_are_complete),
        cmocka_unit_test(contract_symbols_lead_to_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
