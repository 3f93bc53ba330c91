/*
 * Gives libh2o's own errors (a body that is far too long, broken chunks) the form of all others.
 */
#ifndef EDGE_HTTP_OWN_ERRORS_H
#define EDGE_HTTP_OWN_ERRORS_H

#include <h2o.h>

/*
 * To be registered where requests without a path of ours end. One is out of its reach: what libh2o
 * cannot parse as a request at all (a broken request line or head) has no request to filter, and is
 * answered by libh2o itself with 400 in text/plain and a closed connection.
 */
void own_errors_register(h2o_pathconf_t *pathconf);

#endif
