/*
 * Checks how a request's head frames the request (RFC 9112), because libh2o 2.2.5 lets through what
 * another server on the way may read differently: bare line feeds, folded lines, two lengths, a
 * length beside a transfer coding, no Host or several. Any thread; nothing is kept.
 */
#ifndef EDGE_HTTP_FRAMING_H
#define EDGE_HTTP_FRAMING_H

#include <stddef.h>

/* What is wrong. */
struct framing_fault {
    const char *field;       /* the header at fault, or "" */
    const char *description; /* NULL: nothing is wrong */
};

/*
 * Looks at an HTTP/1 head that libh2o has parsed, and which may be followed by anything; bytes are
 * as they lie in the connection's input buffer. The texts are static.
 */
struct framing_fault framing_check(const char *bytes, size_t length);

#endif
