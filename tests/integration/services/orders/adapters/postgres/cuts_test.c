/*
 * A connection that is lost at any byte of a placement or a creation, in either direction. After
 * each loss the verdicts must agree with the database, and a retry of the same orders must find or
 * place them, once (CORRECTNESS A1 to A4).
 */
#include "store_fixture.h"

#include "base/clock.h"
#include "support/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define BATCH 5

/* Around COMMIT, which ends what is sent, and its answer every byte is visited; before every so
 * many. */
#define FINE_BYTES  64
#define COARSE_STEP 37

#define RETRIES_MAX 5

static struct proxy *proxy;
static char proxied_url[SCRATCH_POSTGRES_URL_BYTES];
static struct store_fixture_worker worker;
static struct store_fixture_batch batch;
static struct placement_request requests[BATCH];

/* What a test saw in all its rounds: a scan that never met a doubt has tested nothing. */
static struct {
    unsigned rounds, placed, replayed, refused, unknown;
} seen;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(proxy_create(scratch_postgres_port(store_fixture_server()), &proxy), 0);
    scratch_postgres_url_with_port(store_fixture_server()->service_url, proxy_port(proxy),
                                   proxied_url);
    store_fixture_worker_init(&worker, proxied_url, &store_fixture_long);
    assert_true(store_fixture_worker_connect(&worker));
    seen.rounds = seen.placed = seen.replayed = seen.refused = seen.unknown = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_worker_fini(&worker);
    proxy_destroy(proxy);
    return 0;
}

/* --- How many bytes a placement takes --------------------------------------------------------- */

struct traffic {
    uint64_t load, store; /* bytes of the two round trips */
};

static void fill(const struct uuid *sale_id)
{
    store_fixture_clear(&batch);
    store_fixture_add_many(&batch, sale_id, "customer", BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        requests[i] = batch.items[i].in;
    }
}

/* The two round trips of a placement on a good network, by the port's functions. */
static struct traffic measure(enum proxy_direction direction, const struct uuid *sale_id)
{
    struct placement_facts facts;
    struct placement_decision decision;
    struct store *store = &worker.store;

    fill(sale_id);
    uint64_t begun = proxy_bytes(proxy, direction);
    assert_int_equal(store->load_placement(store->data, sale_id, requests, BATCH,
                                           store_fixture_deadline(&worker), &worker.arena, &facts),
                     STORE_OK);
    uint64_t loaded = proxy_bytes(proxy, direction);
    assert_int_equal(placement_decide(&facts, requests, BATCH, &worker.arena, &decision), 0);
    assert_int_equal(store->store_placed(store->data, &facts, requests, BATCH, &decision,
                                         store_fixture_deadline(&worker), &worker.arena),
                     STORE_OK);
    uint64_t stored = proxy_bytes(proxy, direction);
    return (struct traffic){.load = loaded - begun, .store = stored - loaded};
}

/* --- One round ----------------------------------------------------------------------------------
 */

static void note_verdicts(void)
{
    seen.rounds++;
    for (size_t i = 0; i < batch.count; i++) {
        switch (batch.items[i].verdict) {
        case VERDICT_PLACED:
            seen.placed++;
            break;
        case VERDICT_REPLAYED:
            seen.replayed++;
            break;
        case VERDICT_OUTCOME_UNKNOWN:
            seen.unknown++;
            break;
        case VERDICT_DATABASE_UNAVAILABLE:
        case VERDICT_OVERLOADED:
            seen.refused++;
            break;
        default:
            fail_msg("item %zu is %s", i, verdict_name(batch.items[i].verdict));
        }
    }
}

/* A cut that did not come to pass must not meet what follows. */
static void heal(void)
{
    proxy_cut_after(proxy, PROXY_TO_SERVER, UINT64_MAX);
    proxy_cut_after(proxy, PROXY_TO_CLIENT, UINT64_MAX);
    assert_true(store_fixture_worker_connect(&worker));
}

/*
 * After whatever happened: the same orders on a healthy connection end in one row each. A cut may
 * be noticed only now, and a busy machine be slow to connect again: a refusal is tried again.
 */
static void retry_healthy(const struct uuid *sale_id)
{
    size_t known = 0;
    batch.old_count = batch.count; /* perhaps */
    for (int i = 0; i < RETRIES_MAX && known < batch.count; i++) {
        heal();
        store_fixture_place(&worker, sale_id, &batch);
        store_fixture_compare(sale_id, &batch);
        known = store_fixture_count(&batch, VERDICT_PLACED) +
                store_fixture_count(&batch, VERDICT_REPLAYED);
    }
    assert_int_equal(known, batch.count);
    store_fixture_audit(sale_id);
}

/* Cuts the connection after so many bytes of a placement and looks at everything afterwards. */
static void round_of(enum proxy_direction direction, uint64_t bytes, size_t already_placed,
                     const struct uuid *sale_id)
{
    fill(sale_id);
    batch.old_count = already_placed;
    proxy_cut_after(proxy, direction, bytes);
    store_fixture_place(&worker, sale_id, &batch);
    note_verdicts();
    store_fixture_compare(sale_id, &batch);
    store_fixture_audit(sale_id);
    bool were_there = store_fixture_count(&batch, VERDICT_PLACED) > 0 ||
                      store_fixture_count(&batch, VERDICT_REPLAYED) > 0;
    retry_healthy(sale_id);
    if (were_there) {
        store_fixture_expect(&batch, VERDICT_REPLAYED);
    }
}

static uint64_t step_at(uint64_t bytes, uint64_t total)
{
    return bytes + COARSE_STEP + FINE_BYTES < total ? COARSE_STEP : 1;
}

/* What a placement finds that is cut. */
struct scene {
    int32_t limit;
    size_t already_placed; /* of the batch's orders */
    bool run_out;          /* and their holds have run out */
};

static struct uuid set_scene(const struct scene *scene)
{
    struct uuid sale_id = store_fixture_sale(100, scene->limit, 60);
    if (scene->already_placed > 0) {
        fill(&sale_id);
        batch.count = scene->already_placed;
        store_fixture_place(&worker, &sale_id, &batch);
        store_fixture_expect(&batch, VERDICT_PLACED);
    }
    if (scene->run_out) {
        store_fixture_run_out(&sale_id, 1);
    }
    return sale_id;
}

static void scan(enum proxy_direction direction, const struct scene *scene)
{
    struct uuid measured = set_scene(scene);
    struct traffic traffic = measure(direction, &measured);
    uint64_t total = traffic.load + traffic.store;

    assert_true(traffic.load > 100 && traffic.store > 20);
    /* Where something was placed before, only what comes around the end differs. */
    uint64_t first = scene->already_placed > 0 ? total - 2 * FINE_BYTES : 0;
    for (uint64_t bytes = first; bytes <= total; bytes += step_at(bytes, total)) {
        struct uuid sale_id = set_scene(scene);
        round_of(direction, bytes, scene->already_placed, &sale_id);
    }
    print_message("%u rounds of %llu + %llu bytes: %u placed, %u replayed, %u refused, "
                  "%u unknown\n",
                  seen.rounds, (unsigned long long)traffic.load, (unsigned long long)traffic.store,
                  seen.placed, seen.replayed, seen.refused, seen.unknown);
    assert_true(seen.placed > 0 && seen.replayed > 0);
}

/* What the server hears ends at any byte: a COMMIT that came whole counts, half a one does not. */
static void cuts_anywhere_to_the_server_lose_and_double_nothing(void **state)
{
    (void)state;
    scan(PROXY_TO_SERVER, &(struct scene){0});
}

/* What the client hears ends at any byte: what was committed is found again. */
static void cuts_anywhere_to_the_client_lose_and_double_nothing(void **state)
{
    (void)state;
    scan(PROXY_TO_CLIENT, &(struct scene){.limit = 2});
}

/* A batch of old and new orders is cut around its COMMIT; the old ones stay what they were. */
static void cuts_in_a_batch_of_old_and_new_orders_lose_and_double_nothing(void **state)
{
    (void)state;
    scan(PROXY_TO_CLIENT, &(struct scene){.already_placed = 2});
}

/* A batch that lets holds expire sends its COMMIT alone: their units come back with the orders that
 * are placed, or neither happens. */
static void cuts_in_a_batch_that_lets_holds_expire_lose_and_double_nothing(void **state)
{
    (void)state;
    scan(PROXY_TO_SERVER, &(struct scene){.already_placed = 2, .run_out = true});
    scan(PROXY_TO_CLIENT, &(struct scene){.already_placed = 2, .run_out = true});
}

/* --- The port's own answers ---------------------------------------------------------------------
 */

/* The load of a placement by the port's functions, decided; the transaction is open. */
static void load_and_decide(const struct uuid *sale_id, struct placement_facts *ret_facts,
                            struct placement_decision *ret_decision)
{
    struct store *store = &worker.store;

    fill(sale_id);
    heal();
    arena_reset(&worker.arena);
    assert_int_equal(store->load_placement(store->data, sale_id, requests, BATCH,
                                           store_fixture_deadline(&worker), &worker.arena,
                                           ret_facts),
                     STORE_OK);
    assert_int_equal(placement_decide(ret_facts, requests, BATCH, &worker.arena, ret_decision), 0);
}

/* One placement by the port's functions, cut in the second answer; what store_placed said. */
static enum store_result store_cut(uint64_t bytes, const struct uuid *sale_id)
{
    struct placement_facts facts;
    struct placement_decision decision;
    struct store *store = &worker.store;

    load_and_decide(sale_id, &facts, &decision);
    proxy_cut_after(proxy, PROXY_TO_CLIENT, bytes);
    return store->store_placed(store->data, &facts, requests, BATCH, &decision,
                               store_fixture_deadline(&worker), &worker.arena);
}

/* Rule A3: whatever was heard of an answer that broke off, COMMIT was sent, so it is unknown. */
static void cuts_of_the_answer_to_commit_are_unknown_at_the_port(void **state)
{
    (void)state;
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    uint64_t total = measure(PROXY_TO_CLIENT, &sale_id).store;

    for (uint64_t bytes = 0; bytes < total; bytes += 3) {
        sale_id = store_fixture_sale(100, 0, 0);
        assert_int_equal(store_cut(bytes, &sale_id), STORE_UNKNOWN);
        assert_false(worker.store.is_connected(worker.store.data));
        retry_healthy(&sale_id);
        store_fixture_expect(&batch, VERDICT_REPLAYED);
    }
}

/* The bytes of the answer to a ROLLBACK. */
static uint64_t measure_rollback(const struct uuid *sale_id)
{
    struct placement_facts facts;
    struct placement_decision decision;

    load_and_decide(sale_id, &facts, &decision);
    uint64_t begun = proxy_bytes(proxy, PROXY_TO_CLIENT);
    worker.store.abandon(worker.store.data, store_fixture_deadline(&worker));
    return proxy_bytes(proxy, PROXY_TO_CLIENT) - begun;
}

/* The bytes of the answer to a group whose insert fails. */
static uint64_t measure_refusal(const struct uuid *sale_id)
{
    uint64_t rollback = measure_rollback(sale_id);
    struct placement_facts facts;
    struct placement_decision decision;

    load_and_decide(sale_id, &facts, &decision);
    uint64_t begun = proxy_bytes(proxy, PROXY_TO_CLIENT);
    enum store_result result =
        worker.store.store_placed(worker.store.data, &facts, requests, BATCH, &decision,
                                  store_fixture_deadline(&worker), &worker.arena);
    assert_true(result != STORE_OK && result != STORE_UNKNOWN);
    return proxy_bytes(proxy, PROXY_TO_CLIENT) - begun - rollback;
}

/*
 * Rule A3 again: an ERROR proves nothing by itself, for a proxy in between can say it too. Only the
 * server's word that the transaction has failed, which ends the group, is proof.
 */
static void cuts_after_an_error_of_the_insert_are_unknown_until_the_group_ends(void **state)
{
    (void)state;
    store_fixture_admin("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$BEGIN RAISE 'lost' USING ERRCODE = '08P01'; END$$;"
                        "CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW "
                        "EXECUTE FUNCTION refuse()");
    struct uuid sale_id = store_fixture_sale(100, 0, 0);
    uint64_t total = measure_refusal(&sale_id);
    for (uint64_t bytes = 0; bytes < total; bytes += bytes + 20 < total ? 11 : 1) {
        enum store_result result = store_cut(bytes, &sale_id);
        if (result != STORE_UNKNOWN) {
            fail_msg("%d after %llu bytes of %llu", (int)result, (unsigned long long)bytes,
                     (unsigned long long)total);
        }
    }
    store_fixture_admin("DROP FUNCTION refuse CASCADE");
    store_fixture_audit(&sale_id);
}

/* --- Creations ----------------------------------------------------------------------------------
 */

static int64_t sales_of_key(const char *key)
{
    return store_fixture_number("SELECT count(*) FROM sale_creations JOIN sales USING (sale_id) "
                                "WHERE idempotency_key = '%s'",
                                key);
}

static enum verdict create(struct create_sale_request *request)
{
    struct violations violations;
    struct store_sale sale;

    arena_reset(&worker.arena);
    return create_sale_run(&worker.creating, request,
                           clock_deadline_in_ms(STORE_FIXTURE_PATIENCE_MS), &worker.arena, &sale,
                           &violations);
}

/* Rule B7: a doubled creation would put the same goods on sale twice. */
static void scan_creation(enum proxy_direction direction)
{
    char key[32] = "";
    struct create_sale_request request = {.key = key, .draft = store_fixture_draft()};

    request.key_length = (size_t)snprintf(key, sizeof(key), "measured-%d", direction);
    uint64_t begun = proxy_bytes(proxy, direction);
    assert_int_equal(create(&request), VERDICT_PLACED);
    uint64_t total = proxy_bytes(proxy, direction) - begun;
    /* COMMIT and its answer are the last of it. */
    for (uint64_t bytes = 0; bytes <= total; bytes += step_at(bytes, total)) {
        request.key_length =
            (size_t)snprintf(key, sizeof(key), "cut-%d-%llu", direction, (unsigned long long)bytes);
        proxy_cut_after(proxy, direction, bytes);
        enum verdict verdict = create(&request);
        int64_t count = sales_of_key(key);
        if (verdict == VERDICT_PLACED || verdict == VERDICT_REPLAYED) {
            assert_int_equal(count, 1);
            seen.replayed += verdict == VERDICT_REPLAYED;
        } else if (verdict == VERDICT_DATABASE_UNAVAILABLE || verdict == VERDICT_OVERLOADED) {
            assert_int_equal(count, 0);
            seen.refused++;
        } else {
            assert_int_equal(verdict, VERDICT_OUTCOME_UNKNOWN);
        }
        enum verdict again = VERDICT_COUNT;
        for (int i = 0; i < RETRIES_MAX && again != VERDICT_PLACED && again != VERDICT_REPLAYED;
             i++) {
            heal();
            again = create(&request);
        }
        assert_int_equal(again, count == 1 ? VERDICT_REPLAYED : VERDICT_PLACED);
        assert_int_equal(sales_of_key(key), 1);
    }
    assert_true(seen.refused > 0 && seen.replayed > 0);
}

static void cuts_of_a_creation_to_the_server_make_one_sale(void **state)
{
    (void)state;
    scan_creation(PROXY_TO_SERVER);
}

static void cuts_of_a_creation_to_the_client_make_one_sale(void **state)
{
    (void)state;
    scan_creation(PROXY_TO_CLIENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cuts_anywhere_to_the_server_lose_and_double_nothing),
        TEST(cuts_anywhere_to_the_client_lose_and_double_nothing),
        TEST(cuts_in_a_batch_of_old_and_new_orders_lose_and_double_nothing),
        TEST(cuts_in_a_batch_that_lets_holds_expire_lose_and_double_nothing),
        TEST(cuts_of_the_answer_to_commit_are_unknown_at_the_port),
        TEST(cuts_after_an_error_of_the_insert_are_unknown_until_the_group_ends),
        TEST(cuts_of_a_creation_to_the_server_make_one_sale),
        TEST(cuts_of_a_creation_to_the_client_make_one_sale),
    };
    return cmocka_run_group_tests(tests, store_fixture_start, store_fixture_stop);
}
