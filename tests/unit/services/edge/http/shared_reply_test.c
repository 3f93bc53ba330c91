#include "edge/http/shared_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct route *const route_a = (const void *)"a";
static const struct route *const route_b = (const void *)"b";

static struct reply make_reply(const char *body, const char *etag)
{
    return (struct reply){.status = 200, .body = slice_of(body), .etag = slice_of(etag)};
}

static void assert_text(struct slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.bytes, text, slice.length);
}

/* An answer may take seconds to be read by its client: its bytes must outlive the round and the
 * next reply, and be freed with the last request (the leak check says so). */
static void shared_reply_lives_as_long_as_its_last_request(void **state)
{
    struct shared_reply shared = {._memory = NULL};
    h2o_mem_pool_t first, second;
    struct reply kept = make_reply("{\"version\":\"7\"}", "\"7-LIVE\"");
    struct reply found;
    (void)state;
    h2o_mem_init_pool(&first);
    h2o_mem_init_pool(&second);
    shared_reply_keep(&shared, 1, route_a, &kept);
    assert_true(shared_reply_find(&shared, 1, route_a, &first, &found));
    assert_true(shared_reply_find(&shared, 1, route_a, &second, &found));
    assert_ptr_not_equal(found.body.bytes, kept.body.bytes);
    struct reply other = make_reply("{}", "");
    shared_reply_keep(&shared, 2, route_a, &other);
    shared_reply_forget(&shared);
    h2o_mem_clear_pool(&first);
    assert_int_equal(found.status, 200);
    assert_text(found.body, "{\"version\":\"7\"}");
    assert_text(found.etag, "\"7-LIVE\"");
    assert_int_equal(found.location.length, 0);
    h2o_mem_clear_pool(&second);
}

/* Another reply, or the same one by another route, must never be taken for this one. */
static void shared_reply_of_another_number_or_route_is_not_found(void **state)
{
    struct shared_reply shared = {._memory = NULL};
    h2o_mem_pool_t pool;
    struct reply kept = make_reply("{}", "");
    struct reply found;
    (void)state;
    h2o_mem_init_pool(&pool);
    assert_false(shared_reply_find(&shared, 0, NULL, &pool, &found));
    shared_reply_keep(&shared, 1, route_a, &kept);
    assert_false(shared_reply_find(&shared, 2, route_a, &pool, &found));
    assert_false(shared_reply_find(&shared, 1, route_b, &pool, &found));
    shared_reply_forget(&shared);
    assert_false(shared_reply_find(&shared, 1, route_a, &pool, &found));
    shared_reply_forget(&shared);
    h2o_mem_clear_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_reply_lives_as_long_as_its_last_request),
        cmocka_unit_test(shared_reply_of_another_number_or_route_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
