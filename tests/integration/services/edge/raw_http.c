#include "raw_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

int raw_http_connect(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 300};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

void raw_http_send(int fd, const char *bytes)
{
    assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

void raw_http_send_unless_closed(int fd, const char *bytes)
{
    (void)!send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
}

static bool is_complete(const char *text, size_t length)
{
    const char *body = strstr(text, "\r\n\r\n");
    const char *declared = strcasestr(text, "content-length: ");
    if (body == NULL || declared == NULL) {
        return false;
    }
    size_t wanted = strtoul(declared + strlen("content-length: "), NULL, 10);
    return length >= (size_t)(body + 4 - text) + wanted;
}

static size_t read_until(int fd, char *ret_text, size_t size,
                         bool (*is_enough)(const char *text, size_t length))
{
    size_t length = 0;
    ret_text[0] = '\0';
    while (length + 1 < size && !is_enough(ret_text, length)) {
        ssize_t got = recv(fd, ret_text + length, size - 1 - length, 0);
        if (got < 0 && errno == EINTR) {
            continue; /* a stop of the machine interrupts waits that have an end */
        }
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        ret_text[length] = '\0';
    }
    return length;
}

size_t raw_http_read(int fd, char *ret_text, size_t size)
{
    return read_until(fd, ret_text, size, is_complete);
}

static bool is_never_enough(const char *text, size_t length)
{
    (void)text;
    (void)length;
    return false;
}

size_t raw_http_read_all(int fd, char *ret_text, size_t size)
{
    return read_until(fd, ret_text, size, is_never_enough);
}
