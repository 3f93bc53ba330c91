#include "support/proxy.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define CHUNK_BYTES     16384
#define CHUNKS_MAX      64 /* per direction of a connection: what is in the delay line */

/* A piece of what was read, not to be written before its time. */
struct chunk {
    int64_t due_ns;
    size_t length, written;
    char bytes[CHUNK_BYTES];
};

/* One direction of a connection: a ring of chunks between two sockets. */
struct flow {
    bool ended; /* the source sent its end; passed on when the ring is empty */
    bool end_passed;
    unsigned first, count;
    struct chunk chunks[CHUNKS_MAX];
};

struct connection {
    int sockets[2];       /* [PROXY_TO_CLIENT] is the client's, [PROXY_TO_SERVER] the server's */
    struct flow flows[2]; /* by direction: flow d is written to sockets[d] */
};

struct proxy {
    int listener, wake, port, server_port;
    pthread_t thread;
    struct {
        pthread_mutex_t lock; /* guards all of _shared */
        pthread_cond_t obeyed_changed;
        unsigned given, obeyed; /* orders to the thread */
        bool stopping, dropping, black_hole;
        int delay_ms;
        uint64_t allowance[2]; /* bytes still to be forwarded, or PROXY_UNLIMITED */
        uint64_t forwarded[2];
        const char *replace_from[2], *replace_to[2];
        unsigned accepted;
    } _shared;
    struct connection *connections[CONNECTIONS_MAX]; /* the thread's own */
    size_t connection_count;
};

static enum proxy_direction opposite(enum proxy_direction direction)
{
    return direction == PROXY_TO_SERVER ? PROXY_TO_CLIENT : PROXY_TO_SERVER;
}

/* ---- Connections ---------------------------------------------------------------------------- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Closes with a reset, as a dying machine's peer would see it. */
static void reset_socket(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void remove_connection(struct proxy *proxy, size_t index, bool reset)
{
    struct connection *connection = proxy->connections[index];
    for (size_t i = 0; i < 2; i++) {
        if (reset) {
            reset_socket(connection->sockets[i]);
        } else {
            close(connection->sockets[i]);
        }
    }
    free(connection);
    proxy->connections[index] = proxy->connections[--proxy->connection_count];
}

static void reset_all(struct proxy *proxy)
{
    while (proxy->connection_count > 0) {
        remove_connection(proxy, proxy->connection_count - 1, true);
    }
}

/* Connects to the server; on a loopback that succeeds or fails at once. */
static int connect_to_server(const struct proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->server_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void prepare_socket(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void accept_connection(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    int server = connect_to_server(proxy);
    struct connection *connection = server >= 0 && proxy->connection_count < CONNECTIONS_MAX
                                        ? calloc(1, sizeof(*connection))
                                        : NULL;
    if (connection == NULL) {
        reset_socket(client);
        if (server >= 0) {
            close(server);
        }
        return;
    }
    prepare_socket(client);
    prepare_socket(server);
    connection->sockets[PROXY_TO_CLIENT] = client;
    connection->sockets[PROXY_TO_SERVER] = server;
    proxy->connections[proxy->connection_count++] = connection;
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.accepted++;
    pthread_mutex_unlock(&proxy->_shared.lock);
}

/* ---- Forwarding ----------------------------------------------------------------------------- */

static void replace_locked(const struct proxy *proxy, enum proxy_direction direction,
                           struct chunk *chunk)
{
    const char *from = proxy->_shared.replace_from[direction];
    if (from == NULL) {
        return;
    }
    char *at = chunk->bytes, *end = chunk->bytes + chunk->length;
    while ((at = memmem(at, (size_t)(end - at), from, strlen(from))) != NULL) {
        memcpy(at, proxy->_shared.replace_to[direction], strlen(from));
        at += strlen(from);
    }
}

/* Reads one chunk from the flow's source. False when the connection is dead. */
static bool fill(struct proxy *proxy, struct connection *connection, enum proxy_direction direction)
{
    struct flow *flow = &connection->flows[direction];
    struct chunk *chunk = &flow->chunks[(flow->first + flow->count) % CHUNKS_MAX];
    ssize_t length =
        recv(connection->sockets[opposite(direction)], chunk->bytes, sizeof(chunk->bytes), 0);

    if (length < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (length == 0) {
        flow->ended = true;
        return true;
    }
    chunk->length = (size_t)length;
    chunk->written = 0;
    pthread_mutex_lock(&proxy->_shared.lock);
    chunk->due_ns = clock_monotonic_ns() + proxy->_shared.delay_ms * CLOCK_NS_PER_MS;
    replace_locked(proxy, direction, chunk);
    pthread_mutex_unlock(&proxy->_shared.lock);
    flow->count++;
    return true;
}

/*
 * Writes of a chunk what the allowance has left, and takes it off; sets *ret_cut when it is used up
 * with that. Returns what send() did. All under the lock: whoever has received a byte finds it
 * counted.
 */
static ssize_t pass_on(struct proxy *proxy, enum proxy_direction direction, int fd,
                       const char *bytes, size_t wanted, bool *ret_cut)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    uint64_t *left = &proxy->_shared.allowance[direction];
    size_t allowed = *left < wanted ? (size_t)*left : wanted;
    bool is_last = *left != PROXY_UNLIMITED && *left <= wanted;
    ssize_t length = allowed == 0 ? 0 : send(fd, bytes, allowed, MSG_NOSIGNAL);
    if (length > 0) {
        proxy->_shared.forwarded[direction] += (uint64_t)length;
        if (*left != PROXY_UNLIMITED) {
            *left -= (uint64_t)length;
        }
    }
    *ret_cut = is_last && length == (ssize_t)allowed;
    pthread_mutex_unlock(&proxy->_shared.lock);
    return length;
}

enum drained { DRAINED, DRAINED_DEAD, DRAINED_CUT };

/* Writes what is due of a flow. */
static enum drained drain(struct proxy *proxy, struct connection *connection,
                          enum proxy_direction direction)
{
    struct flow *flow = &connection->flows[direction];
    while (flow->count > 0 && flow->chunks[flow->first].due_ns <= clock_monotonic_ns()) {
        struct chunk *chunk = &flow->chunks[flow->first];
        bool is_cut;
        ssize_t length =
            pass_on(proxy, direction, connection->sockets[direction], chunk->bytes + chunk->written,
                    chunk->length - chunk->written, &is_cut);
        if (length < 0) {
            return errno == EAGAIN || errno == EINTR ? DRAINED : DRAINED_DEAD;
        }
        if (is_cut) {
            return DRAINED_CUT;
        }
        chunk->written += (size_t)length;
        if (chunk->written == chunk->length) {
            flow->first = (flow->first + 1) % CHUNKS_MAX;
            flow->count--;
        }
    }
    if (flow->count == 0 && flow->ended && !flow->end_passed) {
        shutdown(connection->sockets[direction], SHUT_WR);
        flow->end_passed = true;
    }
    return DRAINED;
}

/* Moves what can be moved. False when the connection was removed, or all were. */
static bool forward(struct proxy *proxy, size_t index, const struct pollfd polled[2])
{
    struct connection *connection = proxy->connections[index];
    for (enum proxy_direction direction = PROXY_TO_SERVER; direction <= PROXY_TO_CLIENT;
         direction++) {
        struct flow *flow = &connection->flows[direction];
        bool readable = (polled[opposite(direction)].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        if (readable && !flow->ended && flow->count < CHUNKS_MAX &&
            !fill(proxy, connection, direction)) {
            remove_connection(proxy, index, true);
            return false;
        }
        switch (drain(proxy, connection, direction)) {
        case DRAINED:
            break;
        case DRAINED_DEAD:
            remove_connection(proxy, index, true);
            return false;
        case DRAINED_CUT:
            pthread_mutex_lock(&proxy->_shared.lock);
            proxy->_shared.allowance[direction] = PROXY_UNLIMITED;
            pthread_mutex_unlock(&proxy->_shared.lock);
            reset_all(proxy);
            return false;
        }
    }
    if (connection->flows[0].end_passed && connection->flows[1].end_passed) {
        remove_connection(proxy, index, false);
        return false;
    }
    return true;
}

/* ---- The thread ----------------------------------------------------------------------------- */

/* Chooses what to wait for on a connection; lowers *timeout_ms to its next delayed chunk. */
static void choose_events(const struct connection *connection, struct pollfd ret_polled[2],
                          int *timeout_ms)
{
    for (size_t i = 0; i < 2; i++) {
        const struct flow *out = &connection->flows[i], *in = &connection->flows[1 - i];
        ret_polled[i] = (struct pollfd){.fd = connection->sockets[i]};
        if (!in->ended && in->count < CHUNKS_MAX) {
            ret_polled[i].events |= POLLIN;
        }
        if (out->count > 0) {
            int64_t wait_ms = clock_remaining_ms(out->chunks[out->first].due_ns);
            if (wait_ms == 0) {
                ret_polled[i].events |= POLLOUT;
            } else if (*timeout_ms < 0 || wait_ms < *timeout_ms) {
                *timeout_ms = (int)wait_ms;
            }
        }
        if (ret_polled[i].events == 0) {
            ret_polled[i].fd = -1; /* or a hang-up would be reported for ever */
        }
    }
}

/* Looks at the orders that came from other threads. False to stop. */
static bool obey(struct proxy *proxy, bool *ret_black_hole)
{
    uint64_t ignored;
    while (read(proxy->wake, &ignored, sizeof(ignored)) > 0) {
    }
    pthread_mutex_lock(&proxy->_shared.lock);
    bool stopping = proxy->_shared.stopping;
    bool dropping = proxy->_shared.dropping || stopping;
    proxy->_shared.dropping = false;
    *ret_black_hole = proxy->_shared.black_hole;
    if (dropping) {
        reset_all(proxy);
    }
    proxy->_shared.obeyed = proxy->_shared.given;
    pthread_cond_broadcast(&proxy->_shared.obeyed_changed);
    pthread_mutex_unlock(&proxy->_shared.lock);
    return !stopping;
}

static void *run(void *data)
{
    struct proxy *proxy = data;
    struct pollfd polled[2 + 2 * CONNECTIONS_MAX];
    bool black_hole;

    while (obey(proxy, &black_hole)) {
        int timeout_ms = -1;
        size_t served = black_hole ? 0 : proxy->connection_count;
        polled[0] = (struct pollfd){.fd = proxy->wake, .events = POLLIN};
        polled[1] = (struct pollfd){.fd = black_hole ? -1 : proxy->listener, .events = POLLIN};
        for (size_t i = 0; i < served; i++) {
            choose_events(proxy->connections[i], &polled[2 + 2 * i], &timeout_ms);
        }
        if (poll(polled, 2 + 2 * served, timeout_ms) < 0 && errno != EINTR) {
            break;
        }
        if (polled[0].revents != 0) {
            continue; /* an order comes before the bytes that arrived with it */
        }
        /* Backwards: a removed connection's place is taken by the last, which was served already.
         */
        for (size_t i = served; i-- > 0 && proxy->connection_count > 0;) {
            forward(proxy, i, &polled[2 + 2 * i]);
        }
        if ((polled[1].revents & POLLIN) != 0) {
            accept_connection(proxy);
        }
    }
    return NULL;
}

/* ---- The public functions ------------------------------------------------------------------- */

static void wake(struct proxy *proxy)
{
    uint64_t one = 1;
    ssize_t written = write(proxy->wake, &one, sizeof(one));
    CHECK(written == sizeof(one));
}

static int listen_on_free_port(int *ret_port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        int error = -errno;
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

int proxy_create(int server_port, struct proxy **ret)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    int error;

    if (proxy == NULL) {
        return -ENOMEM;
    }
    proxy->server_port = server_port;
    proxy->_shared.allowance[0] = proxy->_shared.allowance[1] = PROXY_UNLIMITED;
    pthread_mutex_init(&proxy->_shared.lock, NULL);
    pthread_cond_init(&proxy->_shared.obeyed_changed, NULL);
    proxy->listener = listen_on_free_port(&proxy->port);
    proxy->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = proxy->listener < 0 ? proxy->listener : proxy->wake < 0 ? -errno : 0;
    if (error == 0) {
        error = -pthread_create(&proxy->thread, NULL, run, proxy);
    }
    if (error < 0) {
        if (proxy->listener >= 0) {
            close(proxy->listener);
        }
        if (proxy->wake >= 0) {
            close(proxy->wake);
        }
        pthread_cond_destroy(&proxy->_shared.obeyed_changed);
        pthread_mutex_destroy(&proxy->_shared.lock);
        free(proxy);
        return error;
    }
    *ret = proxy;
    return 0;
}

void proxy_destroy(struct proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.stopping = true;
    pthread_mutex_unlock(&proxy->_shared.lock);
    wake(proxy);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    close(proxy->wake);
    pthread_cond_destroy(&proxy->_shared.obeyed_changed);
    pthread_mutex_destroy(&proxy->_shared.lock);
    free(proxy);
}

int proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

/* Tells the thread to look at its orders, and waits until it has: no byte that is sent after this
 * is treated as before. */
static void order_locked(struct proxy *proxy)
{
    unsigned number = ++proxy->_shared.given;
    wake(proxy);
    while ((int)(proxy->_shared.obeyed - number) < 0) {
        pthread_cond_wait(&proxy->_shared.obeyed_changed, &proxy->_shared.lock);
    }
}

void proxy_drop(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.dropping = true;
    order_locked(proxy);
    pthread_mutex_unlock(&proxy->_shared.lock);
}

void proxy_set_black_hole(struct proxy *proxy, bool on)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.black_hole = on;
    order_locked(proxy);
    pthread_mutex_unlock(&proxy->_shared.lock);
}

void proxy_set_delay_ms(struct proxy *proxy, int delay_ms)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.delay_ms = delay_ms;
    pthread_mutex_unlock(&proxy->_shared.lock);
}

void proxy_cut_after(struct proxy *proxy, enum proxy_direction direction, uint64_t bytes)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.allowance[direction] = bytes;
    pthread_mutex_unlock(&proxy->_shared.lock);
}

void proxy_replace(struct proxy *proxy, enum proxy_direction direction, const char *from,
                   const char *to)
{
    CHECK(from == NULL || (strlen(from) > 0 && strlen(from) == strlen(to)));
    pthread_mutex_lock(&proxy->_shared.lock);
    proxy->_shared.replace_from[direction] = from;
    proxy->_shared.replace_to[direction] = to;
    pthread_mutex_unlock(&proxy->_shared.lock);
}

uint64_t proxy_bytes(struct proxy *proxy, enum proxy_direction direction)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    uint64_t bytes = proxy->_shared.forwarded[direction];
    pthread_mutex_unlock(&proxy->_shared.lock);
    return bytes;
}

unsigned proxy_accepted(struct proxy *proxy)
{
    pthread_mutex_lock(&proxy->_shared.lock);
    unsigned accepted = proxy->_shared.accepted;
    pthread_mutex_unlock(&proxy->_shared.lock);
    return accepted;
}
