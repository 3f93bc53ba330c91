/*
 * The listening socket: one per process, shared by all loops. Several sockets on one port
 * (SO_REUSEPORT) would lose queued connections whenever one of them is closed.
 */
#ifndef EDGE_HTTP_LISTENER_H
#define EDGE_HTTP_LISTENER_H

#include "base/check.h"

#include <stdint.h>

/*
 * Binds and listens. port 0 takes a free one; ret_port is the port in use. The descriptor is
 * nonblocking and the caller's to close. Errors: -EADDRINUSE, -EADDRNOTAVAIL no such address here
 * or no such host name, -EACCES, -EMFILE, and what else socket, bind and listen give.
 */
int listener_open(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port) MUST_CHECK;

/*
 * Answers a connection that cannot be served with 503 and closes it. Best effort, does not block.
 */
void listener_refuse(int fd);

#endif
