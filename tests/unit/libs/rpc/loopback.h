/*
 * Both ends of a connection in one test process: an Echo server on a free port of 127.0.0.1, a
 * channel to it, a way to wait for completions, and a handler that keeps calls for the test.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "rpc/channel.h"
#include "rpc/server.h"
#include "support/patience.h"

#include <echo.pb-c.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOPBACK_WAIT_MS  60000  /* longer than anything takes, sanitizers included */
#define LOOPBACK_CALL_MS  600000 /* what a call may take at most: whoever waits gives up before */
#define LOOPBACK_HELD_MAX 64

#define SAY    "/echo.v1.Echo/Say"
#define REPEAT "/echo.v1.Echo/Repeat"
#define CHAT   "/echo.v1.Echo/Chat"

/* A server's usual config: small, with reasons, on a port that nobody else is given while this
 * process runs, also when nobody serves there. */
struct rpc_server_config loopback_server_config(void);

/* Serves one method of Echo. */
void loopback_add(struct rpc_server *server, const char *name, enum rpc_method_kind kind,
                  rpc_handler_fn handle, void *data);

/* Makes and starts a server whose Say is handle. */
struct rpc_server *loopback_serve(const struct rpc_server_config *config, rpc_handler_fn handle,
                                  void *data, int *ret_port);

/* Stops and destroys; tells how many calls were cancelled. */
unsigned loopback_end(struct rpc_server *server);

/* A channel to the port, not yet connected. */
struct rpc_channel *loopback_connect(int port);

/* Answers with the request. */
void loopback_echo(struct rpc_call *call, const ProtobufCMessage *request, void *data);

/* --- Completions ------------------------------------------------------------------------------ */

/* What a call has brought so far; data of both callbacks. */
struct awaited {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned done_count;
    unsigned message_count;
    struct rpc_reply *reply;
};

void awaited_init(struct awaited *awaited);
/* Frees the reply too. */
void awaited_fini(struct awaited *awaited);
void awaited_on_done(struct rpc_reply *reply, void *data);
void awaited_on_message(const ProtobufCMessage *message, void *data);
/* Waits for the end of the call; fails the test if it does not come. */
const struct rpc_reply *awaited_end(struct awaited *awaited);
/* Waits until count messages have come. */
void awaited_messages(struct awaited *awaited, unsigned count);

/* A Say of message with the usual deadline, into awaited. */
struct rpc_request loopback_request(const ProtobufCMessage *message, struct awaited *awaited);

/* Says text and waits; the caller frees the reply. */
struct rpc_reply *loopback_say(struct rpc_channel *channel, const char *text);

/* --- Held calls ------------------------------------------------------------------------------- */

/* Calls that a handler has kept, oldest first. */
struct holder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rpc_call *calls[LOOPBACK_HELD_MAX];
    unsigned count;
    unsigned cancel_count; /* how often holder_on_cancel was told */
};

void holder_init(struct holder *holder);
void holder_fini(struct holder *holder);
/* The handler; data is the holder. */
void holder_hold(struct rpc_call *call, const ProtobufCMessage *request, void *data);
/* Takes a call if there is one. */
struct rpc_call *holder_try(struct holder *holder);
/* Waits for a call and takes it. */
struct rpc_call *holder_take(struct holder *holder);
/* For rpc_call_on_cancel and rpc_call_send: counts when cancelled. */
void holder_on_cancel(struct rpc_call *call, bool cancelled, void *data);
/* Waits until it was told count times. */
void holder_cancelled(struct holder *holder, unsigned count);

/* Waits for something that has no event, a few ms at a time; fails the test if it stays false. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        struct patience patience_ = patience_of_ms(LOOPBACK_WAIT_MS);                              \
        while (!(condition)) {                                                                     \
            assert_false(patience_is_over(&patience_));                                            \
            loopback_sleep_ms(2);                                                                  \
        }                                                                                          \
    } while (0)

void loopback_sleep_ms(int64_t ms);

#endif
