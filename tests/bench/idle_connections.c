/*
 * Holds many idle keep-alive connections, to see what one costs the server: opens them one by one,
 * asks once on each, prints how many it holds, and keeps them until its standard input ends.
 *
 *     idle_connections <port> <path> <count>
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 8192

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether the answer to one request is a 200; the body may be left behind unread. */
static int ask(int fd, const char *path)
{
    char text[HEAD_BYTES_MAX];
    int length = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    if (length < 0 || (size_t)length >= sizeof(text) ||
        write(fd, text, (size_t)length) != (ssize_t)length) {
        return 0;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    return got > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (argc != 4) {
        fprintf(stderr, "usage: idle_connections <port> <path> <count>\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    unsigned long count = strtoul(argv[3], NULL, 10);
    unsigned long held = 0;
    while (held < count) {
        int fd = connect_to((uint16_t)strtoul(argv[1], NULL, 10));
        if (fd < 0 || !ask(fd, argv[2])) {
            perror("idle_connections");
            break;
        }
        held++;
    }
    printf("held=%lu\n", held);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return held == count ? 0 : 1;
}
