/*
 * The keywords that libpq gets for one attempt to connect: what the caller's connection string
 * says, with our options after its own, our keepalives where it has none, and the hosts in turn.
 * Part of session_open().
 */
#ifndef POSTGRES_CONNINFO_H
#define POSTGRES_CONNINFO_H

#include "base/check.h"

#include <stddef.h>

#define CONNINFO_KEYWORDS_MAX  96 /* libpq 15 knows 41 */
#define CONNINFO_OPTIONS_BYTES 4096
#define CONNINFO_LIST_BYTES    1024 /* of hosts, addresses or ports */

struct session_config;

/* Any int in digits, with its end. */
#define CONNINFO_NUMBER_BYTES 16

struct conninfo {
    const char *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* NULL ends both */
    const char *values[CONNINFO_KEYWORDS_MAX + 1];
    size_t _count;
    void *_parsed; /* libpq's, holds the values */
    char _options[CONNINFO_OPTIONS_BYTES];
    char _hosts[CONNINFO_LIST_BYTES], _addresses[CONNINFO_LIST_BYTES], _ports[CONNINFO_LIST_BYTES];
    char _user_timeout[CONNINFO_NUMBER_BYTES], _idle[CONNINFO_NUMBER_BYTES];
    char _interval[CONNINFO_NUMBER_BYTES], _probes[CONNINFO_NUMBER_BYTES];
};

/*
 * Fills *conninfo; of several hosts number host_offset (modulo their number) comes first. 0;
 * -EINVAL: config->conninfo is neither a URL nor key=value pairs; -E2BIG: a list or the options are
 * too long; -ENOMEM. libpq's own words are not passed on: they may quote the password.
 */
int conninfo_init(struct conninfo *conninfo, const struct session_config *config,
                  size_t host_offset) MUST_CHECK;

/* Frees what libpq parsed. Only after a successful init. */
void conninfo_fini(struct conninfo *conninfo);

#endif
