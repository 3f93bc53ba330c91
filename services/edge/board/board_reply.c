#include "edge/board/board_reply.h"

#include "edge/limits.h"
#include "stampede/sales/v1/sales.pb-c.h"

#include <stdlib.h>
#include <string.h>

typedef Stampede__Sales__V1__BoardPosition position_message;

struct board_question_list {
    Stampede__Sales__V1__ReadBoardRequest request;
    position_message messages[EDGE_BOARD_POSITIONS_MAX];
    position_message *list[EDGE_BOARD_POSITIONS_MAX];
    char sale_ids[EDGE_BOARD_POSITIONS_MAX][UUID_TEXT_CHARS + 1];
};

const ProtobufCMessageDescriptor *const board_reply_type =
    &stampede__sales__v1__read_board_response__descriptor;

/* --- Asking ----------------------------------------------------------------------------------- */

struct board_question_list *board_reply_create_questions(void)
{
    return calloc(1, sizeof(struct board_question_list));
}

void board_reply_destroy_questions(struct board_question_list *questions)
{
    free(questions);
}

const ProtobufCMessage *board_reply_ask(struct board_question_list *questions,
                                        const struct board_position *positions, size_t count)
{
    CHECK(count >= 1 && count <= EDGE_BOARD_POSITIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        position_message *message = &questions->messages[i];
        stampede__sales__v1__board_position__init(message);
        uuid_format(&positions[i].sale_id, questions->sale_ids[i]);
        message->sale_id = questions->sale_ids[i];
        message->version = positions[i].version;
        message->filter_version = positions[i].filter_version;
        message->filter_offset = positions[i].filter_offset;
        questions->list[i] = message;
    }
    stampede__sales__v1__read_board_request__init(&questions->request);
    questions->request.n_positions = count;
    questions->request.positions = questions->list;
    return &questions->request.base;
}

/* --- Taking ----------------------------------------------------------------------------------- */

/* A state that this program does not know is one that orders decides by. */
static enum board_state state_of(Stampede__Sales__V1__Sale__State state)
{
    switch (state) {
    case STAMPEDE__SALES__V1__SALE__STATE__SCHEDULED:
        return BOARD_STATE_SCHEDULED;
    case STAMPEDE__SALES__V1__SALE__STATE__SOLD_OUT:
        return BOARD_STATE_SOLD_OUT;
    default:
        return BOARD_STATE_OTHER;
    }
}

static struct board_chunk chunk_of(const Stampede__Sales__V1__FilterChunk *message)
{
    return (struct board_chunk){
        .version = message->version,
        .offset = message->offset,
        .total = message->total,
        .hashes = message->hashes,
        .data = message->data.data,
        .length = message->data.len,
    };
}

/* False where the entry names no sale. */
static bool read_news(const Stampede__Sales__V1__BoardEntry *entry, struct board_news *ret)
{
    *ret = (struct board_news){
        .state = state_of(entry->state),
        .version = entry->version,
        .sold_out_since = entry->sold_out_since,
        .stock_remaining = entry->stock_remaining,
        .stock_returning = entry->stock_returning,
        .starts_in_ms = entry->starts_in_ms,
        .age_ms = entry->age_ms,
    };
    if (entry->filter != NULL) {
        ret->has_chunk = true;
        ret->chunk = chunk_of(entry->filter);
    }
    return uuid_parse(entry->sale_id, strlen(entry->sale_id), &ret->sale_id);
}

bool board_reply_take(struct board *board, const ProtobufCMessage *response, int64_t asked_ns)
{
    const Stampede__Sales__V1__ReadBoardResponse *reply = (const void *)response;
    bool goes_on = false;
    for (size_t i = 0; i < reply->n_entries; i++) {
        struct board_news news;
        if (read_news(reply->entries[i], &news) && board_take(board, &news, asked_ns)) {
            goes_on = true;
        }
    }
    return goes_on;
}
