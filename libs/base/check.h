/*
 * Assertions that stay on in every build, and magic numbers for objects that cross a void pointer.
 *
 * They guard against programmer errors only. Input from a user, a peer or the database never
 * reaches one unchecked; it gets an error.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdint.h>

/* Ends the process with the file, line and text of a broken assertion. Any thread. */
_Noreturn void check_failed(const char *file, int line, const char *text);

/* Asserts; the condition is always evaluated. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* a implies b, evaluated left to right. */
#define CHECK_IMPLIES(a, b) CHECK(!(a) || (b))

/* A place that cannot be reached; why says what makes it so. */
#define UNREACHABLE(why) check_failed(__FILE__, __LINE__, "unreachable: " why)

/* Marks a result that the caller must look at. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* printf-like functions: the format's and the first argument's positions, from 1. */
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* The element count of a real array. */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * An object that is handed through a void pointer begins with a uint32_t named magic. MAGIC_INIT
 * sets it, MAGIC_CHECK asserts it at the door, MAGIC_CLEAR makes a later use fail.
 */
#define MAGIC_INIT(object, number)  ((object)->magic = (number))
#define MAGIC_CHECK(object, number) CHECK((object) != NULL && (object)->magic == (number))
#define MAGIC_CLEAR(object)         ((object)->magic = 0)

#endif
