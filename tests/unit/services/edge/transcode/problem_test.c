#include "edge/transcode/problem.h"

#include "contract/contract.h"
#include "stampede/api/v1/reason.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char *blocks[16];
static size_t block_count;

static void *allocate(void *data, size_t size)
{
    (void)data;
    assert_true(block_count < COUNT_OF(blocks));
    return blocks[block_count++] = malloc(size);
}

static void keep(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

static ProtobufCAllocator allocator = {allocate, keep, NULL};

static int free_blocks(void **state)
{
    (void)state;
    while (block_count > 0) {
        free(blocks[--block_count]);
    }
    return 0;
}

static void assert_written(const struct problem *problem, const char *method, const char *expected)
{
    struct slice body;
    const struct contract_method *found =
        method == NULL ? NULL : contract_method_by_full_name(method);
    assert_int_equal(problem_write(problem, found, slice_of("/v1/x"), "r-1", &allocator, &body), 0);
    char text[2048];
    (void)snprintf(text, sizeof(text), "%.*s", (int)body.length, body.bytes);
    assert_string_equal(text, expected);
}

/* The form that every error of the edge has, member by member. */
static void problem_write_reason_has_the_documented_members(void **state)
{
    struct problem problem =
        problem_of_reason(STAMPEDE__API__V1__REASON__SOLD_OUT, "No \"5\" left");
    (void)state;
    assert_written(
        &problem, NULL,
        "{\"type\":\"/problems/SOLD_OUT\",\"title\":\"Sold out\",\"status\":409,"
        "\"detail\":\"No \\\"5\\\" left\",\"instance\":\"/v1/x\",\"reason\":\"SOLD_OUT\","
        "\"requestId\":\"r-1\"}");
}

/* A client must find the field in what it sent: in its spelling, header fields by their header. */
static void problem_write_violations_are_spelled_as_clients_do(void **state)
{
    const struct rpc_violation violations[] = {{"unit_price.amount_minor", "too much"},
                                               {"idempotency_key", "too long"}};
    const struct rpc_status status = {.code = RPC_INVALID_ARGUMENT,
                                      .reason = "INVALID_FIELD",
                                      .domain = "stampede",
                                      .violations = violations,
                                      .violation_count = COUNT_OF(violations)};
    struct problem problem = problem_of_status(&status, NULL);
    (void)state;
    assert_written(&problem, "/stampede.sales.v1.SaleService/CreateSale",
                   "{\"type\":\"/problems/INVALID_FIELD\",\"title\":\"Invalid field\","
                   "\"status\":400,\"instance\":\"/v1/x\",\"reason\":\"INVALID_FIELD\","
                   "\"requestId\":\"r-1\",\"violations\":["
                   "{\"field\":\"unitPrice.amountMinor\",\"description\":\"too much\"},"
                   "{\"field\":\"Idempotency-Key\",\"description\":\"too long\"}]}");
}

static struct problem of_status(enum rpc_code code, const char *reason, const char *domain)
{
    const struct rpc_status status = {
        .code = code, .message = "127.0.0.1 said no", .reason = reason, .domain = domain};
    return problem_of_status(&status, NULL);
}

/* What is not ours gets the nearest reason, and none of its text: that names inner addresses. */
static void problem_of_status_foreign_errors_are_translated_by_code(void **state)
{
    (void)state;
    assert_int_equal(of_status(RPC_UNAVAILABLE, NULL, NULL).status, 503);
    assert_int_equal(of_status(RPC_DEADLINE_EXCEEDED, NULL, NULL).status, 503);
    assert_int_equal(of_status(RPC_UNIMPLEMENTED, NULL, NULL).status, 501);
    assert_int_equal(of_status(RPC_INTERNAL, NULL, NULL).status, 500);
    assert_int_equal(of_status(RPC_FAILED_PRECONDITION, "SOLD_OUT", "other").status, 500);
    assert_null(strstr(of_status(RPC_UNAVAILABLE, NULL, NULL).detail, "127.0.0.1"));
}

/* Our own reasons keep their status; one from a newer service keeps its code's. */
static void problem_of_status_own_reasons_keep_their_status(void **state)
{
    (void)state;
    assert_int_equal(of_status(RPC_FAILED_PRECONDITION, "SOLD_OUT", "stampede").status, 409);
    assert_int_equal(
        of_status(RPC_FAILED_PRECONDITION, "IDEMPOTENCY_KEY_REUSED", "stampede").status, 422);
    struct problem problem = of_status(RPC_NOT_FOUND, "SOMETHING_NEW", "stampede");
    assert_int_equal(problem.status, 404);
    assert_string_equal(problem.detail, "127.0.0.1 said no");
}

static int64_t retry_after(int reason, int64_t wait_ms)
{
    struct problem problem = problem_of_reason(reason, NULL);
    problem.retry_after_ms = wait_ms;
    return problem_retry_after_s(&problem);
}

/* Rule A2: a 504 never asks to come back while an attempt may still place the order. */
static void problem_retry_after_is_rounded_up_and_long_enough(void **state)
{
    (void)state;
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OVERLOADED, 0), 1);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OVERLOADED, 1), 1);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OVERLOADED, 2001), 3);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN, 0), 7);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN, 1000), 7);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__OUTCOME_UNKNOWN, 9500), 10);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__SOLD_OUT, 0), 0);
    assert_int_equal(retry_after(STAMPEDE__API__V1__REASON__SOLD_OUT, 1500), 2);
}

#define TEST(name) cmocka_unit_test_teardown(name, free_blocks)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(problem_write_reason_has_the_documented_members),
        TEST(problem_write_violations_are_spelled_as_clients_do),
        TEST(problem_of_status_foreign_errors_are_translated_by_code),
        TEST(problem_of_status_own_reasons_keep_their_status),
        TEST(problem_retry_after_is_rounded_up_and_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
