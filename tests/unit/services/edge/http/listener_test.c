#include "edge/http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Two edges on one port would share its traffic silently. */
static void listener_open_taken_port_is_refused(void **state)
{
    int first;
    int second;
    uint16_t port;
    uint16_t other;
    (void)state;
    assert_int_equal(listener_open("127.0.0.1", 0, &first, &port), 0);
    assert_true(port > 0);
    assert_int_equal(listener_open("127.0.0.1", port, &second, &other), -EADDRINUSE);
    close(first);
}

/* A name without an address must be an error, not a listener on every interface. */
static void listener_open_unknown_host_is_refused(void **state)
{
    int fd;
    uint16_t port;
    (void)state;
    assert_int_equal(listener_open("no.such.host.invalid", 0, &fd, &port), -EADDRNOTAVAIL);
}

/* One connection too many still hears why, in the form of every other error. */
static void listener_refuse_answers_before_it_closes(void **state)
{
    int pair[2];
    char answer[1024];
    size_t length = 0;
    ssize_t got;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[0], "GET", 3), 3);
    listener_refuse(pair[1]);
    while ((got = read(pair[0], answer + length, sizeof(answer) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    answer[length] = '\0';
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    const char *declared = strstr(answer, "Content-Length: ");
    assert_non_null(declared);
    assert_int_equal(strtol(declared + strlen("Content-Length: "), NULL, 10), strlen(body + 4));
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listener_open_taken_port_is_refused),
        cmocka_unit_test(listener_open_unknown_host_is_refused),
        cmocka_unit_test(listener_refuse_answers_before_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
