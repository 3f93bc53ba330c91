/*
 * What libh2o itself can do: one loop per core on one listening socket, like the edge, and a
 * handler that answers every request with the same sold-out problem document. The edge's refusals
 * are held against it.
 *
 *     hello <port> [loops [echo]]
 *
 * With "echo" an answer carries its request's X-Request-Id, as the edge's do: open.lua finds the
 * request's moment by it, and shows what client and machine alone take.
 */
#include <h2o.h>
#include <h2o/http1.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPS_MAX 64

static const char body[] =
    "{\"type\":\"/problems/SOLD_OUT\",\"title\":\"Sold out\",\"status\":409,\"detail\":\"fewer "
    "units remain than the order asks for\",\"instance\":\"/v1/sales/01a20442-f9ff-741c-82ac-"
    "b4b0aee23415/orders\",\"reason\":\"SOLD_OUT\",\"requestId\":"
    "\"2e2242c6d5163f62a790cf1afccb97da\"}";

static h2o_globalconf_t globalconf;
static bool is_echo;

struct loop {
    h2o_context_t context;
    h2o_accept_ctx_t accept;
    int listener_fd;
    pthread_t thread;
};

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t content = {(char *)(uintptr_t)body, sizeof(body) - 1};
    (void)handler;
    req->res.status = 409;
    req->res.reason = "Conflict";
    req->res.content_length = content.len;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/problem+json"));
    ssize_t id =
        is_echo ? h2o_find_header_by_str(&req->headers, H2O_STRLIT("x-request-id"), -1) : -1;
    if (id >= 0) {
        h2o_iovec_t value = req->headers.entries[id].value;
        h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-request-id"), 0, NULL,
                              value.base, value.len);
    }
    h2o_start_response(req, &generator);
    h2o_send(req, &content, 1, 1);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct loop *loop = listener->data;
    if (error != NULL) {
        return;
    }
    for (int i = 0; i < 16; i++) {
        int on = 1;
        int fd = accept4(h2o_socket_get_fd(listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        h2o_socket_t *sock = h2o_evloop_socket_create(loop->context.loop, fd,
                                                      H2O_SOCKET_FLAG_IS_ACCEPTED_CONNECTION);
        h2o_accept(&loop->accept, sock);
    }
}

static void *run(void *data)
{
    struct loop *loop = data;
    h2o_context_init(&loop->context, h2o_evloop_create(), &globalconf);
    loop->accept = (h2o_accept_ctx_t){.ctx = &loop->context, .hosts = globalconf.hosts};
    h2o_socket_t *listener =
        h2o_evloop_socket_create(loop->context.loop, loop->listener_fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = loop;
    h2o_socket_read_start(listener, on_accept);
    for (;;) {
        (void)h2o_evloop_run(loop->context.loop, 1000);
    }
    return NULL;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        perror("hello");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct loop loops[LOOPS_MAX];
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

    if (port < 1 || port > 65535 || count < 1 || count > LOOPS_MAX) {
        fprintf(stderr, "usage: hello <port> [loops, 1 to %d [echo]]\n", LOOPS_MAX);
        return 2;
    }
    is_echo = argc > 3 && strcmp(argv[3], "echo") == 0;
    h2o_config_init(&globalconf);
    globalconf.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host =
        h2o_config_register_host(&globalconf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_create_handler(path, sizeof(h2o_handler_t))->on_req = on_req;
    int fd = listen_on((uint16_t)port);
    for (long i = 0; i < count; i++) {
        loops[i].listener_fd = dup(fd);
        if (pthread_create(&loops[i].thread, NULL, run, &loops[i]) != 0) {
            return 1;
        }
    }
    pause();
    return 0;
}
