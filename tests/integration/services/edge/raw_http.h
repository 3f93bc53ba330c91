/* HTTP as no client library would send it: bytes over a plain socket. */
#ifndef RAW_HTTP_H
#define RAW_HTTP_H

#include <stddef.h>

/* A connection to 127.0.0.1; fails the test when there is none. The caller closes it. */
int raw_http_connect(int port);

void raw_http_send(int fd, const char *bytes);

/* The same on a connection that the other side may have closed already. */
void raw_http_send_unless_closed(int fd, const char *bytes);

/*
 * Reads one answer with a Content-Length, or up to the end of the connection, into ret_text,
 * terminated. The length read; 0: the connection was closed without an answer.
 */
size_t raw_http_read(int fd, char *ret_text, size_t size);

/* Reads whatever comes up to the end of the connection. */
size_t raw_http_read_all(int fd, char *ret_text, size_t size);

#endif
