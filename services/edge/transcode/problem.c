#include "edge/transcode/problem.h"

#include "contract/contract.h"
#include "edge/limits.h"
#include "protojson/protojson.h"
#include "stampede/api/v1/reason.pb-c.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define BODY_BYTES_FIRST 640

struct problem problem_of_reason(int reason, const char *detail)
{
    const struct contract_reason *found = contract_reason_by_number(reason);
    CHECK(found != NULL);
    return (struct problem){.reason = found, .status = found->http_status, .detail = detail};
}

struct problem problem_of_refusal(const struct refusal *refusal, struct rpc_violation *scratch)
{
    struct problem problem = problem_of_reason(refusal->reason, refusal->description);
    if (refusal->field[0] != '\0') {
        *scratch = (struct rpc_violation){refusal->field, refusal->description};
        problem.violations = scratch;
        problem.violation_count = 1;
    }
    return problem;
}

/* The nearest of our reasons for a code that came without one. */
static int reason_of_code(enum rpc_code code)
{
    switch (code) {
    case RPC_UNAVAILABLE:
    case RPC_DEADLINE_EXCEEDED:
    case RPC_CANCELLED:
    case RPC_RESOURCE_EXHAUSTED:
        return STAMPEDE__API__V1__REASON__OVERLOADED;
    case RPC_UNIMPLEMENTED:
        return STAMPEDE__API__V1__REASON__METHOD_UNIMPLEMENTED;
    case RPC_UNAUTHENTICATED:
        return STAMPEDE__API__V1__REASON__UNAUTHENTICATED;
    default:
        return STAMPEDE__API__V1__REASON__INTERNAL;
    }
}

/* What people are told of a failure that is not ours: the C core's own texts name addresses. */
static const char *detail_of_code(enum rpc_code code)
{
    switch (reason_of_code(code)) {
    case STAMPEDE__API__V1__REASON__OVERLOADED:
        return "The orders service did not answer in time.";
    case STAMPEDE__API__V1__REASON__METHOD_UNIMPLEMENTED:
        return "The orders service does not offer this method.";
    case STAMPEDE__API__V1__REASON__UNAUTHENTICATED:
        return "The orders service refused the credentials.";
    default:
        return "The orders service failed.";
    }
}

static bool is_of_our_domain(const struct rpc_status *status)
{
    return status->reason != NULL && status->domain != NULL &&
           strcmp(status->domain, CONTRACT_ERROR_DOMAIN) == 0;
}

struct problem problem_of_status(const struct rpc_status *status,
                                 const struct contract_reason *known)
{
    bool is_ours = known != NULL || is_of_our_domain(status);
    const struct contract_reason *reason = known;
    if (is_ours && reason == NULL) {
        reason = contract_reason_by_name(status->reason);
    }
    struct problem problem;
    if (reason != NULL) {
        problem = (struct problem){.reason = reason, .status = reason->http_status};
    } else if (is_ours) {
        problem = problem_of_reason(STAMPEDE__API__V1__REASON__INTERNAL, NULL);
        problem.status = contract_http_status_of_code((int)status->code);
    } else {
        problem = problem_of_reason(reason_of_code(status->code), NULL);
    }
    problem.detail = is_ours ? status->message : detail_of_code(status->code);
    problem.violations = status->violations;
    problem.violation_count = status->violation_count;
    problem.retry_after_ms = status->retry_after_ms;
    return problem;
}

int64_t problem_retry_after_s(const struct problem *problem)
{
    int64_t wait_ms = problem->retry_after_ms;
    switch (problem->status) {
    case 429:
    case 503:
        wait_ms = wait_ms > 0 ? wait_ms : EDGE_RETRY_AFTER_MIN_MS;
        break;
    case 504:
        wait_ms = wait_ms > EDGE_ATTEMPT_LIFE_MS ? wait_ms : EDGE_ATTEMPT_LIFE_MS;
        break;
    default:
        break;
    }
    return wait_ms <= 0 ? 0 : (wait_ms + 999) / 1000;
}

static void append_text(struct protojson_output *output, const char *text)
{
    protojson_append(output, text, strlen(text));
}

static void append_member(struct protojson_output *output, const char *name, struct slice value)
{
    append_text(output, name);
    protojson_append_string(output, value.bytes, value.length);
}

/* The name of the header that carries a field of the proto, spelled as people write it. */
static bool append_header_name(struct protojson_output *output,
                               const struct contract_method *method, const char *field)
{
    for (size_t i = 0; method != NULL && i < method->header_count; i++) {
        if (strcmp(contract_field_descriptor(method->headers[i].field)->name, field) != 0) {
            continue;
        }
        bool is_first = true;
        append_text(output, "\"");
        for (const char *at = method->headers[i].name; *at != '\0'; at++) {
            char character = is_first ? (char)toupper((unsigned char)*at) : *at;
            protojson_append(output, &character, 1);
            is_first = *at == '-';
        }
        append_text(output, "\"");
        return true;
    }
    return false;
}

/* unit_price.amount_minor as JSON spells it: unitPrice.amountMinor. */
static void append_field_name(struct protojson_output *output, const struct contract_method *method,
                              const char *field)
{
    if (append_header_name(output, method, field)) {
        return;
    }
    char spelled[REFUSAL_FIELD_BYTES_MAX];
    size_t length = 0;
    for (const char *at = field; *at != '\0' && length < sizeof(spelled); at++) {
        if (at[0] == '_' && islower((unsigned char)at[1])) {
            at++;
            spelled[length++] = (char)toupper((unsigned char)*at);
        } else {
            spelled[length++] = *at;
        }
    }
    protojson_append_string(output, spelled, length);
}

static void append_violations(struct protojson_output *output, const struct problem *problem,
                              const struct contract_method *method)
{
    append_text(output, ",\"violations\":[");
    for (size_t i = 0; i < problem->violation_count; i++) {
        const struct rpc_violation *violation = &problem->violations[i];
        append_text(output, i == 0 ? "{\"field\":" : ",{\"field\":");
        append_field_name(output, method, violation->field);
        append_member(output, ",\"description\":", slice_of(violation->description));
        append_text(output, "}");
    }
    append_text(output, "]");
}

/* An HTTP status has three digits. */
static void append_status(struct protojson_output *output, int status)
{
    CHECK(status >= 100 && status <= 999);
    char digits[3] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10)};
    protojson_append(output, digits, sizeof(digits));
}

static void append_all(struct protojson_output *output, const struct problem *problem,
                       const struct contract_method *method, struct slice instance,
                       const char *request_id)
{
    append_text(output, "{\"type\":\"/problems/");
    append_text(output, problem->reason->name);
    append_text(output, "\"");
    append_member(output, ",\"title\":", slice_of(problem->reason->title));
    append_text(output, ",\"status\":");
    append_status(output, problem->status);
    if (problem->detail != NULL && problem->detail[0] != '\0') {
        append_member(output, ",\"detail\":", slice_of(problem->detail));
    }
    append_member(output, ",\"instance\":", instance);
    append_member(output, ",\"reason\":", slice_of(problem->reason->name));
    append_member(output, ",\"requestId\":", slice_of(request_id));
    if (problem->violation_count > 0) {
        append_violations(output, problem, method);
    }
    append_text(output, "}");
}

int problem_write(const struct problem *problem, const struct contract_method *method,
                  struct slice instance, const char *request_id, ProtobufCAllocator *allocator,
                  struct slice *ret_body)
{
    struct slice shown = instance;
    if (shown.length > PROBLEM_INSTANCE_BYTES_MAX) {
        shown.length = PROBLEM_INSTANCE_BYTES_MAX;
    }
    struct protojson_output output = {
        .bytes = allocator->alloc(allocator->allocator_data, BODY_BYTES_FIRST),
        .capacity = BODY_BYTES_FIRST,
        .length_max = PROBLEM_BYTES_MAX,
        .allocator = allocator,
    };
    if (output.bytes == NULL) {
        return -ENOMEM;
    }
    append_all(&output, problem, method, shown, request_id);
    if (output.overflowed) {
        return -ENOMEM;
    }
    *ret_body = (struct slice){output.bytes, output.length};
    return 0;
}
