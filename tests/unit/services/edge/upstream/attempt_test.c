#include "edge/upstream/attempt.h"

#include "rpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Once lost, only a success may be told; everything else waits or is unknown. */
static void attempt_judge_after_a_lost_attempt_tells_successes_only(void **state)
{
    (void)state;
    struct attempt_history history = {.unresolved = false};
    assert_int_equal(attempt_judge(&history, ATTEMPT_LOST), ATTEMPT_RETRY);
    assert_true(history.unresolved);
    assert_int_equal(attempt_judge(&history, ATTEMPT_REFUSED), ATTEMPT_UNKNOWN);
    assert_int_equal(attempt_judge(&history, ATTEMPT_REFUSED_FOR_NOW), ATTEMPT_RETRY);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(attempt_judge(&history, ATTEMPT_REFUSED_DRAINING), ATTEMPT_RETRY);
    }
    assert_int_equal(attempt_judge(&history, ATTEMPT_DONE), ATTEMPT_ANSWER);
}

/* What cannot arrive must not be sent for ever: a write's end is unknown, a read's is told. */
static void attempt_judge_lost_for_good_is_not_sent_again(void **state)
{
    (void)state;
    struct attempt_history history = {.unresolved = false};
    assert_int_equal(attempt_judge(&history, ATTEMPT_LOST_FOR_GOOD), ATTEMPT_UNKNOWN);
    assert_true(history.unresolved);
    assert_int_equal(attempt_judge_read(&history, ATTEMPT_LOST_FOR_GOOD), ATTEMPT_ANSWER);
}

/* Before that, every refusal is a proof. */
static void attempt_judge_first_refusals_are_answered(void **state)
{
    (void)state;
    struct attempt_history history = {.unresolved = false};
    assert_int_equal(attempt_judge(&history, ATTEMPT_REFUSED), ATTEMPT_ANSWER);
    assert_int_equal(attempt_judge(&history, ATTEMPT_REFUSED_FOR_NOW), ATTEMPT_ANSWER);
    assert_false(history.unresolved);
}

/* A read has no effect that could be hidden, so it is tried twice and then told as it went. */
static void attempt_judge_read_lost_is_tried_once_more(void **state)
{
    (void)state;
    struct attempt_history history = {.unresolved = false};
    assert_int_equal(attempt_judge_read(&history, ATTEMPT_LOST), ATTEMPT_RETRY);
    assert_int_equal(attempt_judge_read(&history, ATTEMPT_LOST), ATTEMPT_ANSWER);
    assert_int_equal(attempt_judge_read(&history, ATTEMPT_REFUSED), ATTEMPT_ANSWER);
}

static enum attempt_result result_of(enum rpc_code code, const char *reason, const char *domain)
{
    const struct rpc_status status = {.code = code, .reason = reason, .domain = domain};
    return attempt_result_of(&status, NULL);
}

/* "Socket closed" looks the same whether or not the server got the call: it proves nothing. */
static void attempt_result_without_our_details_is_lost(void **state)
{
    (void)state;
    assert_int_equal(result_of(RPC_UNAVAILABLE, NULL, NULL), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_CANCELLED, NULL, NULL), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_DEADLINE_EXCEEDED, NULL, NULL), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_FAILED_PRECONDITION, "SOLD_OUT", "example.com"), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_FAILED_PRECONDITION, "SOLD_OUT", NULL), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_DEADLINE_EXCEEDED, "OUTCOME_UNKNOWN", "stampede"), ATTEMPT_LOST);
    assert_int_equal(result_of(RPC_RESOURCE_EXHAUSTED, NULL, NULL), ATTEMPT_LOST_FOR_GOOD);
}

/* Our own reasons say what they prove, also those that this program does not know yet. */
static void attempt_result_with_our_details_is_a_refusal(void **state)
{
    (void)state;
    assert_int_equal(result_of(RPC_OK, NULL, NULL), ATTEMPT_DONE);
    assert_int_equal(result_of(RPC_FAILED_PRECONDITION, "SOLD_OUT", "stampede"), ATTEMPT_REFUSED);
    assert_int_equal(result_of(RPC_FAILED_PRECONDITION, "SOMETHING_NEW", "stampede"),
                     ATTEMPT_REFUSED);
    assert_int_equal(result_of(RPC_RESOURCE_EXHAUSTED, "OVERLOADED", "stampede"),
                     ATTEMPT_REFUSED_FOR_NOW);
    assert_int_equal(result_of(RPC_UNAVAILABLE, "DATABASE_UNAVAILABLE", "stampede"),
                     ATTEMPT_REFUSED_FOR_NOW);
    assert_int_equal(result_of(RPC_UNAVAILABLE, "DRAINING", "stampede"), ATTEMPT_REFUSED_DRAINING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempt_judge_after_a_lost_attempt_tells_successes_only),
        cmocka_unit_test(attempt_judge_lost_for_good_is_not_sent_again),
        cmocka_unit_test(attempt_judge_first_refusals_are_answered),
        cmocka_unit_test(attempt_judge_read_lost_is_tried_once_more),
        cmocka_unit_test(attempt_result_without_our_details_is_lost),
        cmocka_unit_test(attempt_result_with_our_details_is_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
