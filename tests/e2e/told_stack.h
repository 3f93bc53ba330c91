/*
 * One whole system for a test program, and what its edge answered last: asked by HTTP, judged by
 * the JSON that came back.
 */
#ifndef E2E_TOLD_STACK_H
#define E2E_TOLD_STACK_H

#include "support/stack.h"

struct told_stack {
    struct stack stack;
    struct http_answer answer; /* the last one; whoever calls the edge puts it here */
};

extern struct told_stack told_stack;

/* Of a group: everything is started, and must end as it should. */
int told_stack_set_up(void **state);
int told_stack_tear_down(void **state);

/* Of each test: whatever it did, the database's own account must be right after it. */
int told_stack_audit(void **state);

/* The last answer's status; its text is shown where it is another. */
void told_stack_expect_status(long expected);

/* The text at a path of the last answer's JSON ("orders.0.number"), empty where there is none. */
void told_stack_expect_json(const char *path, const char *expected);

/* A refusal with the reason. */
void told_stack_expect_refusal(long status, const char *reason);

#endif
