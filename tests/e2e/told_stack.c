#include "told_stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>

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
    stack_expect_status(&told_stack.stack, &told_stack.answer, expected);
}

void told_stack_expect_json(const char *path, const char *expected)
{
    stack_expect_json(&told_stack.stack, &told_stack.answer, path, expected);
}

void told_stack_expect_refusal(long status, const char *reason)
{
    told_stack_expect_status(status);
    told_stack_expect_json("reason", reason);
}
