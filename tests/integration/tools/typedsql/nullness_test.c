/*
 * Nullability against the truth: queries of random joins, subqueries and CTEs are described, then
 * run, and a column that was said to be NOT NULL must not hold a NULL. The tables' rows match only
 * in part, so that every outer join leaves some out.
 */
#include "base/arena.h"
#include "support/scratch_postgres.h"
#include "typedsql/inference.h"
#include "typedsql/query_file.h"
#include "typedsql/server.h"

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define QUERIES       200
#define DEPTH_MAX     3
#define TEXT_BYTES    16384
#define ALIASES_MAX   64
#define ALIAS_CHARS   8
#define PERCENT       100
#define NOT_NULLS_MIN 100 /* of all columns: that the test is not passed by knowing nothing */

/* A query in the making. */
struct random_query {
    char text[TEXT_BYTES];
    size_t length;
    unsigned aliases, ctes;
};

/* The aliases that a FROM item offers; each has a column x that its table declares NOT NULL. */
struct offered {
    size_t count;
    char aliases[ALIASES_MAX][ALIAS_CHARS];
};

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* xorshift64: the same queries at every run. */
static unsigned below(unsigned bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % bound;
}

static void add(struct random_query *query, const char *format, ...) PRINTF_LIKE(2, 3);

static void add(struct random_query *query, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int chars =
        vsnprintf(query->text + query->length, TEXT_BYTES - query->length, format, arguments);
    va_end(arguments);
    assert_true(chars >= 0 && (size_t)chars < TEXT_BYTES - query->length);
    query->length += (size_t)chars;
}

static void offer_new_alias(struct random_query *query, struct offered *offered)
{
    assert_true(offered->count < ALIASES_MAX);
    snprintf(offered->aliases[offered->count++], ALIAS_CHARS, "t%u", ++query->aliases);
}

static const char *any_of(const struct offered *offered)
{
    return offered->aliases[below((unsigned)offered->count)];
}

static void add_item(struct random_query *query, unsigned depth, struct offered *ret);

static void add_table(struct random_query *query, struct offered *ret)
{
    unsigned choice = below(4 + query->ctes);
    offer_new_alias(query, ret);
    if (choice < 4) {
        add(query, "%c AS %s", "abcd"[choice], ret -> aliases[0]);
    } else {
        add(query, "w%u AS %s", choice - 4, ret->aliases[0]);
    }
}

/* A subquery needs to know what it selects before it is written: it is made aside. */
static void add_subquery(struct random_query *query, unsigned depth, struct offered *ret)
{
    struct offered inner = {0};
    size_t begin = query->length;
    add_item(query, depth - 1, &inner);
    char *item = strdup(query->text + begin);
    assert_non_null(item);
    query->length = begin;
    offer_new_alias(query, ret);
    add(query, "(SELECT %s.x FROM %s) AS %s", any_of(&inner), item, ret->aliases[0]);
    free(item);
}

/* Tables of one join may stand in parentheses or not; a subquery and a table alone may not. */
static void add_operand(struct random_query *query, unsigned depth, bool bare_is_legal,
                        struct offered *ret)
{
    size_t begin = query->length;
    add_item(query, depth, ret);
    bool is_join = ret->count > 1;
    if (is_join && (!bare_is_legal || below(2) == 0)) {
        char *item = strdup(query->text + begin);
        assert_non_null(item);
        query->length = begin;
        add(query, "(%s)", item);
        free(item);
    }
}

static void add_join(struct random_query *query, unsigned depth, struct offered *ret)
{
    static const char *const joins[] = {"JOIN",      "LEFT JOIN",       "RIGHT JOIN",
                                        "FULL JOIN", "LEFT OUTER JOIN", "CROSS JOIN"};
    const char *join = joins[below(COUNT_OF(joins))];
    struct offered right = {0};
    add_operand(query, depth - 1, true, ret);
    add(query, " %s ", join);
    add_operand(query, depth - 1, false, &right);
    if (strcmp(join, "CROSS JOIN") != 0) {
        add(query, " ON %s.x = %s.x", any_of(ret), any_of(&right));
    }
    for (size_t i = 0; i < right.count; i++) {
        assert_true(ret->count < ALIASES_MAX);
        memcpy(ret->aliases[ret->count++], right.aliases[i], ALIAS_CHARS);
    }
}

static void add_item(struct random_query *query, unsigned depth, struct offered *ret)
{
    unsigned choice = below(PERCENT);
    if (depth == 0 || choice < 30) {
        add_table(query, ret);
    } else if (choice < 45) {
        add_subquery(query, depth, ret);
    } else {
        add_join(query, depth, ret);
    }
}

static void add_ctes(struct random_query *query)
{
    static const char *const kinds[] = {"", "", " MATERIALIZED", " NOT MATERIALIZED"};
    unsigned count = below(3);
    for (unsigned i = 0; i < count; i++) {
        add(query, "%s w%u AS%s ", i == 0 ? "WITH" : ",", i, kinds[below(COUNT_OF(kinds))]);
        struct offered offered = {0};
        size_t begin = query->length;
        add_item(query, below(DEPTH_MAX), &offered);
        char *item = strdup(query->text + begin);
        assert_non_null(item);
        query->length = begin;
        add(query, "(SELECT %s.x FROM %s)\n", any_of(&offered), item);
        free(item);
        query->ctes++;
    }
}

/* One column of each alias; its name says where it stands. */
static void make_query(struct random_query *query)
{
    struct offered offered = {0};
    struct random_query from;
    *query = (struct random_query){0};
    add_ctes(query);
    from = (struct random_query){.aliases = query->aliases, .ctes = query->ctes};
    add_item(&from, 1 + below(DEPTH_MAX), &offered);
    add(query, "SELECT ");
    for (size_t i = 0; i < offered.count; i++) {
        add(query, "%s%s.x AS c%zu", i > 0 ? ", " : "", offered.aliases[i], i);
    }
    add(query, "\nFROM %s", from.text);
}

/* --- The truth -----------------------------------------------------------------------------------
 */

static struct {
    struct scratch_postgres postgres;
    char folder[64], path[96];
    struct arena arena;
    struct report report;
    struct server server;
    PGconn *connection;
    size_t columns, not_nulls;
} world;

static int set_up(void **state)
{
    (void)state;
    strcpy(world.folder, "/tmp/nullness_test-XXXXXX");
    if (mkdtemp(world.folder) == NULL ||
        scratch_postgres_start(&world.postgres, false, false) != 0) {
        return -1;
    }
    snprintf(world.path, sizeof(world.path), "%s/drawn.sql", world.folder);
    arena_init(&world.arena, 65536, 64 << 20);
    report_init(&world.report, stderr);
    if (scratch_postgres_execute(
            world.postgres.owner_url,
            "CREATE TABLE a (x integer NOT NULL); CREATE TABLE b (x integer NOT NULL);"
            "CREATE TABLE c (x integer NOT NULL); CREATE TABLE d (x integer NOT NULL);"
            "INSERT INTO a VALUES (1), (2), (3); INSERT INTO b VALUES (2), (3), (4);"
            "INSERT INTO c VALUES (3), (4), (5); INSERT INTO d VALUES (1), (5), (6)") != 0) {
        return -1;
    }
    setenv("PGOPTIONS", "-c jit=off", 1); /* the joins are wide and their plans look dear */
    world.connection = PQconnectdb(world.postgres.owner_url);
    return server_open(&world.server, world.postgres.owner_url, &world.arena, &world.report);
}

static int tear_down(void **state)
{
    (void)state;
    PQfinish(world.connection);
    server_close(&world.server);
    arena_fini(&world.arena);
    unlink(world.path);
    rmdir(world.folder);
    scratch_postgres_stop(&world.postgres);
    return 0;
}

static void describe(const struct random_query *query, struct query_file *file,
                     struct description *ret)
{
    FILE *out = fopen(world.path, "we");
    assert_non_null(out);
    fprintf(out, "-- @query drawn many\n%s\n", query->text);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(query_file_read(&world.arena, &world.report, world.path, file), 0);
    assert_int_equal(inference_describe(&world.server, &world.arena, &world.report, file, ret), 0);
}

static void compare_with_rows(const struct random_query *query, const struct description *said)
{
    PGresult *result = PQexec(world.connection, query->text);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    assert_int_equal(PQnfields(result), said->column_count);
    for (int column = 0; column < PQnfields(result); column++) {
        world.columns++;
        if (said->columns[column].nullness != DESCRIBED_NOT_NULL) {
            continue;
        }
        world.not_nulls++;
        for (int row = 0; row < PQntuples(result); row++) {
            if (PQgetisnull(result, row, column)) {
                fail_msg("column %s is said to have no NULL: %s", said->columns[column].name,
                         query->text);
            }
        }
    }
    PQclear(result);
}

/* A NULL where C has no place for one would reach a customer as a zero. */
static void nullness_of_random_joins_is_never_called_impossible_wrongly(void **state)
{
    static struct random_query query;
    static struct query_file file;
    static struct description said;
    (void)state;
    for (size_t i = 0; i < QUERIES; i++) {
        arena_reset(&world.arena);
        make_query(&query);
        describe(&query, &file, &said);
        compare_with_rows(&query, &said);
    }
    print_message("%zu queries, %zu columns, %zu said to be NOT NULL\n", (size_t)QUERIES,
                  world.columns, world.not_nulls);
    assert_true(world.not_nulls >= NOT_NULLS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nullness_of_random_joins_is_never_called_impossible_wrongly),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
