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

#define THREADS    2
#define WRK_END_MS 5000

void crowd_start(struct crowd *crowd, const struct stack *stack, const char *sale_id, int keys,
                 int copies, int connections, int seconds)
{
    static int serial;
    char script[STACK_URL_BYTES], url[64], log[STACK_URL_BYTES];
    char connections_text[16], duration[16], keys_text[16], copies_text[16];

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
    snprintf(duration, sizeof(duration), "-d%ds", seconds);
    snprintf(keys_text, sizeof(keys_text), "%d", keys);
    snprintf(copies_text, sizeof(copies_text), "%d", copies);
    const char *argv[] = {
        "wrk", "-t2", connections_text, duration,      "--timeout", "30s",       "-s", script,
        url,   "--",  sale_id,          crowd->folder, keys_text,   copies_text, "r",  NULL};
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

static void note_answer(struct crowd *crowd, long status, int key_number, const char *detail)
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
    } else if (status == 504 && strcmp(detail, "OUTCOME_UNKNOWN") == 0) {
        crowd->unknown++;
    } else {
        crowd->other_5xx++;
    }
}

static void read_answers(struct crowd *crowd, int thread)
{
    char path[STACK_URL_BYTES], line[256], detail[37];
    long status;
    int key;

    snprintf(path, sizeof(path), "%s/answers.%d", crowd->folder, thread);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%ld r.%d.%*d %36s", &status, &key, detail) == 3) {
            assert_in_range(key, 0, crowd->keys - 1);
            note_answer(crowd, status, key, detail);
        } else {
            fprintf(stderr, "an answer that cannot be read: %s", line);
            crowd->other_5xx++;
        }
    }
    fclose(file);
}

static bool thread_is_done(const struct crowd *crowd, int thread)
{
    char path[STACK_URL_BYTES];
    snprintf(path, sizeof(path), "%s/done.%d", crowd->folder, thread);
    return access(path, F_OK) == 0;
}

/* wrk runs for its whole duration; once all answers are written down it need not. */
static void wait_for_answers(struct crowd *crowd)
{
    while (process_is_running(&crowd->wrk)) {
        if (thread_is_done(crowd, 0) && thread_is_done(crowd, 1)) {
            process_signal(&crowd->wrk, SIGKILL);
            process_wait(&crowd->wrk, WRK_END_MS);
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_NS_PER_MS}, NULL);
    }
    assert_int_equal(process_wait(&crowd->wrk, WRK_END_MS), 0);
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

/* All order ids of the sale as one text; found by searching it. */
static char *read_order_ids(const struct crowd *crowd, const struct stack *stack)
{
    size_t bytes = (size_t)CROWD_KEYS_MAX * 37 + 64;
    char sql[256], *ids = malloc(bytes);

    CHECK(ids != NULL);
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(string_agg(order_id::text, ',' ORDER BY order_id), '') "
             "FROM orders WHERE sale_id = '%s'",
             crowd->sale_id);
    assert_int_equal(scratch_postgres_query(stack->postgres.admin_url, sql, ids, bytes), 0);
    return ids;
}

static int compare_ids(const void *a, const void *b)
{
    return strncmp(a, b, 36);
}

/* ids is sorted text of equal steps: 36 characters and a comma. */
static bool ids_have(const char *ids, const char *id)
{
    return bsearch(id, ids, (strlen(ids) + 1) / 37, 37, compare_ids) != NULL;
}

void crowd_assert_told_the_truth(const struct crowd *crowd, const struct stack *stack)
{
    char *ids = read_order_ids(crowd, stack);
    struct uuid sale_id;

    assert_true(uuid_parse(crowd->sale_id, strlen(crowd->sale_id), &sale_id));
    for (int i = 0; i < crowd->keys; i++) {
        const struct crowd_key *key = &crowd->by_key[i];
        char customer[32], name[32], id[UUID_TEXT_CHARS + 1];
        int customer_length = snprintf(customer, sizeof(customer), "customer-%d", i);
        int name_length = snprintf(name, sizeof(name), "key-%d", i);
        struct uuid order_id =
            order_id_of(&sale_id, customer, (size_t)customer_length, name, (size_t)name_length);
        uuid_format(&order_id, id);
        assert_false(key->names_differ);
        if (key->placed > 0) {
            assert_string_equal(key->order_id, id);
            assert_true(ids_have(ids, id));
        }
        if (key->refused > 0 && ids_have(ids, id)) {
            fail_msg("key %d was told \"refused\", but its order exists", i);
        }
    }
    free(ids);
}
