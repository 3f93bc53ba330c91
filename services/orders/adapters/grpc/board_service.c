#include "orders/adapters/grpc/board_service.h"

#include "orders/adapters/grpc/calls.h"
#include "orders/adapters/grpc/messages.h"
#include "orders/board/board.h"
#include "rpc/server.h"

#include <stampede/sales/v1/sales.pb-c.h>

/* Edges ask several times a second, each one call at a time. */
#define SLOTS 16

_Static_assert(BOARD_SERVICE_POSITIONS_MAX == 100, "a refusal says so");

typedef Stampede__Sales__V1__BoardPosition position_message;

/* One entry of the reply with all that it points at. */
struct line {
    Stampede__Sales__V1__BoardEntry message;
    Stampede__Sales__V1__FilterChunk chunk;
    char sale_id[UUID_TEXT_CHARS + 1];
    struct board_filter *filter; /* a reference, until the reply is packed */
};

struct reply {
    Stampede__Sales__V1__ReadBoardResponse message;
    struct line *lines; /* as many as positions */
    Stampede__Sales__V1__BoardEntry **entries;
    size_t count;
    bool has_data; /* some entry carries bytes of its filter */
};

/* --- What is asked --------------------------------------------------------------------------- */

static const char *field_of(struct rpc_call *call, size_t at, const char *name)
{
    const char *field = arena_printf(rpc_call_arena(call), "positions[%zu].%s", at, name);
    return field == NULL ? "positions" : field;
}

static void check_position(struct rpc_call *call, const position_message *position, size_t at,
                           struct violations *violations)
{
    if (position->version < 0) {
        violations_add(violations, field_of(call, at, "version"), "is negative");
    }
    if (position->filter_version < 0) {
        violations_add(violations, field_of(call, at, "filter_version"), "is negative");
    }
    if (position->filter_offset < 0 ||
        (position->filter_version == 0 && position->filter_offset != 0)) {
        violations_add(violations, field_of(call, at, "filter_offset"),
                       "is negative, or is not 0 where filter_version is 0");
    }
}

/* Reads every position's sale id; false with violations. The names of fields are made only for what
 * is wrong. */
static bool read_positions(struct rpc_call *call,
                           const Stampede__Sales__V1__ReadBoardRequest *request,
                           struct uuid *sale_ids, struct violations *violations)
{
    for (size_t i = 0; i < request->n_positions; i++) {
        const position_message *position = request->positions[i];
        struct violations unnamed = {0};
        if (!messages_uuid(position->sale_id, "sale_id", &sale_ids[i], &unnamed)) {
            violations_add(violations, field_of(call, i, "sale_id"), unnamed.items[0].description);
        }
        check_position(call, position, i, violations);
    }
    return violations->count == 0;
}

/* --- What is answered ------------------------------------------------------------------------ */

/* The part of the filter that follows what the asker has; without bytes where the asker has it all
 * or another entry of the reply carries some. */
static void put_chunk(struct reply *reply, struct line *line, const position_message *position)
{
    const struct id_filter *bits = &line->filter->bits;
    const int64_t total = (int64_t)bits->shape.bytes;
    bool goes_on =
        position->filter_version == line->filter->version && position->filter_offset <= total;
    int64_t offset = goes_on ? position->filter_offset : 0;
    size_t left = (size_t)(total - offset);

    stampede__sales__v1__filter_chunk__init(&line->chunk);
    line->chunk.version = line->filter->version;
    line->chunk.offset = offset;
    line->chunk.total = total;
    line->chunk.hashes = (int32_t)bits->shape.hashes;
    if (left > 0 && !reply->has_data) {
        line->chunk.data.data = bits->bytes + offset;
        line->chunk.data.len = left < ID_FILTER_CHUNK_BYTES_MAX ? left : ID_FILTER_CHUNK_BYTES_MAX;
        reply->has_data = true;
    }
    line->message.filter = &line->chunk;
}

static void put_entry(struct reply *reply, const struct uuid *sale_id,
                      const struct board_entry *entry, const position_message *position)
{
    struct line *line = &reply->lines[reply->count];
    Stampede__Sales__V1__BoardEntry *message = &line->message;

    uuid_format(sale_id, line->sale_id);
    stampede__sales__v1__board_entry__init(message);
    message->sale_id = line->sale_id;
    message->state = messages_sale_state(entry->state);
    message->version = entry->version;
    message->stock_remaining = entry->stock_remaining;
    message->stock_returning = entry->stock_returning;
    message->starts_in_ms = entry->starts_in_ms;
    message->age_ms = entry->age_ms;
    message->sold_out_since = entry->sold_out_since;
    line->filter = entry->filter;
    if (line->filter != NULL) {
        put_chunk(reply, line, position);
    }
    reply->entries[reply->count++] = message;
}

static void send_reply(struct rpc_call *call, struct reply *reply)
{
    stampede__sales__v1__read_board_response__init(&reply->message);
    reply->message.n_entries = reply->count;
    reply->message.entries = reply->entries;
    /* The lines live in the call's arena, which is gone once the call is finished. */
    struct board_filter *filters[BOARD_SERVICE_POSITIONS_MAX];
    size_t count = reply->count;
    for (size_t i = 0; i < count; i++) {
        filters[i] = reply->lines[i].filter;
    }
    rpc_call_finish(call, &reply->message.base);
    for (size_t i = 0; i < count; i++) {
        board_filter_unref(filters[i]);
    }
}

static void answer(const struct board_service *service, struct rpc_call *call,
                   const Stampede__Sales__V1__ReadBoardRequest *request,
                   const struct uuid *sale_ids)
{
    struct arena *arena = rpc_call_arena(call);
    struct reply reply = {
        .lines = arena_calloc(arena, request->n_positions, sizeof(struct line)),
        .entries = arena_calloc(arena, request->n_positions, sizeof(*reply.entries)),
    };
    if (reply.lines == NULL || reply.entries == NULL) {
        calls_refuse(service->calls, call, VERDICT_OVERLOADED);
        return;
    }
    for (size_t i = 0; i < request->n_positions; i++) {
        struct board_entry entry;
        if (board_read(service->board, &sale_ids[i], &entry)) {
            put_entry(&reply, &sale_ids[i], &entry, request->positions[i]);
        }
    }
    send_reply(call, &reply);
}

static void handle_read_board(struct rpc_call *call, const ProtobufCMessage *message, void *data)
{
    const Stampede__Sales__V1__ReadBoardRequest *request = (const void *)message;
    const struct board_service *service = data;
    struct uuid sale_ids[BOARD_SERVICE_POSITIONS_MAX];
    struct violations violations = {0};

    if (request->n_positions == 0 || request->n_positions > BOARD_SERVICE_POSITIONS_MAX) {
        violations_add(&violations, "positions", "holds 1 to 100 sales");
        calls_refuse_fields(service->calls, call, &violations);
    } else if (!read_positions(call, request, sale_ids, &violations)) {
        calls_refuse_fields(service->calls, call, &violations);
    } else {
        answer(service, call, request, sale_ids);
    }
}

int board_service_add(struct rpc_server *server, const struct board_service *service)
{
    const struct rpc_method method = {
        .service = &stampede__sales__v1__sale_service__descriptor,
        .name = "ReadBoard",
        .kind = RPC_UNARY,
        .handle = handle_read_board,
        .data = (void *)(uintptr_t)service,
        .slots = SLOTS,
    };
    return rpc_server_add(server, &method);
}
