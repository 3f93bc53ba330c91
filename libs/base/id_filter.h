/*
 * A Bloom filter over order ids: says of an id "certainly not in it" or "maybe in it", in ten bits
 * an id. The orders service makes one of a sale that is sold out and an edge refuses by it
 * (CORRECTNESS C4, C5), so both must address the same bits: only this file knows how.
 *
 * An order id is a SHA-256 cut to a UUIDv8 (order_id.h), so its own bits are the hash: nothing is
 * hashed again. The bits that a filter has set depend on nothing but the ids and the shape, and the
 * shape on nothing but a bucket of how many ids there are: two replicas make the same bytes of the
 * same orders, in whatever order they are added. Ids are only ever added; nothing added is denied.
 *
 * A filter that is being filled is one thread's; one that is complete may be read by any.
 */
#ifndef BASE_ID_FILTER_H
#define BASE_ID_FILTER_H

#include "base/uuid.h"

/* The ids that the largest filter is made for. A sale has 10,000,000 units at most, but units that
 * come back are ordered again. */
#define ID_FILTER_IDS_MAX (UINT64_C(1) << 24)
/* What every filter made here has: 0.82 % of ids that are not in a full one look as if they were.
 * Buckets are at most a quarter apart, so a filter is at least four fifths full (0.23 %). */
#define ID_FILTER_BITS_PER_ID 10
#define ID_FILTER_HASHES      7

/* Of any filter, those of other releases included. Bytes are a multiple of ID_FILTER_BYTES_STEP. */
#define ID_FILTER_BYTES_MIN  1280
#define ID_FILTER_BYTES_MAX  ((size_t)ID_FILTER_IDS_MAX * ID_FILTER_BITS_PER_ID / 8)
#define ID_FILTER_BYTES_STEP 8
#define ID_FILTER_HASHES_MAX 16

/* A filter travels in chunks of at most so many bytes (FilterChunk in sales.proto). */
#define ID_FILTER_CHUNK_BYTES_MAX ((size_t)256 * 1024)

struct id_filter_shape {
    size_t bytes;
    unsigned hashes; /* bits that stand for one id */
};

struct id_filter {
    struct id_filter_shape shape;
    uint8_t *bytes; /* owned; bit i of the filter is bit i % 8 of byte i / 8, from the lowest */
};

/* The ids that a filter made for so many has room for: the smallest 4, 5, 6 or 7 times a power of
 * two that is no less, at least 1024. ids is at most ID_FILTER_IDS_MAX (asserted). */
uint64_t id_filter_bucket(uint64_t ids);

/* The shape of a filter of so many ids; the same for all of one bucket. */
struct id_filter_shape id_filter_shape_for(uint64_t ids);

/* The shape that a peer says its filter has; false where it is out of bounds. */
bool id_filter_shape_read(int64_t total_bytes, int64_t hashes,
                          struct id_filter_shape *ret) MUST_CHECK;

bool id_filter_shape_equal(struct id_filter_shape a, struct id_filter_shape b);

/* An empty filter of a shape that came from one of the functions above. Errors: -ENOMEM. */
int id_filter_init(struct id_filter *filter, struct id_filter_shape shape) MUST_CHECK;

/* A filter with the same bits. Errors: -ENOMEM. */
int id_filter_init_copy(struct id_filter *filter, const struct id_filter *from) MUST_CHECK;

/* A zeroed filter is fine. */
void id_filter_fini(struct id_filter *filter);

/* More ids than the shape was made for only make the filter say "maybe" more often. */
void id_filter_add(struct id_filter *filter, const struct uuid *id);

/* False: certainly not added. Constant time is not needed: ids are no secret. */
bool id_filter_may_contain(const struct id_filter *filter, const struct uuid *id);

/* Writes a chunk that came from a peer over the bytes at offset; false, and nothing is written,
 * where it does not lie inside. */
bool id_filter_write(struct id_filter *filter, int64_t offset, const uint8_t *data,
                     size_t length) MUST_CHECK;

#endif
