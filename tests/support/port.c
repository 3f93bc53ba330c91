#include "support/port.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Below the kernel's own range (32768 and up), above those of tools/dev/scratch-postgres and of the
 * tests that are scripts. */
#define PORT_FIRST 30000
#define PORT_END   32768

/*
 * Whether the port is this process's from now on. An abstract name is bound by one socket at a time
 * and is free again when its process has ended, however that ended; the socket stays open till
 * then.
 */
static bool claim(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "stampede-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&name,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) != 0) {
        (void)close(fd);
        return false;
    }
    return true;
}

/* As a program tries it: what only lingers of earlier connections is in nobody's way. */
static bool can_be_listened_on(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    bool can = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
               bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
               listen(fd, 1) == 0;
    (void)close(fd);
    return can;
}

int port_take(void)
{
    unsigned start;
    CHECK(getrandom(&start, sizeof(start), 0) == (ssize_t)sizeof(start));
    for (unsigned i = 0; i < PORT_END - PORT_FIRST; i++) {
        int port = PORT_FIRST + (int)((start + i) % (PORT_END - PORT_FIRST));
        if (claim(port) && can_be_listened_on(port)) {
            return port;
        }
    }
    UNREACHABLE("no port is free");
}
