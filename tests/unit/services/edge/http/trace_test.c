#include "edge/http/trace.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VALID "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct trace_random random_bits;

static int setup(void **state)
{
    const uint64_t seed[4] = {1, 2, 3, 4};
    (void)state;
    trace_random_init(&random_bits, seed);
    return 0;
}

static void take_id(const char *taken, char ret_id[TRACE_REQUEST_ID_CHARS_MAX + 1])
{
    trace_request_id(&random_bits, slice_of(taken), ret_id);
}

/* A client's own id is what its support will ask for. */
static void trace_request_id_valid_ones_are_taken(void **state)
{
    char id[TRACE_REQUEST_ID_CHARS_MAX + 1];
    char longest[TRACE_REQUEST_ID_CHARS_MAX + 1];
    (void)state;
    take_id("order-1!~", id);
    assert_string_equal(id, "order-1!~");
    memset(longest, 'x', sizeof(longest));
    longest[TRACE_REQUEST_ID_CHARS_MAX] = '\0';
    take_id(longest, id);
    assert_string_equal(id, longest);
}

/* An id goes into headers and logs, so anything odd is replaced, and no two made ones are equal. */
static void trace_request_id_others_are_made(void **state)
{
    static const char *const bad[] = {"", "a b", "a\tb", "\xc3\xa9"};
    char id[TRACE_REQUEST_ID_CHARS_MAX + 1];
    char previous[TRACE_REQUEST_ID_CHARS_MAX + 1] = "";
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        take_id(bad[i], id);
        assert_int_equal(strlen(id), 32);
        assert_string_not_equal(id, previous);
        memcpy(previous, id, sizeof(id));
    }
}

static void take_parent(const char *taken, char ret_parent[TRACE_PARENT_CHARS + 1])
{
    trace_parent(&random_bits, slice_of(taken), ret_parent);
}

/* The trace of a caller must not break at the edge. */
static void trace_parent_valid_ones_are_taken(void **state)
{
    char parent[TRACE_PARENT_CHARS + 1];
    (void)state;
    take_parent(VALID, parent);
    assert_string_equal(parent, VALID);
    /* What a later version adds is not understood, so this hop speaks version 00. */
    take_parent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", parent);
    assert_string_equal(parent, VALID);
}

/* W3C Trace Context: an invalid parent starts a new trace. */
static void trace_parent_invalid_ones_start_a_trace(void **state)
{
    static const char *const bad[] = {
        "",
        VALID "x",
        VALID "-x",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    char parent[TRACE_PARENT_CHARS + 1];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char again[TRACE_PARENT_CHARS + 1];
        take_parent(bad[i], parent);
        assert_string_not_equal(parent, bad[i]);
        take_parent(parent, again);
        assert_string_equal(again, parent);
    }
}

/* The call upstream is a span of its own in the same trace. */
static void trace_parent_child_keeps_the_trace_and_changes_the_span(void **state)
{
    char child[TRACE_PARENT_CHARS + 1];
    (void)state;
    trace_parent_child(&random_bits, VALID, child);
    assert_memory_equal(child, VALID, 36);
    assert_memory_not_equal(child + 36, &VALID[36], 16);
    assert_string_equal(child + 52, "-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace_request_id_valid_ones_are_taken),
        cmocka_unit_test(trace_request_id_others_are_made),
        cmocka_unit_test(trace_parent_valid_ones_are_taken),
        cmocka_unit_test(trace_parent_invalid_ones_start_a_trace),
        cmocka_unit_test(trace_parent_child_keeps_the_trace_and_changes_the_span),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
