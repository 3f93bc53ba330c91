/*
 * ReadBoard on the wire: the board's questions as a request, a response as the board's news. The
 * response comes from outside: whatever it says, the board checks it.
 */
#ifndef EDGE_BOARD_BOARD_REPLY_H
#define EDGE_BOARD_BOARD_REPLY_H

#include "base/check.h"
#include "edge/board/board.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_REPLY_METHOD "/stampede.sales.v1.SaleService/ReadBoard"

/* Of a ReadBoardResponse. */
extern const ProtobufCMessageDescriptor *const board_reply_type;

/* The request for so many positions; valid until the next call. One per asker. */
struct board_question_list;
struct board_question_list *board_reply_create_questions(void) MUST_CHECK; /* NULL: no memory */
void board_reply_destroy_questions(struct board_question_list *questions);
const ProtobufCMessage *board_reply_ask(struct board_question_list *questions,
                                        const struct board_position *positions, size_t count);

/* Takes a response to what was asked at asked_ns; entries that cannot be read are passed over. True
 * when asking again at once gets a filter on. The asker's thread. */
bool board_reply_take(struct board *board, const ProtobufCMessage *response,
                      int64_t asked_ns) MUST_CHECK;

#endif
