#include "edge/http/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The answer to a connection too many, head and body. */
#define REFUSAL_BYTES_MAX 512

/* The kernel clips it to net.core.somaxconn. */
#define BACKLOG            65535
#define REFUSED_READ_BYTES 4096

static int bind_and_listen(const struct addrinfo *address, int *ret_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
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
    if (getsockname(fd, &address.any, &length) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

int listener_open(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port)
{
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return -EADDRNOTAVAIL;
    }
    int error = -EADDRNOTAVAIL;
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && error != 0; at = at->ai_next) {
        error = bind_and_listen(at, &fd);
    }
    freeaddrinfo(found);
    if (error == 0) {
        *ret_fd = fd;
        *ret_port = port_of(fd);
    }
    return error;
}

void listener_refuse(int fd)
{
    static const char body[] =
        "{\"type\":\"/problems/OVERLOADED\",\"title\":\"Overloaded\",\"status\":503,"
        "\"detail\":\"Too many connections are open.\",\"reason\":\"OVERLOADED\"}";
    char answer[REFUSAL_BYTES_MAX];
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 503 Service Unavailable\r\n"
                          "Content-Type: application/problem+json\r\n"
                          "Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          sizeof(body) - 1, body);
    CHECK(length > 0 && (size_t)length < sizeof(answer));
    (void)send(fd, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    /* What was read does not turn the close into a reset that overtakes the answer. */
    char unread[REFUSED_READ_BYTES];
    (void)recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
    (void)close(fd);
}
