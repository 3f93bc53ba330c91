/*
 * The listener for the people and machines that run a program: GET /livez, /readyz (?verbose for
 * one line a check), /metrics and /limits, over HTTP/1.1 on one thread of its own, so that it
 * answers also while the program is busy.
 *
 * It is bounded like the rest: so many connections, small requests, and a client that sends nothing
 * or half a request is closed after OPS_SERVER_REQUEST_TIMEOUT_MS.
 */
#ifndef OPS_OPS_SERVER_H
#define OPS_OPS_SERVER_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPS_SERVER_CHECKS_MAX         16
#define OPS_SERVER_REASON_BYTES_MAX   160 /* of one check's reason, with its NUL */
#define OPS_SERVER_CONNECTIONS_MAX    64  /* one more is closed as soon as it is accepted */
#define OPS_SERVER_BODY_BYTES_MAX     1024
#define OPS_SERVER_REQUEST_TIMEOUT_MS 5000

struct metrics;
struct ops_limits;
struct ops_server;

/* Whether the program can do its work as far as one thing is concerned; or, for /livez, whether one
 * of its threads still turns. */
struct ops_check {
    const char *name; /* "database" */
    /* True if ready; else false and a reason in ret_reason (of reason_bytes, NUL-terminated), such
     * as "no connection for 12 s". Called on the ops thread for each /readyz or /livez; must not
     * block. */
    bool (*is_ready)(void *data, char *ret_reason, size_t reason_bytes);
    void *data;
};

/* Everything referred to must outlive the server; checks are copied. */
struct ops_server_config {
    const char *host; /* a name or an address, without brackets */
    uint16_t port;    /* 0 takes a free one */
    struct metrics *metrics;
    const struct ops_limits *limits;
    const struct ops_check *checks; /* at most OPS_SERVER_CHECKS_MAX */
    size_t checks_count;
    /* What only a restart can mend; at most OPS_SERVER_CHECKS_MAX. Nothing that another program or
     * a machine elsewhere can cause belongs here. */
    const struct ops_check *live_checks;
    size_t live_checks_count;
    unsigned connections_max;   /* 0 means OPS_SERVER_CONNECTIONS_MAX */
    int64_t request_timeout_ms; /* 0 means OPS_SERVER_REQUEST_TIMEOUT_MS */
};

/* Makes a server that does not listen yet. Errors: -ENOMEM. */
int ops_server_create(const struct ops_server_config *config, struct ops_server **ret) MUST_CHECK;

/* Registers stampede_ready, what /readyz says, with the metrics of its configuration; at most once
 * a registry, which renders nothing after the server was destroyed. */
void ops_server_register(struct ops_server *server);

/*
 * Binds, listens and starts the thread; once per server. ret_port is the port in use. Errors:
 * -EADDRINUSE (port_owner.h says by whom), -EADDRNOTAVAIL no such address here or no such host
 * name, -EACCES, -ENOMEM, -EMFILE. After an error nothing listens and the server may only be
 * destroyed.
 */
int ops_server_start(struct ops_server *server, uint16_t *ret_port) MUST_CHECK;

/* Stops listening, closes what is open and joins the thread; within a second. Not started or
 * stopped already: does nothing. Not from the ops thread. */
void ops_server_stop(struct ops_server *server);

/* Stops first. Takes NULL. */
void ops_server_destroy(struct ops_server *server);

#endif
