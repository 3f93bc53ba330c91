#include "contract/contract.h"

#include "base/check.h"

#include <pthread.h>
#include <string.h>

/* Twice as many slots as methods, at least, so that a look-up ends after a step or two. */
#define METHOD_SLOTS 128

/* The end of a method's full name that tells it from the others. */
#define METHOD_TAIL_CHARS 8

/* Where to look for a method: its index in the table and one, at its hash or behind; 0 is empty. */
static struct {
    pthread_once_t once;
    uint8_t slots[METHOD_SLOTS];
} method_index = {.once = PTHREAD_ONCE_INIT};

/* What HTTP says for a gRPC code that carries no reason of ours (google/rpc/code.proto). */
static const int status_of_code[] = {
    [0] = 200,  /* OK */
    [1] = 499,  /* CANCELLED: the client is gone */
    [2] = 500,  /* UNKNOWN */
    [3] = 400,  /* INVALID_ARGUMENT */
    [4] = 504,  /* DEADLINE_EXCEEDED */
    [5] = 404,  /* NOT_FOUND */
    [6] = 409,  /* ALREADY_EXISTS */
    [7] = 403,  /* PERMISSION_DENIED */
    [8] = 429,  /* RESOURCE_EXHAUSTED */
    [9] = 400,  /* FAILED_PRECONDITION */
    [10] = 409, /* ABORTED */
    [11] = 400, /* OUT_OF_RANGE */
    [12] = 501, /* UNIMPLEMENTED */
    [13] = 500, /* INTERNAL */
    [14] = 503, /* UNAVAILABLE */
    [15] = 500, /* DATA_LOSS */
    [16] = 401, /* UNAUTHENTICATED */
};

void contract_path_descriptors(const struct contract_path *path,
                               const ProtobufCFieldDescriptor *ret[CONTRACT_PATH_MAX + 1])
{
    CHECK(path->count <= CONTRACT_PATH_MAX);
    for (size_t i = 0; i < path->count; i++) {
        ret[i] = contract_field_descriptor(path->fields[i]);
    }
    ret[path->count] = NULL;
}

/* FNV-1a of the length and the last characters: services are few, and what differs comes last. */
static size_t method_slot(const char *full_name)
{
    size_t length = strlen(full_name);
    size_t from = length > METHOD_TAIL_CHARS ? length - METHOD_TAIL_CHARS : 0;
    uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)length;
    for (size_t i = from; i < length; i++) {
        hash = (hash ^ (unsigned char)full_name[i]) * UINT32_C(16777619);
    }
    return (hash ^ hash >> 16) % METHOD_SLOTS;
}

static void index_methods(void)
{
    CHECK(contract_method_count <= METHOD_SLOTS / 2);
    for (size_t i = 0; i < contract_method_count; i++) {
        size_t slot = method_slot(contract_methods[i].full_name);
        while (method_index.slots[slot] != 0) {
            slot = (slot + 1) % METHOD_SLOTS;
        }
        method_index.slots[slot] = (uint8_t)(i + 1);
    }
}

const struct contract_method *contract_method_by_full_name(const char *full_name)
{
    pthread_once(&method_index.once, index_methods);
    size_t slot = method_slot(full_name);
    while (method_index.slots[slot] != 0) {
        const struct contract_method *method = &contract_methods[method_index.slots[slot] - 1];
        if (strcmp(method->full_name, full_name) == 0) {
            return method;
        }
        slot = (slot + 1) % METHOD_SLOTS;
    }
    return NULL;
}

const struct contract_reason *contract_reason_by_number(int number)
{
    for (size_t i = 0; i < contract_reason_count; i++) {
        if (contract_reasons[i].number == number) {
            return &contract_reasons[i];
        }
    }
    return NULL;
}

const struct contract_reason *contract_reason_by_name(const char *name)
{
    for (size_t i = 0; i < contract_reason_count; i++) {
        if (strcmp(contract_reasons[i].name, name) == 0) {
            return &contract_reasons[i];
        }
    }
    return NULL;
}

const struct contract_file *contract_file_by_name(const char *name)
{
    for (size_t i = 0; i < contract_file_count; i++) {
        if (strcmp(contract_files[i].name, name) == 0) {
            return &contract_files[i];
        }
    }
    return NULL;
}

const struct contract_file *contract_file_by_symbol(const char *symbol)
{
    for (size_t i = 0; i < contract_file_count; i++) {
        for (const char *const *s = contract_files[i].symbols; *s != NULL; s++) {
            if (strcmp(*s, symbol) == 0) {
                return &contract_files[i];
            }
        }
    }
    return NULL;
}

int contract_http_status_of_code(int grpc_code)
{
    if (grpc_code < 0 || (size_t)grpc_code >= COUNT_OF(status_of_code)) {
        return 500;
    }
    return status_of_code[grpc_code];
}
