/*
 * A durable PostgreSQL server for one test program, made by tools/dev/scratch-postgres and gone
 * when the program is, also after a crash. One thread at a time.
 */
#ifndef SUPPORT_SCRATCH_POSTGRES_H
#define SUPPORT_SCRATCH_POSTGRES_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SCRATCH_POSTGRES_PATH_BYTES 128
#define SCRATCH_POSTGRES_URL_BYTES  256

struct scratch_postgres {
    char folder[SCRATCH_POSTGRES_PATH_BYTES];
    char service_url[SCRATCH_POSTGRES_URL_BYTES]; /* the role stampede, as the service has it */
    char owner_url[SCRATCH_POSTGRES_URL_BYTES];   /* stampede_owner, who may make tables */
    char admin_url[SCRATCH_POSTGRES_URL_BYTES];   /* the superuser */
    pid_t server_pid;
    bool with_schema, by_tcp;
};

/*
 * Starts a server and fills *ret: with_schema deploys migrations/ in it, by_tcp gives URLs of a
 * free port of 127.0.0.1 instead of a Unix socket's. 0, or -1 with the reason on stderr.
 */
int scratch_postgres_start(struct scratch_postgres *ret, bool with_schema, bool by_tcp) MUST_CHECK;

/*
 * Starts a streaming standby of a server that runs, with the same roles and passwords and by_tcp as
 * it; its application_name on the primary is "standby". 0, or -1 with the reason on stderr.
 */
int scratch_postgres_start_standby(struct scratch_postgres *ret,
                                   const struct scratch_postgres *primary) MUST_CHECK;

/* Stops the server and deletes its data. */
void scratch_postgres_stop(struct scratch_postgres *server);

/* Stops the server in order, or by SIGKILL as a crash; its data stays. 0 or -1. */
int scratch_postgres_halt(struct scratch_postgres *server) MUST_CHECK;
int scratch_postgres_kill(struct scratch_postgres *server) MUST_CHECK;

/* Starts a halted or killed server again: same data, URLs and port. 0 or -1. */
int scratch_postgres_restart(struct scratch_postgres *server) MUST_CHECK;

/* The port of a server with by_tcp. */
int scratch_postgres_port(const struct scratch_postgres *server);

/* Writes url with another port, for a proxy in between. The url must be one of a server by_tcp. */
void scratch_postgres_url_with_port(const char *url, int port,
                                    char ret_url[SCRATCH_POSTGRES_URL_BYTES]);

/*
 * Runs one or more statements on a connection of its own and copies the first value of the last
 * result, or "". 0, or -1 with the reason on stderr. Waits as long as the statements take.
 */
int scratch_postgres_query(const char *url, const char *sql, char *ret_value,
                           size_t value_bytes) MUST_CHECK;

/* As scratch_postgres_query, for what returns nothing. */
int scratch_postgres_execute(const char *url, const char *sql) MUST_CHECK;

#endif
