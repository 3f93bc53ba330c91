/*
 * What generated queries cost against libpq by hand, in binary mode and pipelined both: orders per
 * second of the batch insert, and nanoseconds a row of reading a result.
 *
 *     DATABASE_URL=... typedsql_bench [seconds per figure]
 *
 * The two take turns on the same server, half a second each, so that what else the machine does
 * meets both. Needs a database with the schema of migrations/, whose orders it adds to.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/order_id.h"
#include "orders/adapters/postgres/queries/begin_transaction.h"
#include "orders/adapters/postgres/queries/commit_transaction.h"
#include "orders/adapters/postgres/queries/existing_orders.h"
#include "orders/adapters/postgres/queries/insert_placed.h"
#include "orders/adapters/postgres/queries/insert_sale.h"
#include "orders/domain/order.h"
#include "postgres/session.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BATCH_MAX         500
#define STOCK             10000000
#define CUSTOMER_CHARS    8
#define TURN_NS           (CLOCK_NS_PER_SECOND / 2)
#define SECONDS_DEFAULT   6
#define TURNS_MAX         1000
#define PATIENCE_MS       10000
#define READ_ROWS         500
#define READ_REPETITIONS  20000
#define READ_ROUNDS       5
#define BUFFER_BYTES      65536
#define PLACED_PARAMETERS 14

/* One batch: arrays, as the decision leaves them. */
struct batch {
    size_t count;
    struct uuid ids[BATCH_MAX];
    struct sql_text customers[BATCH_MAX];
    char customer_chars[BATCH_MAX][CUSTOMER_CHARS + 1];
    int32_t quantities[BATCH_MAX];
};

/* One of the two ways, on a sale of its own. */
struct way {
    const char *name;
    void (*place)(struct way *way, const struct batch *batch);
    struct uuid sale_id;
    int64_t version;
    int32_t stock_remaining; /* after the batch that is under way */
    struct session session;
    struct session_config config;
    struct arena arena;
    PGconn *connection;
    char buffer[BUFFER_BYTES];
    /* Of the current figure: */
    uint64_t orders;
    int64_t cpu_ns;
    size_t turns;
    double rates[TURNS_MAX]; /* orders per second, a turn each */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "typedsql_bench: %s: %s\n", what, why);
    exit(1);
}

/* --- Generated -----------------------------------------------------------------------------------
 */

static void expect(struct way *way, enum db_status status)
{
    if (status != DB_OK) {
        die(sqlstate_status_label(status), session_error(&way->session)->message);
    }
}

static void generated_place(struct way *way, const struct batch *batch)
{
    int64_t deadline_ns = clock_deadline_in_ms(PATIENCE_MS);
    struct session *session = &way->session;
    int64_t affected = 0;
    arena_reset(&way->arena);
    expect(way, begin_transaction_send(session));
    expect(way, insert_placed_send(session, &way->arena,
                                   &(struct insert_placed_params){
                                       .sale_id = way->sale_id,
                                       .version = way->version,
                                       .stock_remaining = way->stock_remaining,
                                       .order_count = batch->count,
                                       .order_ids = batch->ids,
                                       .customer_ids = batch->customers,
                                       .quantities = batch->quantities,
                                       .status = ORDER_CONFIRMED,
                                       .create_time_us = INT64_C(1700000000000000),
                                       .expire_time_is_null = true,
                                   }));
    expect(way, commit_transaction_send(session));
    expect(way, session_sync(session));
    expect(way, begin_transaction_receive(session, deadline_ns, NULL));
    expect(way, insert_placed_receive(session, deadline_ns, &affected));
    expect(way, commit_transaction_receive(session, deadline_ns, NULL));
    CHECK(affected == (int64_t)batch->count);
}

/* --- By hand -------------------------------------------------------------------------------------
 */

static char *put_word(char *out, uint32_t value)
{
    uint32_t wire = htobe32(value);
    memcpy(out, &wire, sizeof(wire));
    return out + sizeof(wire);
}

static char *put_array_header(char *out, Oid element, size_t count)
{
    out = put_word(out, 1);
    out = put_word(out, 0);
    out = put_word(out, element);
    out = put_word(out, (uint32_t)count);
    return put_word(out, 1);
}

static char *put_ids(char *out, const struct batch *batch)
{
    out = put_array_header(out, SQL_TYPE_UUID, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        out = put_word(out, UUID_BYTES);
        memcpy(out, batch->ids[i].bytes, UUID_BYTES);
        out += UUID_BYTES;
    }
    return out;
}

static char *put_customers(char *out, const struct batch *batch)
{
    out = put_array_header(out, SQL_TYPE_TEXT, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        out = put_word(out, (uint32_t)batch->customers[i].length);
        memcpy(out, batch->customers[i].bytes, batch->customers[i].length);
        out += batch->customers[i].length;
    }
    return out;
}

static char *put_quantities(char *out, const struct batch *batch)
{
    out = put_array_header(out, SQL_TYPE_INT4, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        out = put_word(out, sizeof(int32_t));
        out = put_word(out, (uint32_t)batch->quantities[i]);
    }
    return out;
}

static char *put_empty(char *out, Oid element)
{
    out = put_word(out, 0);
    out = put_word(out, 0);
    return put_word(out, element);
}

static void send_by_hand(struct way *way, const struct batch *batch)
{
    static const char status[] = "CONFIRMED";
    static const int formats[PLACED_PARAMETERS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    uint64_t version = htobe64((uint64_t)way->version);
    uint64_t create_time = htobe64((uint64_t)(INT64_C(1700000000000000) - SQL_TYPE_EPOCH_UNIX_US));
    uint32_t remaining = htobe32((uint32_t)way->stock_remaining), none = 0;
    uint64_t none_ever = 0;
    char *ids = way->buffer;
    char *customers = put_ids(ids, batch);
    char *quantities = put_customers(customers, batch);
    char *numbers = put_quantities(quantities, batch);
    char *statuses = put_empty(numbers, SQL_TYPE_INT8);
    char *end = put_empty(statuses, SQL_TYPE_TEXT);
    const char *const values[PLACED_PARAMETERS] = {(const char *)way->sale_id.bytes,
                                                   (const char *)&version,
                                                   (const char *)&remaining,
                                                   (const char *)&none,
                                                   (const char *)&none_ever,
                                                   (const char *)&none_ever,
                                                   ids,
                                                   customers,
                                                   quantities,
                                                   status,
                                                   (const char *)&create_time,
                                                   NULL,
                                                   numbers,
                                                   statuses};
    const int lengths[PLACED_PARAMETERS] = {UUID_BYTES,
                                            sizeof(version),
                                            sizeof(remaining),
                                            sizeof(none),
                                            sizeof(none_ever),
                                            sizeof(none_ever),
                                            (int)(customers - ids),
                                            (int)(quantities - customers),
                                            (int)(numbers - quantities),
                                            (int)strlen(status),
                                            sizeof(create_time),
                                            0,
                                            (int)(statuses - numbers),
                                            (int)(end - statuses)};
    PGconn *connection = way->connection;
    if (PQsendQueryPrepared(connection, "b", 0, NULL, NULL, NULL, 1) != 1 ||
        PQsendQueryPrepared(connection, "i", PLACED_PARAMETERS, values, lengths, formats, 1) != 1 ||
        PQsendQueryPrepared(connection, "c", 0, NULL, NULL, NULL, 1) != 1 ||
        PQpipelineSync(connection) != 1) {
        die("by hand", PQerrorMessage(connection));
    }
}

static void by_hand_place(struct way *way, const struct batch *batch)
{
    send_by_hand(way, batch);
    for (size_t i = 0; i < 3; i++) {
        PGresult *result = PQgetResult(way->connection);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            die("by hand", PQresultErrorMessage(result));
        }
        if (i == 1) {
            CHECK(strtoul(PQcmdTuples(result), NULL, 10) == batch->count);
        }
        PQclear(result);
        CHECK(PQgetResult(way->connection) == NULL);
    }
    PGresult *sync = PQgetResult(way->connection);
    CHECK(PQresultStatus(sync) == PGRES_PIPELINE_SYNC);
    PQclear(sync);
}

static void prepare_by_hand(PGconn *connection, const char *name, const struct statement *statement)
{
    PGresult *result = PQprepare(connection, name, statement->sql, (int)statement->parameter_count,
                                 statement->parameter_types);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        die("prepare", PQresultErrorMessage(result));
    }
    PQclear(result);
}

/* --- Placing -------------------------------------------------------------------------------------
 */

static void random_uuid(struct uuid *ret)
{
    CHECK(getrandom(ret->bytes, UUID_BYTES, 0) == UUID_BYTES);
}

static void fill_batch(struct batch *batch, size_t count)
{
    batch->count = count;
    for (size_t i = 0; i < count; i++) {
        random_uuid(&batch->ids[i]);
        snprintf(batch->customer_chars[i], sizeof(batch->customer_chars[i]), "%02x%02x%02x%02x",
                 batch->ids[i].bytes[0], batch->ids[i].bytes[1], batch->ids[i].bytes[2],
                 batch->ids[i].bytes[3]);
        batch->customers[i] = (struct sql_text){batch->customer_chars[i], CUSTOMER_CHARS};
        batch->quantities[i] = 1;
    }
}

/* A sale with all its stock; each figure has a new one, so that its row is as fresh for both. */
static void new_sale(struct way *maker, struct way *way)
{
    int64_t made = 0;
    random_uuid(&way->sale_id);
    way->version = 1;
    way->stock_remaining = STOCK;
    arena_reset(&maker->arena);
    expect(maker, insert_sale_exec(&maker->session, &maker->arena,
                                   &(struct insert_sale_params){
                                       .sale_id = way->sale_id,
                                       .sku = {"bench", 5},
                                       .title = {"Bench", 5},
                                       .currency_code = {"EUR", 3},
                                       .start_time_is_null = true,
                                       .end_time_us = clock_wall_us() + INT64_C(86400000000),
                                       .stock_total = STOCK,
                                   },
                                   clock_deadline_in_ms(PATIENCE_MS), &made));
    CHECK(made == 1);
}

static int64_t cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * CLOCK_NS_PER_SECOND + time.tv_nsec;
}

static void take_turn(struct way *way, size_t batch_size)
{
    static struct batch batch;
    int64_t end_ns = clock_monotonic_ns() + TURN_NS;
    int64_t elapsed_ns = 0;
    uint64_t orders = 0;
    while (clock_monotonic_ns() < end_ns) {
        fill_batch(&batch, batch_size);
        way->stock_remaining -= (int32_t)batch_size;
        int64_t cpu_before = cpu_ns();
        int64_t before = clock_monotonic_ns();
        way->place(way, &batch);
        elapsed_ns += clock_monotonic_ns() - before;
        way->cpu_ns += cpu_ns() - cpu_before;
        orders += batch_size;
        way->version++;
    }
    way->orders += orders;
    way->rates[way->turns++] = (double)orders * (double)CLOCK_NS_PER_SECOND / (double)elapsed_ns;
}

static int compare_rates(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

/* What else runs on the machine makes some turns slow; the median tells of the others. */
static double median_rate(struct way *way)
{
    qsort(way->rates, way->turns, sizeof(way->rates[0]), compare_rates);
    return way->rates[way->turns / 2];
}

static void measure_placing(struct way ways[2], size_t batch_size, int seconds)
{
    double rates[2];
    for (size_t i = 0; i < 2; i++) {
        new_sale(&ways[0], &ways[i]);
        take_turn(&ways[i], batch_size); /* not counted: caches, the sale's page */
        ways[i].orders = ways[i].turns = 0;
        ways[i].cpu_ns = 0;
    }
    for (int turn = 0; turn < seconds; turn++) {
        take_turn(&ways[turn % 2], batch_size);
        take_turn(&ways[1 - turn % 2], batch_size);
    }
    for (size_t i = 0; i < 2; i++) {
        rates[i] = median_rate(&ways[i]);
        printf("  batch %3zu  %-9s %9.0f orders/s  %7.2f us of client CPU an order\n", batch_size,
               ways[i].name, rates[i], (double)ways[i].cpu_ns / 1000.0 / (double)ways[i].orders);
    }
    printf("  batch %3zu  generated / by hand = %.3f\n", batch_size, rates[0] / rates[1]);
}

/* --- Reading -------------------------------------------------------------------------------------
 */

static enum order_status status_by_hand(const char *label)
{
    for (enum order_status status = 0; status < ORDER_STATUS_COUNT; status++) {
        if (strcmp(label, order_status_name(status)) == 0) {
            return status;
        }
    }
    die("status", label);
    return ORDER_STATUS_COUNT;
}

/* A value of known width, by one of the two hands: the careful one looks at its length first. */
static inline const char *value_by_hand(const PGresult *result, int row, int column, int width,
                                        bool careful)
{
    if (careful && PQgetlength(result, row, column) != width) {
        die("by hand", "a value has a wrong length, or is NULL");
    }
    return PQgetvalue(result, row, column);
}

static inline uint64_t word64_by_hand(const PGresult *result, int row, int column, bool careful)
{
    uint64_t wire;
    memcpy(&wire, value_by_hand(result, row, column, sizeof(wire), careful), sizeof(wire));
    return be64toh(wire);
}

static inline void read_by_hand(const PGresult *result, int row, bool careful,
                                struct existing_orders_row *ret)
{
    uint32_t quantity;
    memcpy(ret->order_id.bytes, value_by_hand(result, row, 0, UUID_BYTES, careful), UUID_BYTES);
    ret->number = (int64_t)word64_by_hand(result, row, 1, careful);
    memcpy(&quantity, value_by_hand(result, row, 2, sizeof(quantity), careful), sizeof(quantity));
    ret->quantity = (int32_t)be32toh(quantity);
    ret->status = status_by_hand(PQgetvalue(result, row, 3));
    ret->create_time_us = (int64_t)word64_by_hand(result, row, 4, careful) + SQL_TYPE_EPOCH_UNIX_US;
    ret->expire_time_is_null = PQgetisnull(result, row, 5) != 0;
    ret->expire_time_us =
        ret->expire_time_is_null
            ? 0
            : (int64_t)word64_by_hand(result, row, 5, careful) + SQL_TYPE_EPOCH_UNIX_US;
}

static double read_generated_ns(struct way *way, const struct session_result *result,
                                int64_t *ret_sum)
{
    struct existing_orders_row row;
    int64_t sum = 0;
    int64_t before = clock_monotonic_ns();
    for (size_t i = 0; i < READ_REPETITIONS; i++) {
        expect(way, existing_orders_read(&way->session, result, i % result->row_count, &row));
        sum += row.number + row.quantity + (int64_t)row.status + row.order_id.bytes[3];
    }
    *ret_sum = sum;
    return (double)(clock_monotonic_ns() - before) / READ_REPETITIONS;
}

static double read_by_hand_ns(const struct session_result *result, bool careful, int64_t *ret_sum)
{
    struct existing_orders_row row;
    int64_t sum = 0;
    int64_t before = clock_monotonic_ns();
    for (size_t i = 0; i < READ_REPETITIONS; i++) {
        int index = (int)(i % result->row_count);
        if (careful) {
            read_by_hand(result->_result, index, true, &row);
        } else {
            read_by_hand(result->_result, index, false, &row);
        }
        sum += row.number + row.quantity + (int64_t)row.status + row.order_id.bytes[3];
    }
    *ret_sum = sum;
    return (double)(clock_monotonic_ns() - before) / READ_REPETITIONS;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static void measure_reading(struct way *way)
{
    static struct batch batch;
    struct session_result result;
    double generated_ns = 1e9, careful_ns = 1e9, trusting_ns = 1e9;
    new_sale(way, way);
    fill_batch(&batch, READ_ROWS);
    generated_place(way, &batch);
    expect(way, existing_orders_exec(&way->session, &way->arena,
                                     &(struct existing_orders_params){
                                         .sale_id = way->sale_id,
                                         .order_ids = batch.ids,
                                         .order_ids_count = batch.count,
                                     },
                                     clock_deadline_in_ms(PATIENCE_MS), &result));
    CHECK(result.row_count == READ_ROWS);
    for (int i = 0; i < READ_ROUNDS; i++) {
        int64_t sums[3];
        generated_ns = least(generated_ns, read_generated_ns(way, &result, &sums[0]));
        careful_ns = least(careful_ns, read_by_hand_ns(&result, true, &sums[1]));
        trusting_ns = least(trusting_ns, read_by_hand_ns(&result, false, &sums[2]));
        CHECK(sums[0] == sums[1] && sums[0] == sums[2]);
    }
    session_result_fini(&result);
    printf(
        "  a row of 6 columns, best of %d rounds: generated %.1f ns, by hand with the same checks "
        "%.1f ns, by hand without %.1f ns\n",
        READ_ROUNDS, generated_ns, careful_ns, trusting_ns);
}

/* --- Both ----------------------------------------------------------------------------------------
 */

static void open_generated(struct way *way, const char *url)
{
    way->name = "generated";
    way->place = generated_place;
    way->config = (struct session_config){.conninfo = url,
                                          .application_name = "typedsql_bench",
                                          .lock_timeout_ms = PATIENCE_MS,
                                          .statement_timeout_ms = PATIENCE_MS,
                                          .idle_in_transaction_timeout_ms = PATIENCE_MS,
                                          .tcp_user_timeout_ms = PATIENCE_MS};
    arena_init(&way->arena, BUFFER_BYTES, BUFFER_BYTES * 16);
    session_init(&way->session, &way->config);
    expect(way, session_open(&way->session, clock_deadline_in_ms(PATIENCE_MS)));
}

/* With the settings that libs/postgres gives its sessions: a timeout costs the server something. */
static void open_by_hand(struct way *way, const char *url)
{
    static const char options[] =
        "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off "
        "-c client_connection_check_interval=500 -c lock_timeout=10000 "
        "-c statement_timeout=10000 -c idle_in_transaction_session_timeout=10000";
    const char *const keywords[] = {"dbname", "options", NULL};
    const char *const values[] = {url, options, NULL};
    way->name = "by hand";
    way->place = by_hand_place;
    way->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(way->connection) != CONNECTION_OK) {
        die("connect", PQerrorMessage(way->connection));
    }
    prepare_by_hand(way->connection, "b", &begin_transaction_statement);
    prepare_by_hand(way->connection, "i", &insert_placed_statement);
    prepare_by_hand(way->connection, "c", &commit_transaction_statement);
    CHECK(PQenterPipelineMode(way->connection) == 1);
}

int main(int argc, char **argv)
{
    static const size_t batch_sizes[] = {1, 10, 200, 500};
    static struct way ways[2];
    const char *url = getenv("DATABASE_URL");
    int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : SECONDS_DEFAULT;
    if (url == NULL || seconds < 1 || seconds >= TURNS_MAX) {
        die("usage", "DATABASE_URL=... typedsql_bench [seconds per figure]");
    }
    open_generated(&ways[0], url);
    open_by_hand(&ways[1], url);
    puts("Placing, BEGIN, insert_placed and COMMIT in one round trip:");
    for (size_t i = 0; i < COUNT_OF(batch_sizes); i++) {
        measure_placing(ways, batch_sizes[i], seconds);
    }
    puts("Reading existing_orders:");
    measure_reading(&ways[0]);
    session_fini(&ways[0].session);
    arena_fini(&ways[0].arena);
    PQfinish(ways[1].connection);
    return 0;
}
