#include "orders/adapters/postgres/rows.h"

#include "base/arena.h"

enum db_status rows_receive(const struct rows_kind *kind, struct session *session,
                            int64_t deadline_ns, struct arena *arena, struct rows *ret)
{
    struct session_result result;

    enum db_status status = kind->receive(session, deadline_ns, &result);
    if (status != DB_OK) {
        return status;
    }
    char *items = arena_calloc(arena, result.row_count, kind->item_bytes);
    status = items != NULL ? DB_OK : DB_OUT_OF_MEMORY;
    for (size_t i = 0; status == DB_OK && i < result.row_count; i++) {
        status = kind->read(session, &result, i, arena, items + i * kind->item_bytes);
    }
    if (status == DB_OK) {
        *ret = (struct rows){.items = items, .count = result.row_count};
    }
    session_result_fini(&result);
    return status;
}
