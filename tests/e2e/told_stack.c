#include "told_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants these first */
#include <cmocka.h>

#define VALUE_BYTES 512

struct told_stack told_stack;

int told_stack_set_up(void **state)
{
    (void)state;
    stack_start(&told_stack.stack);
    return 0;
}

int told_stack_tear_down(void **state)
{
    (void)state;
    stack_stop(&told_stack.stack);
    return 0;
}

int told_stack_audit(void **state)
{
    (void)state;
    stack_audit(&told_stack.stack);
    return 0;
}

void told_stack_expect_status(long expected)
{
    const struct http_answer *answer = &told_stack.answer;
    if (answer->status != expected) {
        fail_msg("%ld instead of %ld: %s", answer->status, expected, answer->body);
    }
}

void told_stack_expect_json(const char *path, const char *expected)
{
    const struct http_answer *answer = &told_stack.answer;
    char value[VALUE_BYTES];
    http_client_json(answer, path, value, sizeof(value));
    if (strcmp(value, expected) != 0) {
        fail_msg("%s is \"%s\" instead of \"%s\" in %ld %s", path, value, expected, answer->status,
                 answer->body);
    }
}

void told_stack_expect_refusal(long status, const char *reason)
{
    told_stack_expect_status(status);
    told_stack_expect_json("reason", reason);
}
