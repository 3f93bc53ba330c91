/*
 * One SQL statement as a constant: generated code declares them, a session prepares them once per
 * connection under their name and executes them with binary parameters and binary results.
 */
#ifndef POSTGRES_STATEMENT_H
#define POSTGRES_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#define STATEMENT_PARAMETERS_MAX 32

/* Must outlive every session that sends it; sessions know it by its address. */
struct statement {
    const char *name; /* at most 63 bytes, unique in a session, not "session_..." */
    const char *sql;  /* one command, parameters $1.. */
    size_t parameter_count;
    uint32_t parameter_types[STATEMENT_PARAMETERS_MAX]; /* enum sql_type */
};

#endif
