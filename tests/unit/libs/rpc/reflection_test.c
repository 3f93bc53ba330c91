/* Server reflection: what clients without our .proto files learn everything from. */
#include "rpc/reflection.h"

#include "contract/contract.h"
#include "loopback.h"

#include <google/protobuf/descriptor.pb-c.h>
#include <grpc/reflection/v1/reflection.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define METHOD       "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
#define METHOD_ALPHA "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
#define ASKS(what)   GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define TELLS(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

struct ends {
    struct rpc_reflection *reflection;
    struct rpc_server *server;
    struct rpc_channel *channel;
};

/* What a stream of one request has brought; awaited comes first, for the end. */
struct asked {
    struct awaited awaited;
    response_message *response;
};

static void open_ends(struct ends *ends)
{
    struct rpc_server_config config = loopback_server_config();
    int port;
    assert_int_equal(rpc_reflection_create(&ends->reflection), 0);
    assert_int_equal(rpc_server_create(&config, &ends->server), 0);
    assert_int_equal(rpc_reflection_add_to(ends->reflection, ends->server), 0);
    assert_int_equal(rpc_server_start(ends->server, &port), 0);
    ends->channel = loopback_connect(port);
}

static void close_ends(struct ends *ends)
{
    rpc_channel_destroy(ends->channel);
    assert_int_equal(loopback_end(ends->server), 0);
    rpc_reflection_destroy(ends->reflection);
}

static void on_message(const ProtobufCMessage *message, void *data)
{
    struct asked *asked = data;
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(length);
    assert_non_null(bytes);
    protobuf_c_message_pack(message, bytes);
    asked->response = grpc__reflection__v1__server_reflection_response__unpack(NULL, length, bytes);
    free(bytes);
}

/* The one answer to one request; the caller frees it. */
static response_message *ask(struct ends *ends, const char *method, const request_message *message)
{
    struct asked asked = {.response = NULL};
    awaited_init(&asked.awaited);
    struct rpc_request request = loopback_request(&message->base, &asked.awaited);
    request.full_method = method;
    request.reply_type = &grpc__reflection__v1__server_reflection_response__descriptor;
    request.on_message = on_message;
    rpc_channel_call(ends->channel, &request, NULL);
    assert_int_equal(awaited_end(&asked.awaited)->status.code, RPC_OK);
    awaited_fini(&asked.awaited);
    assert_non_null(asked.response);
    return asked.response;
}

static void free_response(response_message *response)
{
    grpc__reflection__v1__server_reflection_response__free_unpacked(response, NULL);
}

static request_message request_for_symbol(const char *symbol)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.host = (char *)(uintptr_t) "shop.example";
    request.message_request_case = ASKS(FILE_CONTAINING_SYMBOL);
    request.file_containing_symbol = (char *)(uintptr_t)symbol;
    return request;
}

static bool lists(const Grpc__Reflection__V1__ListServiceResponse *list, const char *name)
{
    for (size_t i = 0; i < list->n_service; i++) {
        if (strcmp(list->service[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_services(struct ends *ends, const char *method)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = ASKS(LIST_SERVICES);
    request.list_services = (char *)(uintptr_t) "*";
    response_message *response = ask(ends, method, &request);
    assert_int_equal(response->message_response_case, TELLS(LIST_SERVICES_RESPONSE));
    assert_int_equal(response->list_services_response->n_service, 6);
    assert_true(lists(response->list_services_response, "stampede.orders.v1.OrderService"));
    assert_true(lists(response->list_services_response, "stampede.sales.v1.SaleService"));
    assert_true(lists(response->list_services_response, "stampede.ops.v1.OpsService"));
    assert_true(lists(response->list_services_response, "grpc.health.v1.Health"));
    assert_true(lists(response->list_services_response, "grpc.reflection.v1.ServerReflection"));
    assert_true(
        lists(response->list_services_response, "grpc.reflection.v1alpha.ServerReflection"));
    free_response(response);
}

/* Old clients speak v1alpha only, new ones try v1 first: both hear the same. */
static void reflection_list_names_every_service_in_both_versions(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    check_services(&ends, METHOD);
    check_services(&ends, METHOD_ALPHA);
    close_ends(&ends);
}

/* A client builds its types from what comes: the file asked for first, every import once. */
static void reflection_symbol_brings_its_file_and_all_imports(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    request_message request = request_for_symbol("stampede.orders.v1.OrderService.PlaceOrder");
    response_message *response = ask(&ends, METHOD, &request);
    assert_int_equal(response->message_response_case, TELLS(FILE_DESCRIPTOR_RESPONSE));
    assert_string_equal(response->valid_host, "shop.example");
    assert_string_equal(response->original_request->file_containing_symbol,
                        request.file_containing_symbol);
    const Grpc__Reflection__V1__FileDescriptorResponse *files = response->file_descriptor_response;
    bool has_timestamp = false;
    for (size_t i = 0; i < files->n_file_descriptor_proto; i++) {
        const ProtobufCBinaryData *bytes = &files->file_descriptor_proto[i];
        Google__Protobuf__FileDescriptorProto *file =
            google__protobuf__file_descriptor_proto__unpack(NULL, bytes->len, bytes->data);
        assert_non_null(file);
        if (i == 0) {
            assert_string_equal(file->name, "stampede/orders/v1/orders.proto");
        }
        has_timestamp |= strcmp(file->name, "google/protobuf/timestamp.proto") == 0;
        google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    }
    assert_true(has_timestamp);
    assert_in_range(files->n_file_descriptor_proto, 2, contract_file_count);
    free_response(response);
    close_ends(&ends);
}

/* Options of ours are extensions: a client asks for their numbers and then for their file. */
static void reflection_extension_is_found_by_type_and_number(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    request.message_request_case = ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE);
    request.all_extension_numbers_of_type = (char *)(uintptr_t) "google.protobuf.FieldOptions";
    response_message *response = ask(&ends, METHOD, &request);
    assert_int_equal(response->message_response_case, TELLS(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 1);
    assert_int_equal(response->all_extension_numbers_response->extension_number[0], 50101);
    free_response(response);

    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    extension.containing_type = request.all_extension_numbers_of_type;
    extension.extension_number = 50101;
    request.message_request_case = ASKS(FILE_CONTAINING_EXTENSION);
    request.file_containing_extension = &extension;
    response = ask(&ends, METHOD, &request);
    assert_int_equal(response->message_response_case, TELLS(FILE_DESCRIPTOR_RESPONSE));
    free_response(response);
    close_ends(&ends);
}

static void check_error(struct ends *ends, const request_message *request, int code)
{
    response_message *response = ask(ends, METHOD, request);
    assert_int_equal(response->message_response_case, TELLS(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, code);
    assert_int_not_equal(strlen(response->error_response->error_message), 0);
    free_response(response);
}

/* What is not there is an answer of its own; the stream goes on. */
static void reflection_unknown_names_are_answered_not_found(void **state)
{
    (void)state;
    struct ends ends;
    open_ends(&ends);
    request_message request = request_for_symbol("stampede.orders.v1.Nothing");
    check_error(&ends, &request, RPC_NOT_FOUND);
    request.message_request_case = ASKS(FILE_BY_FILENAME);
    request.file_by_filename = (char *)(uintptr_t) "nothing.proto";
    check_error(&ends, &request, RPC_NOT_FOUND);
    request.message_request_case = ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE);
    request.all_extension_numbers_of_type = (char *)(uintptr_t) "stampede.Nothing";
    check_error(&ends, &request, RPC_NOT_FOUND);
    request.message_request_case = ASKS(_NOT_SET);
    check_error(&ends, &request, RPC_INVALID_ARGUMENT);
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reflection_list_names_every_service_in_both_versions),
        cmocka_unit_test(reflection_symbol_brings_its_file_and_all_imports),
        cmocka_unit_test(reflection_extension_is_found_by_type_and_number),
        cmocka_unit_test(reflection_unknown_names_are_answered_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
