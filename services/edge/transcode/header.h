/* The headers of a request, as this layer sees them. Any thread. */
#ifndef EDGE_TRANSCODE_HEADER_H
#define EDGE_TRANSCODE_HEADER_H

#include "base/check.h"
#include "edge/routes/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct header {
    struct slice name; /* lower case */
    struct slice value;
};

struct headers {
    const struct header *entries;
    size_t count;
};

/* How often a header is there; *ret_value is its first value without surrounding space. */
size_t header_find(const struct headers *headers, const char *name, struct slice *ret_value);

/*
 * The text that a header stands for: a value that begins with a quotation mark is a string of
 * RFC 8941, 3.3.3, any other value means itself. ret_text has room for value.length bytes and is
 * not terminated. Errors: -EINVAL for a broken string or anything behind it, and for text that is
 * empty or not printable ASCII.
 */
int header_text(struct slice value, char *ret_text, size_t *ret_length) MUST_CHECK;

/*
 * Whether a Content-Type is application/json, in UTF-8 if it names a charset (RFC 8259, 8.1);
 * other parameters are not ours.
 */
bool header_is_json(struct slice content_type);

/*
 * Whether an If-None-Match matches an entity tag, by weak comparison (RFC 9110, 8.8.3.2, 13.1.2).
 * etag includes its quotation marks.
 */
bool header_matches_etag(struct slice if_none_match, struct slice etag);

#endif
