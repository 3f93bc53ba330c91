/*
 * Which method of the contract an HTTP request means, by its verb and its raw path.
 *
 * The path is split before anything is decoded, so that %2F stays inside its segment. A custom verb
 * (":pause") is taken from the last segment only where a route of this shape with that verb exists
 * and the colon is literal; otherwise the colon belongs to the segment. Made once, then constant;
 * any thread. Matching allocates nothing.
 */
#ifndef EDGE_ROUTES_ROUTES_H
#define EDGE_ROUTES_ROUTES_H

#include "base/check.h"
#include "edge/routes/slice.h"

#include <stddef.h>

struct contract_method;
struct contract_route;
struct contract_path;

#define ROUTES_MAX             64
#define ROUTES_SEGMENTS_MAX    12
#define ROUTES_VARIABLES_MAX   4
#define ROUTES_ALLOW_CHARS_MAX 63

struct route {
    const struct contract_method *method;
    const struct contract_route *binding;
    unsigned index; /* 0, 1, 2, … in the table: for arrays kept per route */
};

struct routes {
    struct route entries[ROUTES_MAX];
    size_t count;
};

/*
 * Lists every binding of the methods, which must outlive the table. Errors: -ENOSPC more routes,
 * segments or variables than the bounds above.
 */
int routes_init(struct routes *routes, const struct contract_method *methods,
                size_t method_count) MUST_CHECK;

struct routes_variable {
    const struct contract_path *path; /* the field */
    struct slice encoded;             /* its segment, still percent-encoded; never empty */
};

enum routes_verdict {
    ROUTES_FOUND,
    ROUTES_UNKNOWN_PATH,
    ROUTES_OTHER_METHOD, /* the path exists; allow says with which methods */
};

struct routes_match {
    const struct route *route;
    struct routes_variable variables[ROUTES_VARIABLES_MAX];
    size_t variable_count;
    char allow[ROUTES_ALLOW_CHARS_MAX + 1]; /* "GET, HEAD, POST" */
};

/*
 * Finds the route of a request. path is the request target without its query, as it was sent; HEAD
 * is served by GET routes. ret_match is filled as far as the verdict says and points into path.
 */
enum routes_verdict routes_find(const struct routes *routes, struct slice http_method,
                                struct slice path, struct routes_match *ret_match);

/*
 * The path and query of a request target in origin-form or absolute-form (RFC 9112, 3.2); the query
 * is without its question mark and empty when there is none.
 */
void routes_split_target(struct slice target, struct slice *ret_path, struct slice *ret_query);

#endif
