#include "edge/http/trace.h"

#include "base/check.h"

/* version-traceid-spanid-flags, as W3C Trace Context has it. */
#define VERSION_CHARS  2
#define TRACE_ID_AT    3
#define TRACE_ID_CHARS 32
#define SPAN_ID_AT     36
#define SPAN_ID_CHARS  16
#define FLAGS_AT       53
#define FLAGS_CHARS    2

_Static_assert(FLAGS_AT + FLAGS_CHARS == TRACE_PARENT_CHARS, "the flags come last");

static uint64_t rotated(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

void trace_random_init(struct trace_random *random, const uint64_t seed[4])
{
    memcpy(random->_state, seed, sizeof(random->_state));
    CHECK((seed[0] | seed[1] | seed[2] | seed[3]) != 0);
}

/* One step of xoshiro256** (Blackman and Vigna, 2018). */
static uint64_t next_random(struct trace_random *random)
{
    uint64_t *state = random->_state;
    uint64_t result = rotated(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotated(state[3], 45);
    return result;
}

/* Eight digits for 32 bits: each nibble gets a byte of its own, then all become text at once. */
static void write_hex(uint32_t bits, char *ret_digits)
{
    uint64_t spread = bits;
    spread = (spread | spread << 16) & UINT64_C(0x0000ffff0000ffff);
    spread = (spread | spread << 8) & UINT64_C(0x00ff00ff00ff00ff);
    spread = (spread | spread << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    /* One in each byte that is ten or more, which becomes a letter. */
    uint64_t letters = (spread + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    spread += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
    memcpy(ret_digits, &spread, sizeof(spread));
}

/* 16 hexadecimal digits that are not all zero, which is no valid id. */
static void write_random_hex(struct trace_random *random, char *ret_digits)
{
    uint64_t bits = next_random(random);
    bits = bits == 0 ? 1 : bits;
    write_hex((uint32_t)bits, ret_digits);
    write_hex((uint32_t)(bits >> 32), ret_digits + 8);
}

void trace_request_id(struct trace_random *random, struct slice taken,
                      char ret_id[TRACE_REQUEST_ID_CHARS_MAX + 1])
{
    bool is_valid = taken.length > 0 && taken.length <= TRACE_REQUEST_ID_CHARS_MAX;
    for (size_t i = 0; is_valid && i < taken.length; i++) {
        is_valid = taken.bytes[i] > ' ' && taken.bytes[i] <= '~';
    }
    if (is_valid) {
        memcpy(ret_id, taken.bytes, taken.length);
        ret_id[taken.length] = '\0';
        return;
    }
    write_random_hex(random, ret_id);
    write_random_hex(random, ret_id + SPAN_ID_CHARS);
    ret_id[2 * (size_t)SPAN_ID_CHARS] = '\0';
}

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (!is_digit) {
            return false;
        }
    }
    return true;
}

static bool is_zero(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '0') {
            return false;
        }
    }
    return true;
}

/* The grammar of version 00; a later version may be longer after another dash. */
static bool is_valid_parent(struct slice parent)
{
    const char *text = parent.bytes;
    if (parent.length < TRACE_PARENT_CHARS || text[TRACE_ID_AT - 1] != '-' ||
        text[SPAN_ID_AT - 1] != '-' || text[FLAGS_AT - 1] != '-' || !is_hex(text, VERSION_CHARS) ||
        !is_hex(text + TRACE_ID_AT, TRACE_ID_CHARS) || !is_hex(text + SPAN_ID_AT, SPAN_ID_CHARS) ||
        !is_hex(text + FLAGS_AT, FLAGS_CHARS)) {
        return false;
    }
    if (is_zero(text + TRACE_ID_AT, TRACE_ID_CHARS) || is_zero(text + SPAN_ID_AT, SPAN_ID_CHARS) ||
        memcmp(text, "ff", VERSION_CHARS) == 0) {
        return false;
    }
    return parent.length == TRACE_PARENT_CHARS ||
           (memcmp(text, "00", VERSION_CHARS) != 0 && text[TRACE_PARENT_CHARS] == '-');
}

void trace_parent(struct trace_random *random, struct slice taken,
                  char ret_parent[TRACE_PARENT_CHARS + 1])
{
    memcpy(ret_parent, "00-................................-................-00",
           TRACE_PARENT_CHARS + 1);
    if (is_valid_parent(taken)) {
        memcpy(ret_parent + VERSION_CHARS, taken.bytes + VERSION_CHARS,
               TRACE_PARENT_CHARS - VERSION_CHARS);
        return;
    }
    write_random_hex(random, ret_parent + TRACE_ID_AT);
    write_random_hex(random, ret_parent + TRACE_ID_AT + SPAN_ID_CHARS);
    write_random_hex(random, ret_parent + SPAN_ID_AT);
}

void trace_parent_child(struct trace_random *random, const char parent[TRACE_PARENT_CHARS + 1],
                        char ret_child[TRACE_PARENT_CHARS + 1])
{
    memcpy(ret_child, parent, TRACE_PARENT_CHARS + 1);
    write_random_hex(random, ret_child + SPAN_ID_AT);
}
