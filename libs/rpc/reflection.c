/*
 * A stream asks and is answered one request at a time, under the lock of the streams:
 *
 *   asked ──answer──▶ sending ──sent──▶ waiting ──request──▶ asked
 *                        │                 │
 *                        └─caller gone─────┴─no more requests, or the server stops──▶ closed
 *
 * The server's stop ends what is waiting; what is being sent hears of it when it has been.
 */
#include "rpc/reflection.h"

#include "base/arena.h"
#include "contract/contract.h"
#include "rpc/server.h"
#include "rpc/streams.h"

#include <errno.h>
#include <grpc/reflection/v1/reflection.pb-c.h>
#include <stdlib.h>
#include <string.h>

#define METHOD_NAME  "ServerReflectionInfo"
#define ALPHA_NAME   "grpc.reflection.v1alpha.ServerReflection"
#define SERVICES_MAX 16

/* What protoc-c calls them is too long to read. */
typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;
#define ASKS(what)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define TELLS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

struct stream {
    struct rpc_stream stream;
    struct rpc_reflection *reflection;
    bool is_sending;
};

struct rpc_reflection {
    ProtobufCServiceDescriptor alpha; /* v1's under v1alpha's name */
    struct rpc_streams streams;
};

/* --- What is told ----------------------------------------------------------------------------- */

/* One answer with all that it may point at; the sets are as large as the contract, at most. */
struct answer {
    response_message message;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ExtensionNumberResponse extensions;
    Grpc__Reflection__V1__ListServiceResponse services;
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__ServiceResponse service_items[SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_pointers[SERVICES_MAX];
    ProtobufCBinaryData *file_bytes; /* contract_file_count of them */
    int32_t *numbers;                /* as many as there are extensions */
};

static void tell_error(struct answer *answer, enum rpc_code code, const char *text)
{
    grpc__reflection__v1__error_response__init(&answer->error);
    answer->error.error_code = (int32_t)code;
    answer->error.error_message = (char *)(uintptr_t)text;
    answer->message.message_response_case = TELLS(ERROR_RESPONSE);
    answer->message.error_response = &answer->error;
}

static bool has_file(const struct answer *answer, const struct contract_file *file)
{
    for (size_t i = 0; i < answer->files.n_file_descriptor_proto; i++) {
        if (answer->file_bytes[i].data == file->bytes) {
            return true;
        }
    }
    return false;
}

static void add_file(struct answer *answer, const struct contract_file *file)
{
    if (!has_file(answer, file)) {
        CHECK(answer->files.n_file_descriptor_proto < contract_file_count);
        answer->file_bytes[answer->files.n_file_descriptor_proto++] =
            (ProtobufCBinaryData){.len = file->length, .data = (uint8_t *)(uintptr_t)file->bytes};
    }
}

static const struct contract_file *file_of_bytes(const uint8_t *bytes)
{
    for (size_t i = 0; i < contract_file_count; i++) {
        if (contract_files[i].bytes == bytes) {
            return &contract_files[i];
        }
    }
    UNREACHABLE("only files of the contract are told");
}

/* The file first, then what it imports, directly or not, each once. */
static void tell_file(struct answer *answer, const struct contract_file *file)
{
    if (file == NULL) {
        tell_error(answer, RPC_NOT_FOUND, "nothing of this name is known here");
        return;
    }
    grpc__reflection__v1__file_descriptor_response__init(&answer->files);
    add_file(answer, file);
    for (size_t i = 0; i < answer->files.n_file_descriptor_proto; i++) {
        const char *const *dependency = file_of_bytes(answer->file_bytes[i].data)->dependencies;
        for (; *dependency != NULL; dependency++) {
            const struct contract_file *imported = contract_file_by_name(*dependency);
            CHECK(imported != NULL);
            add_file(answer, imported);
        }
    }
    answer->files.file_descriptor_proto = answer->file_bytes;
    answer->message.message_response_case = TELLS(FILE_DESCRIPTOR_RESPONSE);
    answer->message.file_descriptor_response = &answer->files;
}

static const struct contract_file *file_of_extension(
    const Grpc__Reflection__V1__ExtensionRequest *wanted)
{
    for (size_t i = 0; i < contract_file_count; i++) {
        for (size_t j = 0; j < contract_files[i].extension_count; j++) {
            const struct contract_extension *extension = &contract_files[i].extensions[j];
            if (extension->number == wanted->extension_number &&
                strcmp(extension->extendee, wanted->containing_type) == 0) {
                return &contract_files[i];
            }
        }
    }
    return NULL;
}

static void tell_extensions(struct answer *answer, const char *type)
{
    grpc__reflection__v1__extension_number_response__init(&answer->extensions);
    for (size_t i = 0; i < contract_file_count; i++) {
        for (size_t j = 0; j < contract_files[i].extension_count; j++) {
            const struct contract_extension *extension = &contract_files[i].extensions[j];
            if (strcmp(extension->extendee, type) == 0) {
                answer->numbers[answer->extensions.n_extension_number++] = extension->number;
            }
        }
    }
    if (answer->extensions.n_extension_number == 0 && contract_file_by_symbol(type) == NULL) {
        tell_error(answer, RPC_NOT_FOUND, "there is no such message");
        return;
    }
    answer->extensions.base_type_name = (char *)(uintptr_t)type;
    answer->extensions.extension_number = answer->numbers;
    answer->message.message_response_case = TELLS(ALL_EXTENSION_NUMBERS_RESPONSE);
    answer->message.all_extension_numbers_response = &answer->extensions;
}

static bool has_service(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->services.n_service; i++) {
        if (strcmp(answer->service_items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Every service of the contract is served; each appears as often as it has methods. */
static void tell_services(struct answer *answer)
{
    grpc__reflection__v1__list_service_response__init(&answer->services);
    for (size_t i = 0; i < contract_method_count; i++) {
        const char *name = contract_methods[i].service_name;
        size_t at = answer->services.n_service;
        if (has_service(answer, name)) {
            continue;
        }
        CHECK(at < SERVICES_MAX);
        grpc__reflection__v1__service_response__init(&answer->service_items[at]);
        answer->service_items[at].name = (char *)(uintptr_t)name;
        answer->service_pointers[at] = &answer->service_items[at];
        answer->services.n_service++;
    }
    answer->services.service = answer->service_pointers;
    answer->message.message_response_case = TELLS(LIST_SERVICES_RESPONSE);
    answer->message.list_services_response = &answer->services;
}

static void fill(struct answer *answer, const request_message *request)
{
    grpc__reflection__v1__server_reflection_response__init(&answer->message);
    answer->message.valid_host = request->host;
    answer->message.original_request = (request_message *)(uintptr_t)request;
    switch (request->message_request_case) {
    case ASKS(FILE_BY_FILENAME):
        tell_file(answer, contract_file_by_name(request->file_by_filename));
        return;
    case ASKS(FILE_CONTAINING_SYMBOL):
        tell_file(answer, contract_file_by_symbol(request->file_containing_symbol));
        return;
    case ASKS(FILE_CONTAINING_EXTENSION):
        tell_file(answer, file_of_extension(request->file_containing_extension));
        return;
    case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
        tell_extensions(answer, request->all_extension_numbers_of_type);
        return;
    case ASKS(LIST_SERVICES):
        tell_services(answer);
        return;
    default:
        tell_error(answer, RPC_INVALID_ARGUMENT, "the request asks for nothing that is known");
    }
}

/* NULL when there is no memory. The caller frees it with its arrays behind it. */
static struct answer *make_answer(const request_message *request)
{
    size_t extensions = 0;
    for (size_t i = 0; i < contract_file_count; i++) {
        extensions += contract_files[i].extension_count;
    }
    struct answer *answer =
        calloc(1, sizeof(*answer) + contract_file_count * sizeof(ProtobufCBinaryData) +
                      extensions * sizeof(int32_t));
    if (answer == NULL) {
        return NULL;
    }
    answer->file_bytes = (void *)(answer + 1);
    answer->numbers = (void *)(answer->file_bytes + contract_file_count);
    fill(answer, request);
    return answer;
}

/* --- Streams ---------------------------------------------------------------------------------- */

static void fail(struct rpc_call *call, enum rpc_code code, const char *text)
{
    rpc_call_fail(call, &(struct rpc_status){.code = code, .message = text});
}

static void on_sent(struct rpc_call *call, bool cancelled, void *data)
{
    struct stream *stream = data;
    struct rpc_reflection *reflection = stream->reflection;

    rpc_streams_lock(&reflection->streams);
    bool ends = cancelled || rpc_streams_is_stopping_locked(&reflection->streams);
    stream->is_sending = false;
    if (ends) {
        rpc_streams_close_locked(&stream->stream);
    } else {
        rpc_call_receive(call); /* under the lock: afterwards the stop may finish the call */
    }
    rpc_streams_unlock(&reflection->streams);
    if (ends) {
        fail(call, RPC_UNAVAILABLE, "the server is stopping");
    }
}

/* A new stream; NULL when there are too many of them, or none any more. */
static struct stream *open_locked(struct rpc_reflection *reflection, struct rpc_call *call)
{
    struct stream *stream = arena_calloc(rpc_call_arena(call), 1, sizeof(*stream));
    if (stream == NULL ||
        rpc_streams_open_locked(&reflection->streams, &stream->stream, call) != RPC_OK) {
        return NULL;
    }
    stream->reflection = reflection;
    rpc_call_set_stream(call, stream);
    return stream;
}

static bool was_closed_locked(const struct stream *stream)
{
    return stream != NULL && !rpc_streams_is_open_locked(&stream->stream);
}

/* No further request follows; stream is NULL where there never was one. */
static void on_last(struct rpc_reflection *reflection, struct rpc_call *call, struct stream *stream)
{
    rpc_streams_lock(&reflection->streams);
    bool was_ended = was_closed_locked(stream);
    if (stream != NULL && !was_ended) {
        rpc_streams_close_locked(&stream->stream);
    }
    rpc_streams_unlock(&reflection->streams);
    if (!was_ended) {
        rpc_call_finish(call, NULL);
    }
}

/* Whether the request is one that is to be answered, or was until the stop ended its stream. */
static bool take_request_locked(struct rpc_reflection *reflection, struct rpc_call *call,
                                struct stream **stream)
{
    if (*stream == NULL) {
        *stream = open_locked(reflection, call);
    }
    return *stream != NULL && rpc_streams_is_open_locked(&(*stream)->stream);
}

static void on_request(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    struct rpc_reflection *reflection = data;
    struct stream *stream = rpc_call_stream(call);
    if (message == NULL) {
        on_last(reflection, call, stream);
        return;
    }
    struct answer *answer = make_answer((const void *)message);
    rpc_streams_lock(&reflection->streams);
    bool was_ended = was_closed_locked(stream);
    bool taken = take_request_locked(reflection, call, &stream);
    if (taken && answer != NULL) {
        stream->is_sending = true;
        rpc_call_send(call, &answer->message.base, on_sent, stream);
    } else if (taken) {
        rpc_streams_close_locked(&stream->stream);
    }
    rpc_streams_unlock(&reflection->streams);
    if (!was_ended && (!taken || answer == NULL)) {
        fail(call, RPC_RESOURCE_EXHAUSTED, "no more reflection streams");
    }
    free(answer);
}

static bool end_locked(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    (void)ending;
    if (LIST_OBJECT(held, struct stream, stream)->is_sending) {
        return false;
    }
    rpc_streams_close_locked(held);
    return true;
}

static void finish(struct rpc_stream *held, enum rpc_streams_ending ending)
{
    (void)ending;
    fail(held->call, RPC_UNAVAILABLE, "the server is stopping");
}

/* --- Both versions ---------------------------------------------------------------------------- */

int rpc_reflection_create(struct rpc_reflection **ret)
{
    struct rpc_reflection *reflection = calloc(1, sizeof(*reflection));
    if (reflection == NULL) {
        return -ENOMEM;
    }
    rpc_streams_init(&reflection->streams, RPC_REFLECTION_STREAMS_MAX, end_locked, finish);
    reflection->alpha = grpc__reflection__v1__server_reflection__descriptor;
    reflection->alpha.name = ALPHA_NAME;
    *ret = reflection;
    return 0;
}

void rpc_reflection_destroy(struct rpc_reflection *reflection)
{
    if (reflection == NULL) {
        return;
    }
    rpc_streams_fini(&reflection->streams);
    free(reflection);
}

int rpc_reflection_add_to(struct rpc_reflection *reflection, struct rpc_server *server)
{
    const ProtobufCServiceDescriptor *services[] = {
        &grpc__reflection__v1__server_reflection__descriptor, &reflection->alpha};
    for (size_t i = 0; i < COUNT_OF(services); i++) {
        struct rpc_method method = {
            .service = services[i],
            .name = METHOD_NAME,
            .kind = RPC_BIDI_STREAM,
            .handle = on_request,
            .data = reflection,
            .slots = 2,
            .reserved = true,
        };
        int error = rpc_server_add(server, &method);
        if (error != 0) {
            return error;
        }
    }
    rpc_streams_end_with(&reflection->streams, server);
    return 0;
}
