/*
 * The socket of a connection whose request waits for its answer.
 *
 * libh2o stops to read such a socket and starts again after the answer, and each of the two is a
 * system call, because the loop polls in between. A held socket stays polled instead, without being
 * read: nothing is taken from a client that sends more before its answer is there, and the first
 * sign of that, or of its leaving, ends the polling until libh2o starts it again.
 *
 * For HTTP/1 connections, whose sockets belong to one request at a time; others are left alone.
 */
#ifndef EDGE_HTTP_HELD_H
#define EDGE_HTTP_HELD_H

#include <h2o.h>

/* The request will be answered later. Inside on_req, or libh2o has told epoll already. */
void held_begin(h2o_req_t *req);

/* Its answer is about to be written. Only after held_begin. */
void held_end(h2o_req_t *req);

#endif
