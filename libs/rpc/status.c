/*
 * Between struct rpc_status and google.rpc.Status. Going out, details are cut until they fit the
 * metadata that carries them: violations from the end, then RetryInfo, then ErrorInfo. Coming in,
 * everything is untrusted: what cannot be read is left out.
 */
#include "rpc/status.h"

#include "base/arena.h"
#include "base/clock.h"
#include "rpc/message.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/"
#define DETAILS_MAX 3 /* kinds of detail that are sent */
/* Tag, type_url and two lengths of one Any, generously. */
#define ANY_OVERHEAD_BYTES 64

_Static_assert(sizeof(TYPE_PREFIX "google.rpc.BadRequest") + 8 < ANY_OVERHEAD_BYTES,
               "the overhead of an Any covers its type_url");

/* The length of text cut to at most max bytes at the start of a UTF-8 sequence. */
static size_t cut_length(const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    if (length <= max) {
        return length;
    }
    for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;) {
        length--;
    }
    return length;
}

/* Packs detail into a new Any of the list; false when the arena is full. */
static bool add_detail(Google__Rpc__Status *status, const ProtobufCMessage *detail,
                       struct arena *arena)
{
    Google__Protobuf__Any *any = arena_alloc(arena, sizeof(*any));
    size_t length = protobuf_c_message_get_packed_size(detail);
    uint8_t *bytes = arena_alloc(arena, length);
    char *type_url = arena_printf(arena, TYPE_PREFIX "%s", detail->descriptor->name);
    if (any == NULL || bytes == NULL || type_url == NULL) {
        return false;
    }
    google__protobuf__any__init(any);
    any->type_url = type_url;
    any->value.len = protobuf_c_message_pack(detail, bytes);
    any->value.data = bytes;
    status->details[status->n_details++] = any;
    return true;
}

/* Whether one more detail still fits beside what the status holds. */
static bool fits(const Google__Rpc__Status *status, const ProtobufCMessage *detail)
{
    return protobuf_c_message_get_packed_size(&status->base) +
               protobuf_c_message_get_packed_size(detail) + ANY_OVERHEAD_BYTES <=
           RPC_DETAILS_BYTES_MAX;
}

static bool add_error_info(Google__Rpc__Status *message, const struct rpc_status *status,
                           struct arena *arena)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = (char *)(uintptr_t)status->reason;
    info.domain = (char *)(uintptr_t)(status->domain == NULL ? "" : status->domain);
    return status->reason == NULL || !fits(message, &info.base) ||
           add_detail(message, &info.base, arena);
}

static bool add_retry_info(Google__Rpc__Status *message, const struct rpc_status *status,
                           struct arena *arena)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = status->retry_after_ms / 1000;
    delay.nanos = (int32_t)(status->retry_after_ms % 1000 * CLOCK_NS_PER_MS);
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    retry.retry_delay = &delay;
    return status->retry_after_ms <= 0 || !fits(message, &retry.base) ||
           add_detail(message, &retry.base, arena);
}

static bool add_bad_request(Google__Rpc__Status *message, const struct rpc_status *status,
                            struct arena *arena)
{
    Google__Rpc__BadRequest__FieldViolation violations[RPC_VIOLATIONS_MAX];
    Google__Rpc__BadRequest__FieldViolation *pointers[RPC_VIOLATIONS_MAX];
    Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
    request.field_violations = pointers;
    while (request.n_field_violations < status->violation_count &&
           request.n_field_violations < RPC_VIOLATIONS_MAX) {
        const struct rpc_violation *from = &status->violations[request.n_field_violations];
        Google__Rpc__BadRequest__FieldViolation *to = &violations[request.n_field_violations];
        google__rpc__bad_request__field_violation__init(to);
        to->field = (char *)(uintptr_t)from->field;
        to->description = (char *)(uintptr_t)from->description;
        pointers[request.n_field_violations++] = to;
    }
    while (request.n_field_violations > 0 && !fits(message, &request.base)) {
        request.n_field_violations--;
    }
    return request.n_field_violations == 0 || add_detail(message, &request.base, arena);
}

struct Google__Rpc__Status *rpc_status_to_message(const struct rpc_status *status,
                                                  struct arena *arena)
{
    Google__Rpc__Status *message = arena_alloc(arena, sizeof(*message));
    Google__Protobuf__Any **details = arena_alloc(arena, DETAILS_MAX * sizeof(*details));
    const char *text = status->message == NULL ? "" : status->message;
    char *copy = arena_strndup(arena, text, cut_length(text, RPC_STATUS_MESSAGE_BYTES_MAX));
    if (message == NULL || details == NULL || copy == NULL) {
        return NULL;
    }
    google__rpc__status__init(message);
    message->code = (int32_t)status->code;
    message->message = copy;
    message->details = details;
    bool complete = add_error_info(message, status, arena) &&
                    add_retry_info(message, status, arena) &&
                    add_bad_request(message, status, arena);
    CHECK(protobuf_c_message_get_packed_size(&message->base) <= RPC_DETAILS_BYTES_MAX);
    return complete ? message : NULL;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The detail if the Any says that it is of this type and it can be read, else NULL. */
static const ProtobufCMessage *read_detail(const Google__Protobuf__Any *any,
                                           const ProtobufCMessageDescriptor *type,
                                           struct arena *arena)
{
    const char *slash = strrchr(any->type_url, '/');
    ProtobufCMessage *message = NULL;
    if (slash == NULL || strcmp(slash + 1, type->name) != 0 ||
        rpc_message_unpack(type, any->value.data, any->value.len, arena, &message) != 0) {
        return NULL;
    }
    return message;
}

static void read_error_info(const Google__Protobuf__Any *any, struct arena *arena,
                            struct rpc_status *status)
{
    const void *detail = read_detail(any, &google__rpc__error_info__descriptor, arena);
    const Google__Rpc__ErrorInfo *info = detail;
    if (info != NULL) {
        status->reason = info->reason;
        status->domain = info->domain;
    }
}

static void read_retry_info(const Google__Protobuf__Any *any, struct arena *arena,
                            struct rpc_status *status)
{
    const void *detail = read_detail(any, &google__rpc__retry_info__descriptor, arena);
    const Google__Rpc__RetryInfo *retry = detail;
    if (retry == NULL || retry->retry_delay == NULL || retry->retry_delay->seconds < 0 ||
        retry->retry_delay->nanos < 0) {
        return;
    }
    int64_t seconds = retry->retry_delay->seconds;
    if (seconds > RPC_RETRY_SECONDS_MAX) {
        seconds = RPC_RETRY_SECONDS_MAX;
    }
    status->retry_after_ms = seconds * 1000 + retry->retry_delay->nanos / CLOCK_NS_PER_MS;
}

static void read_bad_request(const Google__Protobuf__Any *any, struct arena *arena,
                             struct rpc_status *status)
{
    const void *detail = read_detail(any, &google__rpc__bad_request__descriptor, arena);
    const Google__Rpc__BadRequest *request = detail;
    if (request == NULL || request->n_field_violations == 0) {
        return;
    }
    size_t count = request->n_field_violations < RPC_VIOLATIONS_MAX ? request->n_field_violations
                                                                    : RPC_VIOLATIONS_MAX;
    struct rpc_violation *violations = arena_calloc(arena, count, sizeof(*violations));
    if (violations == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        violations[i].field = request->field_violations[i]->field;
        violations[i].description = request->field_violations[i]->description;
    }
    status->violations = violations;
    status->violation_count = count;
}

/* A code that is not known is RPC_UNKNOWN, as gRPC itself does it. */
static enum rpc_code known_code(int32_t code)
{
    return code >= RPC_OK && code <= RPC_UNAUTHENTICATED ? (enum rpc_code)code : RPC_UNKNOWN;
}

struct rpc_status rpc_status_from_message(const struct Google__Rpc__Status *message,
                                          struct arena *arena)
{
    struct rpc_status status = {.code = known_code(message->code), .message = message->message};
    for (size_t i = 0; i < message->n_details; i++) {
        read_error_info(message->details[i], arena, &status);
        read_retry_info(message->details[i], arena, &status);
        read_bad_request(message->details[i], arena, &status);
    }
    return status;
}
