/*
 * A steady load: a bounded number of HTTP requests a second over keep-alive connections, for as
 * long as a test does something to the system. It hides nothing: no request is ever sent twice, and
 * one that was sent without a whole answer coming back is counted as lost.
 */
#ifndef SUPPORT_STEADY_H
#define SUPPORT_STEADY_H

#include "support/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEADY_CONNECTIONS_MAX 64
#define STEADY_REQUESTS_MAX    200000
#define STEADY_REQUEST_BYTES   1024

/* Statuses that no server sends. */
#define STEADY_NOT_SENT 0
#define STEADY_LOST     1

/* Writes request number into text, whole, NUL-terminated. Called by several threads at once. */
typedef void (*steady_request_fn)(unsigned number, char text[STEADY_REQUEST_BYTES],
                                  const void *data);

struct steady_plan {
    int port;
    unsigned connections, per_second;
    steady_request_fn write_request;
    const void *data; /* of write_request; lives until steady_stop */
};

struct steady_report {
    unsigned succeeded, refused, failed, lost; /* 2xx; 4xx; 5xx; without an answer */
    unsigned connected;                        /* connections that were opened */
    uint32_t p50_us, p99_us, max_us;           /* of what was answered */
    unsigned numbers;        /* that were given out; a few at the end may be STEADY_NOT_SENT */
    uint16_t *statuses;      /* by number */
    char first_failure[512]; /* the first answer that was a 5xx, or what was lost */
};

struct steady;

/* Begins; asserts that it can. */
struct steady *steady_start(const struct steady_plan *plan);

/* How many requests were answered so far. */
unsigned steady_answered(const struct steady *steady);

/* Ends it once what was sent is answered; steady is gone. The report is owed a fini. */
void steady_stop(struct steady *steady, struct steady_report *ret);

void steady_report_fini(struct steady_report *report);

/* Prints a line of figures for people. */
void steady_report_print(const struct steady_report *report, const char *what);

/* --- Orders ----------------------------------------------------------------------------------- */

/* The data of steady_write_order: orders of one unit, each of a customer of its own. */
struct steady_orders {
    char sale_id[37];
    char name[16];        /* tells the customers of several loads apart */
    unsigned reads_every; /* each so many-th request reads the sale instead; 0: none does */
};

void steady_write_order(unsigned number, char text[STEADY_REQUEST_BYTES], const void *data);

/*
 * Asserts that the database agrees with every answer: whoever has a 201 has one order, whoever was
 * refused or told "certainly not done" has none, and nobody has two. Returns how many orders there
 * are whose answer was "unknown" or lost.
 */
unsigned steady_assert_told_the_truth(const struct steady_report *report,
                                      const struct steady_orders *orders,
                                      const struct stack *stack);

#endif
