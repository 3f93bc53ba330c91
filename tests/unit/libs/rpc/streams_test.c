/*
 * Who ends a stream, when the server's stop, the caller and the service all may: what the streams
 * use of a server and a call is here.
 */
#include "rpc/streams.h"

#include "rpc/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAMS_MAX 2

struct rpc_call {
    rpc_stream_fn on_cancel;
    void *data;
};

/* A stream of a service that may have it in hand. */
struct held {
    struct rpc_stream stream;
    struct rpc_call call;
    bool is_in_hand;
    size_t finished;
    enum rpc_streams_ending ending;
};

static rpc_stop_fn stop;
static void *stop_data;
static struct rpc_streams streams;
static struct held first, second, third;

void rpc_server_on_stop(struct rpc_server *server, rpc_stop_fn on_stop, void *data)
{
    (void)server;
    stop = on_stop;
    stop_data = data;
}

void rpc_call_on_cancel(struct rpc_call *call, rpc_stream_fn on_cancel, void *data)
{
    call->on_cancel = on_cancel;
    call->data = data;
}

static bool end(struct rpc_stream *stream, enum rpc_streams_ending ending)
{
    (void)ending;
    if (LIST_OBJECT(stream, struct held, stream)->is_in_hand) {
        return false;
    }
    rpc_streams_close_locked(stream);
    return true;
}

static void finish(struct rpc_stream *stream, enum rpc_streams_ending ending)
{
    struct held *held = LIST_OBJECT(stream, struct held, stream);
    assert_int_equal(pthread_mutex_trylock(&streams._shared.lock), 0); /* it is given back */
    rpc_streams_unlock(&streams);
    held->finished++;
    held->ending = ending;
}

static enum rpc_code open_stream(struct held *held)
{
    rpc_streams_lock(&streams);
    enum rpc_code code = rpc_streams_open_locked(&streams, &held->stream, &held->call);
    if (code == RPC_OK) {
        rpc_streams_watch_caller(&held->stream);
    }
    rpc_streams_unlock(&streams);
    return code;
}

static void close_stream(struct held *held)
{
    rpc_streams_lock(&streams);
    rpc_streams_close_locked(&held->stream);
    rpc_streams_unlock(&streams);
}

static int set_up(void **state)
{
    (void)state;
    first = second = third = (struct held){0};
    rpc_streams_init(&streams, STREAMS_MAX, end, finish);
    rpc_streams_end_with(&streams, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rpc_streams_fini(&streams);
    return 0;
}

/* The bound is what keeps strangers from filling the memory; a place that is given up is free. */
static void streams_beyond_the_bound_are_refused(void **state)
{
    (void)state;
    assert_int_equal(open_stream(&first), RPC_OK);
    assert_int_equal(open_stream(&second), RPC_OK);
    assert_int_equal(open_stream(&third), RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(rpc_streams_count(&streams), 2);
    close_stream(&first);
    assert_int_equal(open_stream(&third), RPC_OK);
    close_stream(&second);
    close_stream(&third);
}

/* A stop that left streams running would wait for them until its deadline. */
static void streams_stop_ends_what_is_open_and_refuses_what_comes(void **state)
{
    (void)state;
    assert_int_equal(open_stream(&first), RPC_OK);
    assert_int_equal(open_stream(&second), RPC_OK);
    stop(stop_data);
    assert_int_equal(first.finished, 1);
    assert_int_equal(second.finished, 1);
    assert_int_equal(second.ending, RPC_STREAMS_STOPPED);
    assert_int_equal(open_stream(&third), RPC_UNAVAILABLE);
}

/* What a job or a send has in hand is not finished under it; it learns of the stop. */
static void streams_stop_leaves_a_stream_in_hand_to_its_holder(void **state)
{
    (void)state;
    first.is_in_hand = true;
    assert_int_equal(open_stream(&first), RPC_OK);
    stop(stop_data);
    assert_int_equal(first.finished, 0);
    rpc_streams_lock(&streams);
    assert_true(rpc_streams_is_stopping_locked(&streams));
    assert_true(rpc_streams_is_open_locked(&first.stream));
    rpc_streams_unlock(&streams);
    close_stream(&first);
}

/* A caller's leaving ends its stream once, whoever tells of it and however often. */
static void streams_caller_who_leaves_ends_the_stream_once(void **state)
{
    (void)state;
    assert_int_equal(open_stream(&first), RPC_OK);
    first.call.on_cancel(&first.call, true, first.call.data);
    rpc_streams_lose_caller(&first.stream);
    stop(stop_data);
    assert_int_equal(first.finished, 1);
    assert_int_equal(first.ending, RPC_STREAMS_GONE);
}

static void close_all(struct rpc_stream *stream, void *data)
{
    size_t *visited = data;
    (*visited)++;
    rpc_streams_close_locked(stream);
}

/* News may end a stream, while all of them are looked at. */
static void streams_visit_may_close_what_it_visits(void **state)
{
    size_t visited = 0;
    (void)state;
    assert_int_equal(open_stream(&first), RPC_OK);
    assert_int_equal(open_stream(&second), RPC_OK);
    rpc_streams_lock(&streams);
    rpc_streams_visit_locked(&streams, close_all, &visited);
    rpc_streams_unlock(&streams);
    assert_int_equal(visited, 2);
    assert_int_equal(rpc_streams_count(&streams), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_beyond_the_bound_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_stop_ends_what_is_open_and_refuses_what_comes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_stop_leaves_a_stream_in_hand_to_its_holder, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(streams_caller_who_leaves_ends_the_stream_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(streams_visit_may_close_what_it_visits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
