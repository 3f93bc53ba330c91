/* Percent-encoding (RFC 3986, 2.1). Any thread; nothing is kept. */
#ifndef EDGE_ROUTES_PERCENT_H
#define EDGE_ROUTES_PERCENT_H

#include "base/check.h"
#include "edge/routes/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* What percent_encode writes at most for one byte. */
#define PERCENT_ENCODED_BYTES 3

/*
 * Decodes one piece of a path or query into ret_text, which has room for encoded.length + 1 bytes,
 * and terminates it. plus_is_space is for queries (application/x-www-form-urlencoded). Errors:
 * -EINVAL for a broken escape, an encoded NUL, or bytes that are not UTF-8 afterwards.
 */
int percent_decode(struct slice encoded, bool plus_is_space, char *ret_text,
                   size_t *ret_length) MUST_CHECK;

/* Whether a segment spells text, escapes decoded. False for a broken escape. */
bool percent_spells(struct slice encoded, const char *text);

/*
 * Encodes everything but unreserved characters, so that the result is safe in a path segment and in
 * a query. ret_encoded has room for PERCENT_ENCODED_BYTES * text.length; returns the length.
 */
size_t percent_encode(struct slice text, char *ret_encoded);

#endif
