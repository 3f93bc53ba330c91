/*
 * Who listens on a TCP port of this machine, so that "address in use" can name the culprit. Best
 * effort: from /proc, so other users' processes and other containers stay unseen. Blocks for the
 * time of a walk through /proc: for use at start only. Any thread.
 */
#ifndef OPS_PORT_OWNER_H
#define OPS_PORT_OWNER_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PORT_OWNER_PROGRAM_CHARS_MAX 64
#define PORT_OWNER_TEXT_BYTES_MAX    192

struct port_owner {
    pid_t pid;
    char program[PORT_OWNER_PROGRAM_CHARS_MAX + 1]; /* the file name of its executable or argv[0] */
};

/*
 * Finds a process that has a listening socket on the port, of any address and either family.
 * Errors: -ENOENT nobody listens, -EACCES somebody does, but who cannot be seen from here.
 */
int port_owner_find(uint16_t port, struct port_owner *ret_owner) MUST_CHECK;

/*
 * Writes the line that a program prints when it cannot bind: "127.0.0.1:9101 is taken by postgres
 * (pid 4711)", or "... is taken by a process that cannot be seen from here". address is what was
 * asked for, as text.
 */
void port_owner_describe(const char *address, uint16_t port,
                         char ret_text[PORT_OWNER_TEXT_BYTES_MAX]);

#endif
