/* The channel's connection: it knows whether it is there, and comes back by itself. */
#include "base/clock.h"
#include "loopback.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* How often what must be quick is tried. */
#define QUICK_TRIES 10

static struct rpc_server *serve_at(int port)
{
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    struct rpc_server_config config = loopback_server_config();
    config.address = address;
    struct rpc_server *server = NULL;
    assert_int_equal(rpc_server_create(&config, &server), 0);
    loopback_add(server, "Say", RPC_UNARY, loopback_echo, NULL);
    int again = 0, error = -EADDRINUSE;
    for (int i = 0; i < 100 && error != 0; i++) { /* TIME_WAIT is none, but be patient */
        error = rpc_server_start(server, &again);
        loopback_sleep_ms(error == 0 ? 0 : 20);
    }
    assert_int_equal(error, 0);
    return server;
}

/* An edge refuses by this answer before it sends anything, so it must be right without a server. */
static void channel_without_server_is_not_ready(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    loopback_end(loopback_serve(&config, loopback_echo, NULL, &port));
    struct rpc_channel *channel = loopback_connect(port);
    int64_t deadline_ns = clock_deadline_in_ms(300);
    assert_false(rpc_channel_wait_ready(channel, deadline_ns));
    assert_true(clock_monotonic_ns() >= deadline_ns);
    assert_false(rpc_channel_is_ready(channel));
    rpc_channel_destroy(channel);
    rpc_channel_destroy(NULL);
}

struct readiness {
    atomic_int calls, ready;
};

static void on_ready(bool ready, void *data)
{
    struct readiness *readiness = data;
    atomic_store(&readiness->ready, ready);
    atomic_fetch_add(&readiness->calls, 1);
}

/* A watcher is told how things are, then each change once. */
static void channel_watcher_hears_the_start_and_each_change(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    struct readiness readiness = {0};
    WAIT_UNTIL(rpc_channel_is_ready(channel));
    rpc_channel_on_ready(channel, on_ready, &readiness);
    WAIT_UNTIL(atomic_load(&readiness.calls) == 1);
    assert_int_equal(atomic_load(&readiness.ready), 1);
    loopback_end(server);
    WAIT_UNTIL(atomic_load(&readiness.calls) == 2);
    assert_int_equal(atomic_load(&readiness.ready), 0);
    server = serve_at(port);
    WAIT_UNTIL(atomic_load(&readiness.calls) == 3);
    assert_int_equal(atomic_load(&readiness.ready), 1);
    rpc_channel_destroy(channel);
    loopback_end(server);
    assert_int_equal(atomic_load(&readiness.calls), 3);
}

/* Ends the server for a while; how long after its return the channel had it again. */
static int64_t time_return(struct rpc_server **server, struct rpc_channel *channel, int port,
                           int64_t away_ms)
{
    loopback_end(*server);
    WAIT_UNTIL(!rpc_channel_is_ready(channel));
    loopback_sleep_ms(away_ms);
    *server = serve_at(port);
    int64_t start_ns = clock_monotonic_ns();
    assert_true(rpc_channel_wait_ready(channel, clock_deadline_in_ms(LOOPBACK_CALL_MS)));
    int64_t took_ms = (clock_monotonic_ns() - start_ns) / CLOCK_NS_PER_MS;
    print_message("away for %d ms, back after %d ms\n", (int)away_ms, (int)took_ms);
    struct rpc_reply *reply = loopback_say(channel, "back");
    assert_int_equal(reply->status.code, RPC_OK);
    rpc_reply_free(reply);
    return took_ms;
}

/* The default back-off grows to minutes; ours is at most half a second, so a restart is short. A
 * machine with other work may miss that, but not every time. */
static void channel_comes_back_within_a_second_of_its_server(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    WAIT_UNTIL(rpc_channel_is_ready(channel));
    for (int64_t away_ms = 50; away_ms <= 3200; away_ms *= 8) {
        bool is_quick = false;
        for (int i = 0; i < QUICK_TRIES && !is_quick; i++) {
            is_quick = time_return(&server, channel, port, away_ms) < 1000;
        }
        assert_true(is_quick);
    }
    rpc_channel_destroy(channel);
    loopback_end(server);
}

struct again {
    struct rpc_channel *channel;
    Echo__V1__Note note;
    struct awaited second;
    atomic_uint first_done;
};

static void call_again(struct rpc_reply *reply, void *data)
{
    struct again *again = data;
    rpc_reply_free(reply);
    atomic_fetch_add(&again->first_done, 1);
    struct rpc_request request = loopback_request(&again->note.base, &again->second);
    rpc_channel_call(again->channel, &request, NULL);
}

/* Whoever destroys a channel may free what its calls point at; a retry in on_done ends as well. */
static void channel_destroyed_with_calls_in_flight_completes_them_first(void **state)
{
    (void)state;
    struct holder holder;
    holder_init(&holder);
    struct rpc_server_config config = loopback_server_config();
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, holder_hold, &holder, &port);
    struct again again = {.channel = loopback_connect(port)};
    echo__v1__note__init(&again.note);
    awaited_init(&again.second);
    struct rpc_request request = loopback_request(&again.note.base, NULL);
    request.on_done = call_again;
    request.data = &again;
    rpc_channel_call(again.channel, &request, NULL);
    struct rpc_call *call = holder_take(&holder);
    rpc_channel_destroy(again.channel);
    assert_int_equal(atomic_load(&again.first_done), 1);
    assert_int_equal(again.second.done_count, 1);
    assert_int_equal(again.second.reply->status.code, RPC_CANCELLED);
    awaited_fini(&again.second);
    WAIT_UNTIL(rpc_call_is_cancelled(call));
    rpc_call_finish(call, &again.note.base);
    assert_int_equal(loopback_end(server), 0);
    holder_fini(&holder);
}

/* A listener that accepts and never speaks is no server, and must not hold up a destroy. */
static void channel_to_a_silent_listener_is_not_ready(void **state)
{
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    struct rpc_channel *channel = loopback_connect(ntohs(address.sin_port));
    assert_false(rpc_channel_wait_ready(channel, clock_deadline_in_ms(300)));
    int64_t start_ns = clock_monotonic_ns();
    rpc_channel_destroy(channel);
    assert_true(clock_monotonic_ns() - start_ns < 15 * CLOCK_NS_PER_SECOND);
    close(listener);
}

/* A server by hand: it speaks just enough HTTP/2 to refuse every stream as never looked at, which
 * is what gRPC repeats by itself where it may. */
struct refusing_server {
    pthread_t thread;
    int listener, port;
    atomic_int streams;
};

static bool read_all(int socket, uint8_t *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = recv(socket, bytes + done, length - done, 0);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool write_all(int socket, const uint8_t *bytes, size_t length)
{
    return send(socket, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

#define FRAME_HEAD_BYTES 9
#define FRAME_BYTES_MAX  16384

/* Answers one frame; false when the client has gone. */
static bool answer_frame(struct refusing_server *server, int socket)
{
    static const uint8_t settings_ack[FRAME_HEAD_BYTES] = {0, 0, 0, 4, 1};
    static const uint8_t goaway[FRAME_HEAD_BYTES + 8] = {0, 0, 8, 7};
    static uint8_t payload[FRAME_BYTES_MAX];
    uint8_t head[FRAME_HEAD_BYTES];
    if (!read_all(socket, head, sizeof(head))) {
        return false;
    }
    size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    if (length > sizeof(payload) || !read_all(socket, payload, length)) {
        return false;
    }
    if (head[3] == 1) { /* HEADERS: a GOAWAY that says that no stream was looked at */
        atomic_fetch_add(&server->streams, 1);
        return write_all(socket, goaway, sizeof(goaway));
    }
    if (head[3] == 4 && (head[4] & 1) == 0) {
        return write_all(socket, settings_ack, sizeof(settings_ack));
    }
    if (head[3] == 6 && (head[4] & 1) == 0) { /* PING, with its eight bytes again */
        head[4] = 1;
        return write_all(socket, head, sizeof(head)) && write_all(socket, payload, length);
    }
    return true;
}

static void *refuse_streams(void *data)
{
    static const uint8_t settings[FRAME_HEAD_BYTES] = {0, 0, 0, 4};
    struct refusing_server *server = data;
    uint8_t preface[24];
    for (int client; (client = accept(server->listener, NULL, NULL)) >= 0;) {
        bool goes_on = write_all(client, settings, sizeof(settings)) &&
                       read_all(client, preface, sizeof(preface));
        while (goes_on) {
            goes_on = answer_frame(server, client);
        }
        close(client);
    }
    return NULL;
}

static void refusing_server_start(struct refusing_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    atomic_init(&server->streams, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, refuse_streams, server), 0);
}

/* After the channel's end, which ends its connection. */
static void refusing_server_stop(struct refusing_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

/* CORRECTNESS D4: who counts attempts must know of each, so gRPC makes none by itself. */
static void channel_call_that_was_refused_unseen_is_not_repeated(void **state)
{
    (void)state;
    struct refusing_server server;
    refusing_server_start(&server);
    struct rpc_channel *channel = loopback_connect(server.port);
    assert_true(rpc_channel_wait_ready(channel, clock_deadline_in_ms(LOOPBACK_WAIT_MS)));
    struct rpc_reply *reply = loopback_say(channel, "only once");
    assert_int_equal(reply->status.code, RPC_UNAVAILABLE);
    rpc_reply_free(reply);
    assert_int_equal(atomic_load(&server.streams), 1);
    rpc_channel_destroy(channel);
    refusing_server_stop(&server);
}

/* A target that nobody can parse is an error at once; a channel to nowhere could not be ended. */
static void channel_target_without_sense_is_refused(void **state)
{
    static const char *const targets[] = {"ipv4:1.2.3.4", "ipv4:no:1"};
    struct rpc_channel *channel;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct rpc_channel_config config = {
            .target = targets[i], .message_bytes_max = 1024, .reply_arena_bytes_max = 1024};
        assert_int_equal(rpc_channel_create(&config, &channel), -EINVAL);
    }
}

/* A completion that does what none may: it keeps the channel's thread until it is let go. */
struct keeper {
    atomic_bool keeps, lets_go;
};

static void keep_thread(struct rpc_reply *reply, void *data)
{
    struct keeper *keeper = data;
    rpc_reply_free(reply);
    atomic_store(&keeper->keeps, true);
    while (!atomic_load(&keeper->lets_go)) {
        loopback_sleep_ms(2);
    }
}

/* Every reply comes on one thread, so one that is kept is as good as none, and must be found out.
 */
static void channel_thread_that_a_completion_keeps_does_not_turn(void **state)
{
    (void)state;
    struct rpc_server_config config = loopback_server_config();
    struct keeper keeper = {0};
    int port = 0;
    struct rpc_server *server = loopback_serve(&config, loopback_echo, NULL, &port);
    struct rpc_channel *channel = loopback_connect(port);
    for (int turns = 0; turns < 2; turns++) { /* by itself, with nothing to do */
        WAIT_UNTIL(rpc_channel_turn_ns(channel) > RPC_TURN_MS / 2 * CLOCK_NS_PER_MS);
        WAIT_UNTIL(rpc_channel_turn_ns(channel) < RPC_TURN_MS / 2 * CLOCK_NS_PER_MS);
    }
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    struct rpc_request request = loopback_request(&note.base, NULL);
    request.on_done = keep_thread;
    request.data = &keeper;
    rpc_channel_call(channel, &request, NULL);
    WAIT_UNTIL(atomic_load(&keeper.keeps));
    WAIT_UNTIL(rpc_channel_turn_ns(channel) > 3 * RPC_TURN_MS * CLOCK_NS_PER_MS);
    atomic_store(&keeper.lets_go, true);
    WAIT_UNTIL(rpc_channel_turn_ns(channel) < 2 * RPC_TURN_MS * CLOCK_NS_PER_MS);
    rpc_channel_destroy(channel);
    loopback_end(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channel_target_without_sense_is_refused),
        cmocka_unit_test(channel_without_server_is_not_ready),
        cmocka_unit_test(channel_watcher_hears_the_start_and_each_change),
        cmocka_unit_test(channel_comes_back_within_a_second_of_its_server),
        cmocka_unit_test(channel_destroyed_with_calls_in_flight_completes_them_first),
        cmocka_unit_test(channel_thread_that_a_completion_keeps_does_not_turn),
        cmocka_unit_test(channel_to_a_silent_listener_is_not_ready),
        cmocka_unit_test(channel_call_that_was_refused_unseen_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
