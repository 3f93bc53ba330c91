#include "support/crowd.h"

#include "base/clock.h"
#include "base/order_id.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
/* cmocka wants the standard headers first */
#include <cmocka.h>

#define THREADS 2
/* Far more than any crowd takes; wrk must be told something. */
#define WRK_SECONDS "1100"

void crowd_start(struct crowd *crowd, const struct stack *stack, const char *sale_id, int keys,
                 int copies, enum crowd_mode mode, int connections)
{
    static int serial;
    char script[STACK_URL_BYTES], url[64], log[STACK_URL_BYTES];
    char connections_text[16], keys_text[16], copies_text[16];

    CHECK(keys <= CROWD_KEYS_MAX && copies <= CROWD_COPIES_MAX);
    *crowd = (struct crowd){.keys = keys, .copies = copies};
    crowd->by_key = calloc((size_t)keys, sizeof(*crowd->by_key));
    CHECK(crowd->by_key != NULL);
    snprintf(crowd->sale_id, sizeof(crowd->sale_id), "%s", sale_id);
    snprintf(crowd->folder, sizeof(crowd->folder), "%s/crowd-%d", stack->folder, serial++);
    assert_int_equal(mkdir(crowd->folder, 0755), 0);
    snprintf(script, sizeof(script), "%s/tests/e2e/crowd.lua", getenv("STAMPEDE_SOURCE"));
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", stack->edge_port);
    snprintf(log, sizeof(log), "%s/wrk.log", crowd->folder);
    snprintf(connections_text, sizeof(connections_text), "-c%d", connections);
    snprintf(keys_text, sizeof(keys_text), "%d", keys);
    snprintf(copies_text, sizeof(copies_text), "%d", copies);
    const char *mode_text = mode == CROWD_RETRIES ? "same" : "own";
    const char *argv[] = {"wrk",
                          "-t2",
                          connections_text,
                          "-d" WRK_SECONDS "s",
                          "--timeout",
                          "120s",
                          "-s",
                          script,
                          url,
                          "--",
                          sale_id,
                          crowd->folder,
                          keys_text,
                          copies_text,
                          mode_text,
                          NULL};
    assert_int_equal(process_start(&crowd->wrk, argv, NULL, log), 0);
}

static void note_placed(struct crowd *crowd, struct crowd_key *key, const char *order_id)
{
    crowd->placed++;
    if (key->placed++ == 0) {
        snprintf(key->order_id, sizeof(key->order_id), "%s", order_id);
    } else if (strcmp(key->order_id, order_id) != 0) {
        key->names_differ = true;
    }
}

static void note_answer(struct crowd *crowd, long status, int key_number, const char *detail,
                        int64_t at_us)
{
    struct crowd_key *key = &crowd->by_key[key_number];

    crowd->answers++;
    if (status == 201) {
        note_placed(crowd, key, detail);
    } else if (status >= 400 && status < 500 && status != 429) {
        key->refused++;
        crowd->sold_out += strcmp(detail, "SOLD_OUT") == 0;
        crowd->other_refusals += strcmp(detail, "SOLD_OUT") != 0;
    } else if (status == 503) {
        crowd->overloaded++;
        key->not_done_us = key->not_done_us > at_us ? key->not_done_us : at_us;
    } else if (status == 504 && strcmp(detail, "OUTCOME_UNKNOWN") == 0) {
        crowd->unknown++;
    } else {
        crowd->other_5xx++;
    }
}

static void read_answers(struct crowd *crowd, int thread)
{
    char path[STACK_URL_BYTES], line[256], detail[37];
    long long at_us;
    long status;
    int key;

    snprintf(path, sizeof(path), "%s/answers.%d", crowd->folder, thread);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%ld %d.%*d %36s %lld", &status, &key, detail, &at_us) == 4) {
            assert_in_range(key, 0, crowd->keys - 1);
            note_answer(crowd, status, key, detail, at_us);
        } else {
            fprintf(stderr, "an answer that cannot be read: %s", line);
            crowd->other_5xx++;
        }
    }
    fclose(file);
}

bool crowd_is_answered(const struct crowd *crowd)
{
    char path[STACK_URL_BYTES];
    for (int thread = 0; thread < THREADS; thread++) {
        snprintf(path, sizeof(path), "%s/done.%d", crowd->folder, thread);
        if (access(path, F_OK) != 0) {
            return false;
        }
    }
    return true;
}

long crowd_count_placed(const struct crowd *crowd)
{
    char path[STACK_URL_BYTES], line[256];
    long placed = 0;
    for (int thread = 0; thread < THREADS; thread++) {
        snprintf(path, sizeof(path), "%s/answers.%d", crowd->folder, thread);
        FILE *file = fopen(path, "re");
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            placed += strncmp(line, "201 ", 4) == 0 && strchr(line, '\n') != NULL;
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    return placed;
}

void crowd_end(struct crowd *crowd)
{
    if (crowd->wrk.pid != 0) {
        process_signal(&crowd->wrk, SIGINT); /* it writes what it has, and ends */
        (void)process_wait(&crowd->wrk, STACK_PATIENCE_MS);
    }
}

/* wrk runs for its whole duration; once all answers are written down it need not. */
static void wait_for_answers(struct crowd *crowd)
{
    while (process_is_running(&crowd->wrk)) {
        if (crowd_is_answered(crowd)) {
            crowd_end(crowd);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_NS_PER_MS}, NULL);
    }
    if (crowd->wrk.pid != 0) {
        assert_int_equal(process_wait(&crowd->wrk, STACK_PATIENCE_MS), 0);
    }
}

void crowd_collect(struct crowd *crowd)
{
    int64_t begun_ns = clock_monotonic_ns();
    wait_for_answers(crowd);
    for (int thread = 0; thread < THREADS; thread++) {
        read_answers(crowd, thread);
    }
    print_message("crowd: %ld answers, %ld placed, %ld sold out, %ld other refusals, %ld 503, "
                  "%ld unknown, %ld other 5xx; waited %.2f s for the end\n",
                  crowd->answers, crowd->placed, crowd->sold_out, crowd->other_refusals,
                  crowd->overloaded, crowd->unknown, crowd->other_5xx,
                  (double)(clock_monotonic_ns() - begun_ns) / 1e9);
}

void crowd_fini(struct crowd *crowd)
{
    free(crowd->by_key);
    crowd->by_key = NULL;
}

/* A row of the text below: 36 characters of order id, 16 digits of microseconds, a comma. */
#define ROW_CHARS 53

/* All orders of the sale with their times, as one sorted text of equal rows. */
static char *read_orders(const struct crowd *crowd, const struct stack *stack)
{
    size_t bytes = (size_t)CROWD_KEYS_MAX * ROW_CHARS + 64;
    char sql[512], *rows = malloc(bytes);

    CHECK(rows != NULL);
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(string_agg(order_id::text || lpad((extract(epoch FROM create_time) * "
             "1000000)::bigint::text, 16, '0'), ',' ORDER BY order_id), '') "
             "FROM orders WHERE sale_id = '%s'",
             crowd->sale_id);
    assert_int_equal(scratch_postgres_query(stack->postgres.admin_url, sql, rows, bytes), 0);
    return rows;
}

static int compare_ids(const void *a, const void *b)
{
    return strncmp(a, b, UUID_TEXT_CHARS);
}

/* The order's row, or NULL. */
static const char *find_order(const char *rows, const char *id)
{
    return bsearch(id, rows, (strlen(rows) + 1) / ROW_CHARS, ROW_CHARS, compare_ids);
}

static void assert_key_was_told_the_truth(const struct crowd *crowd, int number,
                                          const char *expected_id, const char *rows)
{
    const struct crowd_key *key = &crowd->by_key[number];
    const char *row = find_order(rows, expected_id);

    assert_false(key->names_differ);
    if (key->placed > 0) {
        assert_string_equal(key->order_id, expected_id);
        assert_non_null(row);
    }
    if (key->refused > 0 && row != NULL) {
        fail_msg("key %d was told \"refused\", but its order exists", number);
    }
    if (crowd->copies == 1 && row != NULL &&
        strtoll(row + UUID_TEXT_CHARS, NULL, 10) < key->not_done_us) {
        fail_msg("key %d was told \"certainly not done\" after its order was made", number);
    }
}

void crowd_assert_told_the_truth(const struct crowd *crowd, const struct stack *stack)
{
    char *rows = read_orders(crowd, stack);
    struct uuid sale_id;

    assert_true(uuid_parse(crowd->sale_id, strlen(crowd->sale_id), &sale_id));
    for (int i = 0; i < crowd->keys; i++) {
        char customer[32], name[32], id[UUID_TEXT_CHARS + 1];
        int customer_length = snprintf(customer, sizeof(customer), "customer-%d", i);
        int name_length = snprintf(name, sizeof(name), "key-%d", i);
        struct uuid order_id =
            order_id_of(&sale_id, customer, (size_t)customer_length, name, (size_t)name_length);
        uuid_format(&order_id, id);
        assert_key_was_told_the_truth(crowd, i, id, rows);
    }
    free(rows);
}
