/* Says TEXT to the server at TARGET and prints what comes back. */
#include "base/clock.h"
#include "rpc/channel.h"

#include <echo.pb-c.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 5000

struct waiting {
    sem_t done;
    struct rpc_reply *reply;
};

/* On the channel's thread: hand the reply over, block nowhere. */
static void on_done(struct rpc_reply *reply, void *data)
{
    struct waiting *waiting = data;
    waiting->reply = reply;
    sem_post(&waiting->done);
}

static int print(const struct rpc_reply *reply)
{
    const struct rpc_status *status = &reply->status;
    if (status->code == RPC_OK) {
        const Echo__V1__Note *note = (const void *)reply->message;
        printf("%s\n", note->text);
        return EXIT_SUCCESS;
    }
    printf("%d %s\n", status->code, status->reason == NULL ? status->message : status->reason);
    for (size_t i = 0; i < status->violation_count; i++) {
        printf("%s %s\n", status->violations[i].field, status->violations[i].description);
    }
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: echo_client TARGET TEXT\n");
        return EXIT_FAILURE;
    }
    struct rpc_channel_config config = {
        .target = argv[1], .message_bytes_max = 1 << 20, .reply_arena_bytes_max = 4 << 20};
    struct rpc_channel *channel = NULL;
    if (rpc_channel_create(&config, &channel) != 0) {
        return EXIT_FAILURE;
    }
    Echo__V1__Note note = ECHO__V1__NOTE__INIT;
    note.text = argv[2];
    struct waiting waiting;
    sem_init(&waiting.done, 0, 0);
    struct rpc_request request = {.full_method = "/echo.v1.Echo/Say",
                                  .reply_type = &echo__v1__note__descriptor,
                                  .message = &note.base,
                                  .deadline_ns = clock_deadline_in_ms(TIMEOUT_MS),
                                  .wait_for_ready = true,
                                  .on_done = on_done,
                                  .data = &waiting};
    rpc_channel_call(channel, &request, NULL);
    sem_wait(&waiting.done);
    int status = print(waiting.reply);
    rpc_reply_free(waiting.reply);
    rpc_channel_destroy(channel);
    return status;
}
