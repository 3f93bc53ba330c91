#include "base/id_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_MIN 1024

/* A bucket is a multiple of 2^8 ids, so its bits are a whole number of steps. */
_Static_assert(BUCKET_MIN / 4 * ID_FILTER_BITS_PER_ID % (8 * ID_FILTER_BYTES_STEP) == 0,
               "every bucket's filter has whole steps");
_Static_assert(BUCKET_MIN *ID_FILTER_BITS_PER_ID / 8 == ID_FILTER_BYTES_MIN,
               "the smallest bucket makes the smallest filter");
_Static_assert(ID_FILTER_HASHES <= ID_FILTER_HASHES_MAX, "what is made here can be read here");
_Static_assert(ID_FILTER_BYTES_MAX <= UINT32_MAX / 8, "a filter's bits are counted in 32 bits");

uint64_t id_filter_bucket(uint64_t ids)
{
    CHECK(ids <= ID_FILTER_IDS_MAX);
    uint64_t quarter = BUCKET_MIN / 4;
    while (7 * quarter < ids) {
        quarter *= 2;
    }
    uint64_t quarters = (ids + quarter - 1) / quarter;
    return quarter * (quarters < 4 ? 4 : quarters);
}

struct id_filter_shape id_filter_shape_for(uint64_t ids)
{
    return (struct id_filter_shape){
        .bytes = (size_t)(id_filter_bucket(ids) * ID_FILTER_BITS_PER_ID / 8),
        .hashes = ID_FILTER_HASHES,
    };
}

static bool is_shape(struct id_filter_shape shape)
{
    return shape.bytes >= ID_FILTER_BYTES_MIN && shape.bytes <= ID_FILTER_BYTES_MAX &&
           shape.bytes % ID_FILTER_BYTES_STEP == 0 && shape.hashes >= 1 &&
           shape.hashes <= ID_FILTER_HASHES_MAX;
}

bool id_filter_shape_read(int64_t total_bytes, int64_t hashes, struct id_filter_shape *ret)
{
    if (total_bytes < 0 || total_bytes > (int64_t)ID_FILTER_BYTES_MAX || hashes < 0 ||
        hashes > ID_FILTER_HASHES_MAX) {
        return false;
    }
    struct id_filter_shape shape = {.bytes = (size_t)total_bytes, .hashes = (unsigned)hashes};
    if (!is_shape(shape)) {
        return false;
    }
    *ret = shape;
    return true;
}

bool id_filter_shape_equal(struct id_filter_shape a, struct id_filter_shape b)
{
    return a.bytes == b.bytes && a.hashes == b.hashes;
}

int id_filter_init(struct id_filter *filter, struct id_filter_shape shape)
{
    CHECK(is_shape(shape));
    uint8_t *bytes = calloc(1, shape.bytes);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    *filter = (struct id_filter){.shape = shape, .bytes = bytes};
    return 0;
}

int id_filter_init_copy(struct id_filter *filter, const struct id_filter *from)
{
    CHECK(is_shape(from->shape));
    uint8_t *bytes = malloc(from->shape.bytes);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    memcpy(bytes, from->bytes, from->shape.bytes);
    *filter = (struct id_filter){.shape = from->shape, .bytes = bytes};
    return 0;
}

void id_filter_fini(struct id_filter *filter)
{
    free(filter->bytes);
    *filter = (struct id_filter){0};
}

/* --- Addressing ------------------------------------------------------------------------------ */

static uint64_t big_endian(const uint8_t bytes[8])
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/*
 * Where an id's bits are: a start and a step on a circle of 2^64, scaled down to the filter's bits
 * by multiplication. Only the highest bits count there, and those must be free: of the first half
 * the version's nibble is the lowest but twelve bits, which count for nothing, and the variant's
 * two bits on top of the second half are shifted out. An odd step never stands still.
 */
struct walk {
    uint64_t position, step, bits;
};

static struct walk walk_of(const struct id_filter *filter, const struct uuid *id)
{
    return (struct walk){
        .position = big_endian(id->bytes),
        .step = big_endian(id->bytes + 8) << 2 | 1,
        .bits = (uint64_t)filter->shape.bytes * 8,
    };
}

/* floor(position * bits / 2^64), in halves, as there is no 128-bit type in the standard. bits has
 * 32 bits at most, so the low half's product keeps its carry. */
static size_t walk_next(struct walk *walk)
{
    uint64_t low = (walk->position & UINT32_MAX) * walk->bits;
    uint64_t high = (walk->position >> 32) * walk->bits;
    walk->position += walk->step;
    return (size_t)((high + (low >> 32)) >> 32);
}

void id_filter_add(struct id_filter *filter, const struct uuid *id)
{
    struct walk walk = walk_of(filter, id);
    for (unsigned i = 0; i < filter->shape.hashes; i++) {
        size_t bit = walk_next(&walk);
        filter->bytes[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

bool id_filter_may_contain(const struct id_filter *filter, const struct uuid *id)
{
    struct walk walk = walk_of(filter, id);
    for (unsigned i = 0; i < filter->shape.hashes; i++) {
        size_t bit = walk_next(&walk);
        if ((filter->bytes[bit / 8] & 1u << bit % 8) == 0) {
            return false;
        }
    }
    return true;
}

bool id_filter_write(struct id_filter *filter, int64_t offset, const uint8_t *data, size_t length)
{
    size_t bytes = filter->shape.bytes;
    if (offset < 0 || (uint64_t)offset > bytes || length > bytes - (size_t)offset) {
        return false;
    }
    if (length > 0) {
        memcpy(filter->bytes + offset, data, length);
    }
    return true;
}
