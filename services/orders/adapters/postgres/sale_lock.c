#include "orders/adapters/postgres/sale_lock.h"

#include "base/arena.h"
#include "orders/adapters/postgres/queries/begin_transaction.h"
#include "orders/adapters/postgres/queries/lock_sale.h"
#include "orders/adapters/postgres/queries/read_clock.h"
#include "orders/adapters/postgres/translate.h"

enum db_status sale_lock_send(struct session *session, struct arena *arena,
                              const struct uuid *sale_id)
{
    const struct lock_sale_params sale = {.sale_id = *sale_id};
    enum db_status status;
    (void)((status = begin_transaction_send(session)) != DB_OK ||
           (status = lock_sale_send(session, arena, &sale)) != DB_OK ||
           (status = read_clock_send(session)) != DB_OK);
    return status;
}

static enum db_status receive_sale(struct session *session, int64_t deadline_ns,
                                   struct arena *arena, struct sale *ret, bool *ret_found)
{
    struct session_result result;
    struct lock_sale_row row;

    enum db_status status = lock_sale_receive(session, deadline_ns, &result, ret_found, &row);
    if (status != DB_OK) {
        return status;
    }
    bool sound = !*ret_found || TRANSLATE_SALE(&row, arena, ret);
    session_result_fini(&result);
    return sound ? DB_OK : DB_PROTOCOL;
}

static enum db_status receive_clock(struct session *session, int64_t deadline_ns, int64_t *ret_us)
{
    struct read_clock_row row;
    enum db_status status = read_clock_receive(session, deadline_ns, &row);
    if (status == DB_OK) {
        *ret_us = row.read_time_us;
    }
    return status;
}

enum db_status sale_lock_receive(struct session *session, int64_t deadline_ns, struct arena *arena,
                                 struct sale *ret, int64_t *ret_now_us, bool *ret_found)
{
    enum db_status status;
    (void)((status = begin_transaction_receive(session, deadline_ns, NULL)) != DB_OK ||
           (status = receive_sale(session, deadline_ns, arena, ret, ret_found)) != DB_OK ||
           (status = receive_clock(session, deadline_ns, ret_now_us)) != DB_OK);
    return status;
}
