/*
 * The happy path: start binds, makes the loop and the thread; on_accept takes a slot for each
 * connection; on_request answers at once and the connection is closed after its response, so a
 * connection is one request. stop wakes the loop, which closes the listener, shuts every connection
 * down, runs until libh2o has let go of them and disposes of itself on its own thread, where libh2o
 * keeps memory for reuse.
 *
 * The failures: no slot free closes the connection; no descriptor left pauses the listener for
 * ACCEPT_PAUSE; a client that is slow to ask is closed by libh2o's request timeout, and one that
 * does not read its answer by ours, in close_overdue.
 */
#include "ops/ops_server.h"

#include "base/clock.h"
#include "base/list.h"
#include "metrics/metrics.h"
#include "ops/ops_limits.h"

#include <errno.h>
#include <h2o.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_MAGIC 0x0b5e57e7

#define LISTEN_BACKLOG      128
#define ACCEPTS_A_ROUND_MAX 16

/* How long the loop sleeps at most, and so how late an overdue connection is closed. */
#define ROUND_MS_MAX 500

/* What a client has for reading its answer, on top of the time for its request. */
#define RESPONSE_TIMEOUT_MS 5000

/* How long a stop waits for libh2o to let go of connections that were shut down. */
#define STOP_TIMEOUT_MS 1000

/* libh2o keeps so many free chunks of a thread's pools; see release_thread_memory. */
#define RECYCLED_CHUNKS_MAX 16

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* One connection; on slots_free or connections. */
struct connection {
    struct list_link link;
    struct ops_server *server;
    h2o_socket_t *socket;
    int64_t deadline_ns;
};

struct ops_server {
    uint32_t magic;
    struct ops_server_config config;
    struct ops_check checks[OPS_SERVER_CHECKS_MAX], live_checks[OPS_SERVER_CHECKS_MAX];
    bool is_started; /* and not stopped yet; for the owner's thread */
    pthread_t thread;
    h2o_multithread_receiver_t stop_receiver;
    h2o_multithread_message_t stop_message;
    /* From here on the ops thread's, once it runs. */
    h2o_globalconf_t globalconf;
    h2o_context_t context;
    h2o_accept_ctx_t accept_ctx;
    h2o_evloop_t *loop;
    h2o_socket_t *listener;
    h2o_timeout_entry_t accept_pause; /* linked while the listener rests */
    bool is_stopping;
    struct list connections, slots_free; /* oldest first */
    struct connection *slots;            /* of config.connections_max */
};

struct ops_handler {
    h2o_handler_t super;
    struct ops_server *server;
};

/* A path and what answers it. */
struct route {
    const char *path;
    void (*answer)(struct ops_server *server, h2o_req_t *req);
};

/* Answers */

static void send_text(h2o_req_t *req, int status, const char *reason, const char *type,
                      const char *body, size_t length)
{
    req->res.status = status;
    req->res.reason = reason;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CACHE_CONTROL, NULL,
                   H2O_STRLIT("no-store"));
    h2o_send_inline(req, body, length);
}

/* Whether the query has the parameter "verbose", with or without a value. */
static bool is_verbose(const h2o_req_t *req)
{
    static const char name[] = "verbose";
    size_t length = sizeof(name) - 1;
    if (req->query_at == SIZE_MAX) {
        return false;
    }
    const char *at = req->path.base + req->query_at + 1;
    const char *end = req->path.base + req->path.len;
    while (at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        size_t here = (size_t)((next == NULL ? end : next) - at);
        if (here >= length && memcmp(at, name, length) == 0 &&
            (here == length || at[length] == '=')) {
            return true;
        }
        at += here + 1;
    }
    return false;
}

/* Asks one check and writes its line. */
static bool ask(const struct ops_check *check, FILE *out)
{
    char reason[OPS_SERVER_REASON_BYTES_MAX] = "not ready";
    if (check->is_ready(check->data, reason, sizeof(reason))) {
        fprintf(out, "[+]%s ok\n", check->name);
        return true;
    }
    reason[sizeof(reason) - 1] = '\0';
    for (char *at = reason; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r') {
            *at = ' ';
        }
    }
    fprintf(out, "[-]%s: %s\n", check->name, reason);
    return false;
}

static void send_out_of_memory(h2o_req_t *req)
{
    send_text(req, 500, "Internal Server Error", TEXT_PLAIN, H2O_STRLIT("out of memory\n"));
}

/* Asks every check: 200 when all are met, else 503; with every line where that was asked for. */
static void answer_checks(h2o_req_t *req, const struct ops_check *checks, size_t count,
                          const char *unmet)
{
    char *lines = NULL;
    size_t length = 0;
    bool is_met = true;
    FILE *out = open_memstream(&lines, &length);
    if (out == NULL) {
        send_out_of_memory(req);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        is_met &= ask(&checks[i], out);
    }
    if (fclose(out) != 0) {
        send_out_of_memory(req);
    } else {
        const char *brief = is_met ? "ok" : unmet;
        bool verbose = is_verbose(req) && length > 0;
        send_text(req, is_met ? 200 : 503, is_met ? "OK" : "Service Unavailable", TEXT_PLAIN,
                  verbose ? lines : brief, verbose ? length : strlen(brief));
    }
    free(lines);
}

static double read_ready(void *data)
{
    const struct ops_server *server = data;
    char reason[OPS_SERVER_REASON_BYTES_MAX];
    for (size_t i = 0; i < server->config.checks_count; i++) {
        if (!server->checks[i].is_ready(server->checks[i].data, reason, sizeof(reason))) {
            return 0;
        }
    }
    return 1;
}

void ops_server_register(struct ops_server *server)
{
    metrics_gauge_callback(server->config.metrics, "stampede_ready",
                           "Whether /readyz answers 200: 1 or 0.", NULL, read_ready, server);
}

/* That this thread answers is most of what there is to say. */
static void answer_livez(struct ops_server *server, h2o_req_t *req)
{
    answer_checks(req, server->live_checks, server->config.live_checks_count, "stuck");
}

static void answer_readyz(struct ops_server *server, h2o_req_t *req)
{
    answer_checks(req, server->checks, server->config.checks_count, "not ready");
}

static void answer_metrics(struct ops_server *server, h2o_req_t *req)
{
    char *text;
    size_t length;
    if (metrics_render(server->config.metrics, &text, &length) != 0) {
        send_out_of_memory(req);
        return;
    }
    send_text(req, 200, "OK", "text/plain; version=0.0.4; charset=utf-8", text, length);
    free(text);
}

static void answer_limits(struct ops_server *server, h2o_req_t *req)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        send_out_of_memory(req);
        return;
    }
    ops_limits_write(server->config.limits, out);
    if (fclose(out) != 0) {
        send_out_of_memory(req);
    } else {
        send_text(req, 200, "OK", "application/json", text, length);
    }
    free(text);
}

static const struct route routes[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
    {"/limits", answer_limits},
};

static const struct route *route_find(const h2o_req_t *req)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (h2o_memis(req->path_normalized.base, req->path_normalized.len, routes[i].path,
                      strlen(routes[i].path))) {
            return &routes[i];
        }
    }
    return NULL;
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct ops_server *server = ((struct ops_handler *)handler)->server;
    const struct route *route = route_find(req);
    MAGIC_CHECK(server, SERVER_MAGIC);
    req->http1_is_persistent = 0;
    if (route == NULL) {
        send_text(req, 404, "Not Found", TEXT_PLAIN,
                  H2O_STRLIT("not found; there are /livez, /readyz, /metrics and /limits\n"));
    } else if (!h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET"))) {
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_ALLOW, NULL, H2O_STRLIT("GET"));
        send_text(req, 405, "Method Not Allowed", TEXT_PLAIN, H2O_STRLIT("only GET\n"));
    } else {
        route->answer(server, req);
    }
    return 0;
}

/* Connections */

static void on_close(void *data)
{
    struct connection *connection = data;
    struct ops_server *server = connection->server;
    MAGIC_CHECK(server, SERVER_MAGIC);
    connection->socket = NULL;
    list_remove(&server->connections, &connection->link);
    list_push_back(&server->slots_free, &connection->link);
}

static void open_connection(struct ops_server *server, h2o_socket_t *socket)
{
    struct list_link *link = list_pop_front(&server->slots_free);
    if (link == NULL) {
        h2o_socket_close(socket);
        return;
    }
    struct connection *connection = LIST_OBJECT(link, struct connection, link);
    connection->socket = socket;
    connection->deadline_ns =
        clock_deadline_in_ms(server->config.request_timeout_ms + RESPONSE_TIMEOUT_MS);
    list_push_back(&server->connections, &connection->link);
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
    h2o_accept(&server->accept_ctx, socket);
}

static void on_accept(h2o_socket_t *listener, const char *error);

static void on_accept_pause_end(h2o_timeout_entry_t *entry)
{
    struct ops_server *server = H2O_STRUCT_FROM_MEMBER(struct ops_server, accept_pause, entry);
    h2o_socket_read_start(server->listener, on_accept);
}

/* Without a free descriptor the listener stays readable; resting keeps the loop from spinning. */
static void do_pause_accepting(struct ops_server *server)
{
    h2o_socket_read_stop(server->listener);
    h2o_timeout_link(server->loop, &server->context.hundred_ms_timeout, &server->accept_pause);
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct ops_server *server = listener->data;
    MAGIC_CHECK(server, SERVER_MAGIC);
    if (error != NULL) {
        return;
    }
    for (int i = 0; i < ACCEPTS_A_ROUND_MAX; i++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (socket != NULL) {
            open_connection(server, socket);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            do_pause_accepting(server);
        }
        break;
    }
}

/* libh2o finds out by an end of file or a failing write, and closes the connection itself. */
static void do_shut_down(struct connection *connection)
{
    connection->deadline_ns = CLOCK_DEADLINE_NEVER;
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

static void close_overdue(struct ops_server *server)
{
    int64_t now_ns = clock_monotonic_ns();
    LIST_FOREACH_SAFE (&server->connections, link, next) {
        struct connection *connection = LIST_OBJECT(link, struct connection, link);
        if (connection->deadline_ns <= now_ns) {
            do_shut_down(connection);
        }
    }
}

/* The thread */

static void on_stop(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct ops_server *server = H2O_STRUCT_FROM_MEMBER(struct ops_server, stop_receiver, receiver);
    while (!h2o_linklist_is_empty(messages)) {
        h2o_linklist_t *first = messages->next;
        CHECK(first != NULL && first->next != NULL);
        h2o_linklist_unlink(first);
    }
    server->is_stopping = true;
}

/*
 * libh2o keeps a thread's free memory in lists that nobody can reach once the thread has ended.
 * The buffers' list is public; a pool's chunk is plain malloc memory that a new pool takes first.
 */
static void release_thread_memory(void)
{
    h2o_mem_recycle_t *buffers = &h2o_socket_buffer_prototype.allocator;
    while (buffers->cnt > 0) {
        free(h2o_mem_alloc_recycle(buffers, 0));
    }
    for (int i = 0; i < RECYCLED_CHUNKS_MAX; i++) {
        h2o_mem_pool_t pool;
        h2o_mem_init_pool(&pool);
        h2o_mem_alloc_pool(&pool, 1);
        free(pool.chunks);
    }
}

static void close_everything(struct ops_server *server)
{
    int64_t deadline_ns = clock_deadline_in_ms(STOP_TIMEOUT_MS);
    h2o_timeout_unlink(&server->accept_pause);
    h2o_socket_close(server->listener);
    LIST_FOREACH_SAFE (&server->connections, link, next) {
        do_shut_down(LIST_OBJECT(link, struct connection, link));
    }
    while (!list_is_empty(&server->connections) && clock_remaining_ms(deadline_ns) > 0) {
        h2o_evloop_run(server->loop, (int32_t)clock_remaining_ms(deadline_ns));
    }
}

/* Also for a loop that never ran. A connection that libh2o would not let go of keeps the loop from
 * being freed: better a leak at the end than a wait. */
static void dispose_loop(struct ops_server *server)
{
    close_everything(server);
    if (list_is_empty(&server->connections)) {
        h2o_multithread_unregister_receiver(server->context.queue, &server->stop_receiver);
        h2o_context_dispose(&server->context);
        h2o_evloop_destroy(server->loop);
    }
    h2o_config_dispose(&server->globalconf);
    release_thread_memory();
}

static void *run(void *data)
{
    struct ops_server *server = data;
    MAGIC_CHECK(server, SERVER_MAGIC);
    while (!server->is_stopping) {
        h2o_evloop_run(server->loop, ROUND_MS_MAX); /* -1 is a signal that was caught: go on */
        close_overdue(server);
    }
    dispose_loop(server);
    return NULL;
}

/* Start and stop */

int ops_server_create(const struct ops_server_config *config, struct ops_server **ret)
{
    CHECK(config->checks_count <= OPS_SERVER_CHECKS_MAX);
    CHECK(config->live_checks_count <= OPS_SERVER_CHECKS_MAX);
    CHECK(config->metrics != NULL && config->limits != NULL);
    struct ops_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return -ENOMEM;
    }
    MAGIC_INIT(server, SERVER_MAGIC);
    server->config = *config;
    if (server->config.connections_max == 0) {
        server->config.connections_max = OPS_SERVER_CONNECTIONS_MAX;
    }
    if (server->config.request_timeout_ms == 0) {
        server->config.request_timeout_ms = OPS_SERVER_REQUEST_TIMEOUT_MS;
    }
    server->slots = calloc(server->config.connections_max, sizeof(*server->slots));
    if (server->slots == NULL) {
        free(server);
        return -ENOMEM;
    }
    list_init(&server->connections);
    list_init(&server->slots_free);
    for (unsigned i = 0; i < server->config.connections_max; i++) {
        server->slots[i].server = server;
        list_push_back(&server->slots_free, &server->slots[i].link);
    }
    for (size_t i = 0; i < config->checks_count; i++) {
        server->checks[i] = config->checks[i];
    }
    for (size_t i = 0; i < config->live_checks_count; i++) {
        server->live_checks[i] = config->live_checks[i];
    }
    *ret = server;
    return 0;
}

/* A listening socket, or a negative errno. */
static int listen_on(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Listens on the first address of the host that this machine has. */
static int listen_on_host(const char *host, uint16_t port)
{
    char service[sizeof("65535")];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses;
    int fd = -EADDRNOTAVAIL;
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &addresses) != 0) {
        return -EADDRNOTAVAIL;
    }
    for (struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        fd = listen_on(address);
        if (fd >= 0 || fd == -EADDRINUSE) {
            break;
        }
    }
    freeaddrinfo(addresses);
    return fd;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof(address);
    memset(&address, 0, sizeof(address));
    CHECK(getsockname(fd, &address.any, &length) == 0);
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Makes the loop around a listening socket, which it owns from here on. */
static void init_loop(struct ops_server *server, int fd)
{
    h2o_config_init(&server->globalconf);
    server->globalconf.server_name = h2o_iovec_init(H2O_STRLIT("stampede"));
    server->globalconf.max_request_entity_size = OPS_SERVER_BODY_BYTES_MAX;
    server->globalconf.http1.req_timeout = (uint64_t)server->config.request_timeout_ms;
    server->globalconf.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host =
        h2o_config_register_host(&server->globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    struct ops_handler *handler = (struct ops_handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->server = server;
    server->loop = h2o_evloop_create();
    h2o_context_init(&server->context, server->loop, &server->globalconf);
    server->accept_ctx.ctx = &server->context;
    server->accept_ctx.hosts = server->globalconf.hosts;
    server->accept_pause.cb = on_accept_pause_end;
    h2o_multithread_register_receiver(server->context.queue, &server->stop_receiver, on_stop);
    server->listener = h2o_evloop_socket_create(server->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    server->listener->data = server;
    h2o_socket_read_start(server->listener, on_accept);
}

/* The thread takes no signals: they are for the program's own thread. */
static int start_thread(struct ops_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&server->thread, NULL, run, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        pthread_setname_np(server->thread, "ops");
    }
    return error == 0 ? 0 : -ENOMEM;
}

int ops_server_start(struct ops_server *server, uint16_t *ret_port)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    CHECK(server->loop == NULL);
    int fd = listen_on_host(server->config.host, server->config.port);
    if (fd < 0) {
        return fd;
    }
    uint16_t port = port_of(fd);
    init_loop(server, fd);
    int error = start_thread(server);
    if (error != 0) {
        dispose_loop(server);
        return error;
    }
    server->is_started = true;
    *ret_port = port;
    return 0;
}

void ops_server_stop(struct ops_server *server)
{
    MAGIC_CHECK(server, SERVER_MAGIC);
    if (server->is_started) {
        server->is_started = false;
        h2o_multithread_send_message(&server->stop_receiver, &server->stop_message);
        pthread_join(server->thread, NULL);
    }
}

void ops_server_destroy(struct ops_server *server)
{
    if (server != NULL) {
        ops_server_stop(server);
        MAGIC_CLEAR(server);
        free(server->slots);
        free(server);
    }
}
