/*
 * A filter of a sale's order ids as the edge holds it: filled by one thread, chunk by chunk, then
 * shared with the loops and constant. It is freed when the last of them lets go.
 */
#ifndef EDGE_BOARD_BOARD_FILTER_H
#define EDGE_BOARD_BOARD_FILTER_H

#include "base/check.h"
#include "base/id_filter.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct board_filter {
    int64_t version; /* of the sale when it ran out; every order that it had then is in here */
    struct id_filter ids;
    size_t received; /* bytes from the start; all of them before it is shared */
    atomic_uint _refs;
};

/* A chunk as it came over the wire; nothing of it has been checked. data is borrowed. */
struct board_chunk {
    int64_t version, offset, total;
    int64_t hashes;
    const uint8_t *data;
    size_t length;
};

/* An empty filter for what chunk is the beginning of, with one reference; the shape is the chunk's
 * own. Errors: -ENOMEM. */
int board_filter_create(int64_t version, struct id_filter_shape shape,
                        struct board_filter **ret) MUST_CHECK;

/* Writes a chunk of this filter that begins where its bytes end. False, and nothing is written, for
 * any other: another version or shape, another place, too long. Only before the filter is shared.
 */
bool board_filter_write(struct board_filter *filter, const struct board_chunk *chunk) MUST_CHECK;

bool board_filter_is_complete(const struct board_filter *filter);

/* Any thread. */
struct board_filter *board_filter_ref(struct board_filter *filter);
void board_filter_unref(struct board_filter *filter); /* NULL is fine */

#endif
