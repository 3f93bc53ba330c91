#include "edge/routes/routes.h"

#include "contract/contract.h"
#include "edge/routes/percent.h"

#include <errno.h>
#include <stdio.h>

/* A path cut into its raw segments. */
struct split_path {
    struct slice segments[ROUTES_SEGMENTS_MAX];
    size_t count;
};

static size_t variable_count_of(const struct contract_route *binding)
{
    size_t count = 0;
    for (size_t i = 0; i < binding->segment_count; i++) {
        count += binding->segments[i].literal == NULL;
    }
    return count;
}

static int add_route(struct routes *routes, const struct contract_method *method,
                     const struct contract_route *binding)
{
    if (routes->count == ROUTES_MAX || binding->segment_count == 0 ||
        binding->segment_count > ROUTES_SEGMENTS_MAX ||
        variable_count_of(binding) > ROUTES_VARIABLES_MAX) {
        return -ENOSPC;
    }
    routes->entries[routes->count] =
        (struct route){.method = method, .binding = binding, .index = (unsigned)routes->count};
    routes->count++;
    return 0;
}

int routes_init(struct routes *routes, const struct contract_method *methods, size_t method_count)
{
    routes->count = 0;
    for (size_t i = 0; i < method_count; i++) {
        for (size_t k = 0; k < methods[i].route_count; k++) {
            int error = add_route(routes, &methods[i], &methods[i].routes[k]);
            if (error != 0) {
                return error;
            }
        }
    }
    return 0;
}

/* False for a path that no route can have: not absolute, or with too many segments. */
static bool split(struct slice path, struct split_path *ret)
{
    if (path.length == 0 || path.bytes[0] != '/') {
        return false;
    }
    struct slice rest = {path.bytes + 1, path.length - 1};
    ret->count = 0;
    do {
        if (ret->count == ROUTES_SEGMENTS_MAX) {
            return false;
        }
        ret->segments[ret->count++] = slice_cut(&rest, '/');
    } while (rest.bytes != NULL);
    return true;
}

static bool has_shape(const struct contract_route *binding, const struct split_path *path)
{
    if (binding->segment_count != path->count) {
        return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        const char *literal = binding->segments[i].literal;
        bool fits = literal == NULL ? path->segments[i].length > 0
                                    : percent_spells(path->segments[i], literal);
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool has_verb(const struct contract_route *binding, struct slice verb)
{
    if (binding->verb == NULL) {
        return verb.bytes == NULL;
    }
    return verb.bytes != NULL && slice_equals(verb, binding->verb);
}

static bool serves(const struct contract_route *binding, struct slice http_method)
{
    return slice_equals(http_method, binding->http_method) ||
           (slice_equals(http_method, "HEAD") && strcmp(binding->http_method, "GET") == 0);
}

static void append_allowed(struct routes_match *match, const char *http_method)
{
    if (strstr(match->allow, http_method) != NULL) {
        return;
    }
    size_t length = strlen(match->allow);
    const char *also = strcmp(http_method, "GET") == 0 ? ", HEAD" : "";
    (void)snprintf(match->allow + length, sizeof(match->allow) - length, "%s%s%s",
                   length == 0 ? "" : ", ", http_method, also);
}

static void take_variables(const struct route *route, const struct split_path *path,
                           struct routes_match *match)
{
    match->route = route;
    match->variable_count = 0;
    for (size_t i = 0; i < path->count; i++) {
        const struct contract_segment *segment = &route->binding->segments[i];
        if (segment->literal == NULL) {
            match->variables[match->variable_count++] =
                (struct routes_variable){.path = &segment->path, .encoded = path->segments[i]};
        }
    }
}

/* Looks among the routes with this verb (NULL bytes: those without one). */
static enum routes_verdict find_with_verb(const struct routes *routes, struct slice http_method,
                                          const struct split_path *path, struct slice verb,
                                          struct routes_match *match)
{
    enum routes_verdict verdict = ROUTES_UNKNOWN_PATH;
    match->allow[0] = '\0';
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->entries[i];
        if (!has_verb(route->binding, verb) || !has_shape(route->binding, path)) {
            continue;
        }
        if (serves(route->binding, http_method)) {
            take_variables(route, path, match);
            return ROUTES_FOUND;
        }
        append_allowed(match, route->binding->http_method);
        verdict = ROUTES_OTHER_METHOD;
    }
    return verdict;
}

enum routes_verdict routes_find(const struct routes *routes, struct slice http_method,
                                struct slice path, struct routes_match *ret_match)
{
    struct split_path whole;
    if (!split(path, &whole)) {
        return ROUTES_UNKNOWN_PATH;
    }
    const struct slice no_verb = {NULL, 0};
    struct slice last = whole.segments[whole.count - 1];
    const char *colon = last.length == 0 ? NULL : memrchr(last.bytes, ':', last.length);
    if (colon != NULL) {
        struct split_path before = whole;
        size_t kept = (size_t)(colon - last.bytes);
        struct slice verb = {colon + 1, last.length - kept - 1};
        before.segments[before.count - 1].length = kept;
        enum routes_verdict verdict = find_with_verb(routes, http_method, &before, verb, ret_match);
        if (verdict != ROUTES_UNKNOWN_PATH) {
            return verdict;
        }
    }
    return find_with_verb(routes, http_method, &whole, no_verb, ret_match);
}

/* Cuts "http://host" off an absolute-form target. */
static struct slice without_authority(struct slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t length = strlen(schemes[i]);
        if (target.length < length || strncasecmp(target.bytes, schemes[i], length) != 0) {
            continue;
        }
        for (size_t at = length; at < target.length; at++) {
            if (target.bytes[at] == '/' || target.bytes[at] == '?') {
                return (struct slice){target.bytes + at, target.length - at};
            }
        }
        return (struct slice){"/", 1};
    }
    return target;
}

void routes_split_target(struct slice target, struct slice *ret_path, struct slice *ret_query)
{
    struct slice rest = without_authority(target);
    *ret_path = slice_cut(&rest, '?');
    *ret_query = rest;
}
