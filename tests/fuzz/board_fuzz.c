/*
 * Any bytes, taken as what replicas answer to ReadBoard, one response after the other while time
 * goes on. Whatever they say: nothing breaks, filters stay within their bound, what is asked next
 * makes sense, and once a lease has passed without news everything is forwarded.
 *
 * The input is a row of responses, each behind one byte of time (in tens of milliseconds) and two
 * bytes of length, the high one first.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "edge/board/board.h"
#include "edge/board/board_reply.h"
#include "edge/limits.h"
#include "rpc/message.h"

#include <stdlib.h>
#include <string.h>

#define SALES            4
#define FILTER_BYTES_MAX ((size_t)2 * ID_FILTER_BYTES_MAX)
#define ARENA_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define BEGAN_NS         (INT64_C(1000000) * CLOCK_NS_PER_MS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct board_question question_of(unsigned sale)
{
    /* 0190a5b0-0000-7000-8000-000000000001 and on; the corpus names the same. */
    struct board_question question = {
        .sale_id = {{0x01, 0x90, 0xa5, 0xb0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}},
        .customer_id = "c-1",
        .customer_length = 3,
        .key = "a-key",
        .key_length = 5,
    };
    question.sale_id.bytes[15] = (uint8_t)(sale + 1);
    return question;
}

/* Traffic on all sales; counts what was refused. */
static unsigned judge_all(struct board *board, int64_t now_ns)
{
    unsigned refused = 0;
    for (unsigned sale = 0; sale < SALES; sale++) {
        struct board_question question = question_of(sale);
        if (board_judge(board, &question, now_ns) != BOARD_FORWARD) {
            refused++;
        }
    }
    return refused;
}

static void take(struct board *board, const uint8_t *bytes, size_t length, int64_t now_ns)
{
    struct arena arena;
    ProtobufCMessage *response;
    arena_init(&arena, 65536, ARENA_BYTES_MAX);
    if (rpc_message_unpack(board_reply_type, bytes, length, &arena, &response) == 0) {
        bool goes_on = board_reply_take(board, response, now_ns);
        board_end_round(board, now_ns, goes_on);
    }
    arena_fini(&arena);
    CHECK(board_filter_bytes(board) <= FILTER_BYTES_MAX);
}

static void ask(struct board *board, int64_t now_ns)
{
    struct board_position positions[EDGE_BOARD_POSITIONS_MAX];
    bool has_more;
    size_t count = board_positions(board, now_ns, positions, &has_more);
    CHECK(count <= SALES && !has_more);
    for (size_t i = 0; i < count; i++) {
        CHECK(positions[i].version >= 0 && positions[i].filter_version >= 0);
        CHECK(positions[i].filter_offset >= 0);
        CHECK_IMPLIES(positions[i].filter_version == 0, positions[i].filter_offset == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct board_config config = {.sales_max = SALES, .filter_bytes_max = FILTER_BYTES_MAX};
    struct board *board;
    int64_t now_ns = BEGAN_NS;
    CHECK(board_create(&config, &board) == 0);
    while (size >= 3) {
        now_ns += data[0] * 10 * CLOCK_NS_PER_MS;
        size_t length = (size_t)data[1] << 8 | data[2];
        data += 3;
        size -= 3;
        length = length < size ? length : size;
        (void)judge_all(board, now_ns);
        ask(board, now_ns);
        take(board, data, length, now_ns);
        (void)judge_all(board, now_ns);
        data += length;
        size -= length;
    }
    CHECK(judge_all(board, now_ns + CONTRACT_BOARD_LEASE_MS * CLOCK_NS_PER_MS) == 0);
    board_destroy(board);
    return 0;
}
