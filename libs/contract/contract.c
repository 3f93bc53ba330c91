#include "contract/contract.h"

#include "base/check.h"

#include <string.h>

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

const struct contract_method *contract_method_by_full_name(const char *full_name)
{
    for (size_t i = 0; i < contract_method_count; i++) {
        if (strcmp(contract_methods[i].full_name, full_name) == 0) {
            return &contract_methods[i];
        }
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
