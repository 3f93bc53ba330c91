#include "postgres_stage.h"

#include "base/arena.h"
#include "base/clock.h"
#include "orders/adapters/postgres/store_postgres.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SQL_BYTES 4096

/* A loaded machine is no fault: nothing here waits for these to pass. */
#define LOCK_MS      30000
#define STATEMENT_MS 40000
#define IDLE_MS      60000
#define CONNECT_MS   30000
#define READ_MS      60000

/* Small pages, so that a short history has several. */
#define PAGE_EVENTS        3
#define PAGE_EVENTS_ORDERS 4
#define PAGE_ORDERS        5

#define ARENA_BLOCK_BYTES (1 << 18)
#define ARENA_BYTES_MAX   (1 << 24)

struct postgres_stage {
    struct stage stage;
    struct store store;
    struct system_port system;
    struct store_postgres_config config;
    PGconn *admin;
    struct arena arena;
};

/* --- Statements of the superuser --------------------------------------------------------------*/

static PGresult *query(struct postgres_stage *postgres, const char *sql)
{
    PGresult *result = PQexec(postgres->admin, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s\n%s", sql, PQerrorMessage(postgres->admin));
        PQclear(result);
        return NULL;
    }
    return result;
}

bool postgres_stage_run(struct postgres_stage *postgres, const char *sql)
{
    PGresult *result = query(postgres, sql);
    PQclear(result);
    return result != NULL;
}

static int64_t number_at(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static int64_t now_us(void *data)
{
    PGresult *result =
        query(data, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
    CHECK(result != NULL);
    int64_t now = number_at(result, 0, 0);
    PQclear(result);
    return now;
}

static void leap(void *data, const struct uuid *sale_id, int64_t us)
{
    char sql[SQL_BYTES], text[UUID_TEXT_CHARS + 1], by[64];

    uuid_format(sale_id, text);
    snprintf(by, sizeof(by), "%" PRId64 " * interval '1 microsecond'", us);
    snprintf(sql, sizeof(sql),
             "UPDATE sales SET start_time = start_time - %s, end_time = end_time - %s "
             "WHERE sale_id = '%s'; "
             "UPDATE orders SET create_time = create_time - %s, expire_time = expire_time - %s "
             "WHERE sale_id = '%s'; "
             "UPDATE order_events SET event_time = event_time - %s WHERE sale_id = '%s'",
             by, by, text, by, by, text, by, text);
    CHECK(postgres_stage_run(data, sql));
}

/* --- What the database holds ------------------------------------------------------------------*/

#define EPOCH_US(column) "(extract(epoch FROM " column ") * 1000000)::bigint"

static bool status_of(const char *text, enum order_status *ret)
{
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        if (strcmp(text, order_status_name(status)) == 0) {
            *ret = status;
            return true;
        }
    }
    return false;
}

static bool read_sale(struct postgres_stage *postgres, const char *sale_id, struct stage_view *view)
{
    char sql[SQL_BYTES];

    snprintf(
        sql, sizeof(sql),
        "SELECT " EPOCH_US("start_time") ", " EPOCH_US(
            "end_time") ", stock_total, "
                        "stock_remaining, stock_returning, stock_returned, sold_out_since, "
                        "version, "
                        "orders_count, per_customer_limit, hold_seconds, paused::int, ended::int, "
                        "limit_lowered::int, "
                        "title FROM sales WHERE sale_id = '%s'",
        sale_id);
    PGresult *row = query(postgres, sql);
    if (row == NULL || PQntuples(row) != 1) {
        PQclear(row);
        return false;
    }
    view->sale = (struct sale){.start_us = number_at(row, 0, 0),
                               .end_us = number_at(row, 0, 1),
                               .stock_total = (int32_t)number_at(row, 0, 2),
                               .stock_remaining = (int32_t)number_at(row, 0, 3),
                               .stock_returning = (int32_t)number_at(row, 0, 4),
                               .stock_returned = number_at(row, 0, 5),
                               .sold_out_since = number_at(row, 0, 6),
                               .version = number_at(row, 0, 7),
                               .orders_count = number_at(row, 0, 8),
                               .per_customer_limit = (int32_t)number_at(row, 0, 9),
                               .hold_seconds = (int32_t)number_at(row, 0, 10),
                               .paused = number_at(row, 0, 11) != 0,
                               .ended = number_at(row, 0, 12) != 0};
    view->limit_lowered = number_at(row, 0, 13) != 0;
    snprintf(view->title, sizeof(view->title), "%s", PQgetvalue(row, 0, 14));
    PQclear(row);
    return true;
}

static bool take_order(const PGresult *rows, int row, struct stage_order *ret)
{
    const char *order_id = PQgetvalue(rows, row, 0);
    snprintf(ret->customer, sizeof(ret->customer), "%s", PQgetvalue(rows, row, 2));
    ret->order = (struct order){.number = number_at(rows, row, 1),
                                .quantity = (int32_t)number_at(rows, row, 3),
                                .create_us = number_at(rows, row, 5),
                                .expire_us = number_at(rows, row, 6)};
    return uuid_parse(order_id, strlen(order_id), &ret->order.order_id) &&
           status_of(PQgetvalue(rows, row, 4), &ret->order.status);
}

static bool read_orders(struct postgres_stage *postgres, const char *sale_id,
                        struct stage_view *view)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql),
             "SELECT order_id, number, customer_id, quantity, status, " EPOCH_US(
                 "create_time") ", coalesce(" EPOCH_US("expire_time") ", 0) FROM orders "
                                                                      "WHERE sale_id = '%s' ORDER "
                                                                      "BY number",
             sale_id);
    PGresult *rows = query(postgres, sql);
    bool is_good = rows != NULL && PQntuples(rows) <= MODEL_ORDERS_MAX;
    view->order_count = is_good ? (size_t)PQntuples(rows) : 0;
    for (size_t i = 0; is_good && i < view->order_count; i++) {
        is_good = take_order(rows, (int)i, &view->orders[i]);
    }
    PQclear(rows);
    return is_good;
}

/* "3,1" and "EXPIRED,CANCELLED" side by side. */
static bool take_changes(const char *numbers, const char *statuses, struct stage_view *view,
                         struct stage_event *event)
{
    event->change_first = view->change_count;
    while (*numbers != '\0') {
        char *end, name[16];
        size_t length = strcspn(statuses, ",");
        if (view->change_count == MODEL_CHANGES_MAX || length >= sizeof(name)) {
            return false;
        }
        struct model_change *change = &view->changes[view->change_count++];
        event->change_count++;
        memcpy(name, statuses, length);
        name[length] = '\0';
        change->number = strtoll(numbers, &end, 10);
        if (!status_of(name, &change->to)) {
            return false;
        }
        numbers = *end == ',' ? end + 1 : end;
        statuses += length + (statuses[length] == ',');
    }
    return *statuses == '\0';
}

static bool take_event(const PGresult *rows, int row, struct stage_view *view)
{
    struct stage_event *event = &view->events[view->event_count++];
    *event = (struct stage_event){.sequence = number_at(rows, row, 0),
                                  .time_us = number_at(rows, row, 1),
                                  .placed_from = number_at(rows, row, 2),
                                  .placed_count = (int)number_at(rows, row, 3)};
    if (event->placed_count > 0 && !status_of(PQgetvalue(rows, row, 4), &event->placed_status)) {
        return false;
    }
    return take_changes(PQgetvalue(rows, row, 5), PQgetvalue(rows, row, 6), view, event);
}

static bool read_events(struct postgres_stage *postgres, const char *sale_id,
                        struct stage_view *view)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql),
             "SELECT sequence, " EPOCH_US(
                 "event_time") ", coalesce(placed_from, 0), placed_count, "
                               "placed_status, array_to_string(changed_numbers, ','), "
                               "array_to_string(changed_statuses, ',') FROM order_events "
                               "WHERE sale_id = '%s' ORDER BY sequence",
             sale_id);
    PGresult *rows = query(postgres, sql);
    bool is_good = rows != NULL && PQntuples(rows) <= MODEL_EVENTS_MAX;
    view->event_count = view->change_count = 0;
    for (int i = 0; is_good && i < PQntuples(rows); i++) {
        is_good = take_event(rows, i, view);
    }
    PQclear(rows);
    return is_good;
}

/* --- What the store reads must be the same ----------------------------------------------------*/

static int64_t read_deadline(void)
{
    return clock_deadline_in_ms(READ_MS);
}

/* What the event says that the order with this number became; ORDER_STATUS_COUNT: nothing. */
static enum order_status status_told(const struct stage_view *view, const struct stage_event *event,
                                     int64_t number)
{
    for (size_t i = 0; i < event->change_count; i++) {
        if (view->changes[event->change_first + i].number == number) {
            return view->changes[event->change_first + i].to;
        }
    }
    bool is_placed = event->placed_count > 0 && number >= event->placed_from &&
                     number < event->placed_from + event->placed_count;
    return is_placed ? event->placed_status : ORDER_STATUS_COUNT;
}

static bool is_order(const struct stage_view *view, const struct store_order *read,
                     enum order_status status)
{
    if (read->order.number < 1 || read->order.number > (int64_t)view->order_count) {
        return false;
    }
    const struct stage_order *row = &view->orders[read->order.number - 1];
    return uuid_equal(&read->order.order_id, &row->order.order_id) &&
           strcmp(read->customer_id, row->customer) == 0 && read->order.status == status &&
           read->order.quantity == row->order.quantity &&
           read->order.create_us == row->order.create_us &&
           read->order.expire_us == row->order.expire_us;
}

static bool is_event(const struct stage_view *view, const struct store_event *read)
{
    if (read->sequence < 1 || read->sequence > (int64_t)view->event_count) {
        return false;
    }
    const struct stage_event *row = &view->events[read->sequence - 1];
    int64_t last = 0;
    if (read->time_us != row->time_us ||
        read->order_count != (size_t)row->placed_count + row->change_count) {
        return false;
    }
    for (size_t i = 0; i < read->order_count; i++) {
        int64_t number = read->orders[i].order.number;
        enum order_status status = status_told(view, row, number);
        if (number <= last || status == ORDER_STATUS_COUNT ||
            !is_order(view, &read->orders[i], status)) {
            return false;
        }
        last = number;
    }
    return true;
}

/* Reads all events page by page. */
static bool events_agree(struct postgres_stage *postgres, const struct uuid *sale_id,
                         const struct stage_view *view)
{
    const struct store *store = &postgres->store;
    int64_t next = 1;
    bool more = true;

    while (more) {
        struct store_event_page page;
        arena_reset(&postgres->arena);
        if (store->read_events(store->data, sale_id, next, PAGE_EVENTS, PAGE_EVENTS_ORDERS,
                               read_deadline(), &postgres->arena, &page) != STORE_OK ||
            page.oldest_sequence != 1 || (page.more && page.count == 0)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            if (page.events[i].sequence != next++ || !is_event(view, &page.events[i])) {
                return false;
            }
        }
        more = page.more;
    }
    return next == (int64_t)view->event_count + 1;
}

static bool orders_agree(struct postgres_stage *postgres, const struct uuid *sale_id,
                         const struct stage_view *view)
{
    const struct store *store = &postgres->store;
    int64_t after = 0;
    bool more = true;

    while (more) {
        struct store_order_page page;
        arena_reset(&postgres->arena);
        if (store->list_orders(store->data, sale_id, NULL, after, PAGE_ORDERS, read_deadline(),
                               &postgres->arena, &page) != STORE_OK ||
            (page.more && page.count == 0)) {
            return false;
        }
        for (size_t i = 0; i < page.count; i++) {
            const struct store_order *read = &page.orders[i];
            if (read->order.number != ++after || after > (int64_t)view->order_count ||
                !is_order(view, read, view->orders[after - 1].order.status)) {
                return false;
            }
        }
        more = page.more;
    }
    return after == (int64_t)view->order_count;
}

static bool look(void *data, const struct uuid *sale_id, bool whole, struct stage_view *ret)
{
    struct postgres_stage *postgres = data;
    char text[UUID_TEXT_CHARS + 1];

    uuid_format(sale_id, text);
    if (!read_sale(postgres, text, ret)) {
        return false;
    }
    if (!whole) {
        return true;
    }
    if (!read_orders(postgres, text, ret) || !read_events(postgres, text, ret)) {
        return false;
    }
    if (!events_agree(postgres, sale_id, ret) || !orders_agree(postgres, sale_id, ret)) {
        fprintf(stderr, "sale %s: the store reads other orders or events than there are\n", text);
        return false;
    }
    return true;
}

/* --- Life -------------------------------------------------------------------------------------*/

static int64_t system_monotonic_ns(void *data)
{
    (void)data;
    return clock_monotonic_ns();
}

static void system_sleep_ns(void *data, int64_t duration_ns)
{
    const struct timespec duration = {.tv_sec = (time_t)(duration_ns / CLOCK_NS_PER_SECOND),
                                      .tv_nsec = (long)(duration_ns % CLOCK_NS_PER_SECOND)};
    (void)data;
    nanosleep(&duration, NULL);
}

static uint64_t system_wall_ms(void *data)
{
    (void)data;
    return (uint64_t)(clock_wall_us() / 1000);
}

static void system_random_bytes(void *data, uint8_t *bytes, size_t count)
{
    (void)data;
    memset(bytes, 7, count); /* for the back-off's jitter only: chance is the seed's alone */
}

static void on_error(void *data, const char *kind, const char *sqlstate, const char *message)
{
    (void)data;
    (void)kind;
    (void)sqlstate;
    (void)message;
}

static void on_connected(void *data)
{
    (void)data;
}

static bool connect_both(struct postgres_stage *postgres, const struct scratch_postgres *server)
{
    postgres->admin = PQconnectdb(server->admin_url);
    if (PQstatus(postgres->admin) != CONNECTION_OK) {
        fprintf(stderr, "the superuser cannot connect: %s", PQerrorMessage(postgres->admin));
        return false;
    }
    if (store_postgres_create(&postgres->config, &postgres->store) < 0 ||
        !postgres->store.wait_connected(postgres->store.data, clock_deadline_in_ms(CONNECT_MS))) {
        fprintf(stderr, "the store cannot connect\n");
        return false;
    }
    return true;
}

struct postgres_stage *postgres_stage_create(const struct scratch_postgres *server)
{
    struct postgres_stage *postgres = calloc(1, sizeof(*postgres));
    CHECK(postgres != NULL);
    postgres->system = (struct system_port){.monotonic_ns = system_monotonic_ns,
                                            .sleep_ns = system_sleep_ns,
                                            .wall_ms = system_wall_ms,
                                            .random_bytes = system_random_bytes};
    postgres->config = (struct store_postgres_config){
        .conninfo = server->service_url,
        .application_name = POSTGRES_STAGE_NAME,
        .lock_timeout_ms = LOCK_MS,
        .statement_timeout_ms = STATEMENT_MS,
        .idle_in_transaction_timeout_ms = IDLE_MS,
        .tcp_user_timeout_ms = CONNECT_MS,
        .system = &postgres->system,
        .observer = {.data = postgres, .on_error = on_error, .on_connected = on_connected},
    };
    postgres->stage = (struct stage){.data = postgres,
                                     .store = &postgres->store,
                                     .now_us = now_us,
                                     .leap = leap,
                                     .leap_shifts = true,
                                     .look = look,
                                     .monotonic_ns = system_monotonic_ns};
    arena_init(&postgres->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    if (!connect_both(postgres, server)) {
        postgres_stage_destroy(postgres);
        return NULL;
    }
    return postgres;
}

void postgres_stage_destroy(struct postgres_stage *postgres)
{
    if (postgres != NULL) {
        store_postgres_destroy(&postgres->store);
        PQfinish(postgres->admin);
        arena_fini(&postgres->arena);
        free(postgres);
    }
}

struct stage *postgres_stage_of(struct postgres_stage *postgres)
{
    return &postgres->stage;
}

/* --- The audit --------------------------------------------------------------------------------*/

bool postgres_stage_audit(const struct scratch_postgres *server)
{
    char command[SQL_BYTES], line[SQL_BYTES];
    size_t sales = 0;
    bool is_good = true;

    snprintf(command, sizeof(command), "psql -X -A -t -v ON_ERROR_STOP=1 -f '%s' '%s'",
             HISTORY_AUDIT_SQL, server->service_url);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) {
        return false;
    }
    while (fgets(line, sizeof(line), pipe) != NULL) {
        bool is_violated = strstr(line, "VIOLATION") != NULL;
        sales += !is_violated && strstr(line, "version") != NULL;
        if (is_violated) {
            fputs(line, stderr);
            is_good = false;
        }
    }
    return pclose(pipe) == 0 && is_good && sales > 0;
}
