#include "ops/port_owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A socket on a free port of the loopback address. */
static int bind_any(int family, uint16_t *ret_port)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);
    memset(&address, 0, sizeof(address));
    address.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.v6.sin6_addr = in6addr_loopback;
    }
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &address.any, length) != 0) {
        return -1;
    }
    assert_int_equal(getsockname(fd, &address.any, &length), 0);
    *ret_port = ntohs(family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return fd;
}

/* "Address in use" alone costs people minutes; the culprit's name ends the search. */
static void port_owner_find_listening_process_is_named(void **state)
{
    static const int families[] = {AF_INET, AF_INET6};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(families); i++) {
        struct port_owner owner;
        uint16_t port;
        int fd = bind_any(families[i], &port);
        if (fd < 0 && families[i] == AF_INET6) {
            continue; /* a machine without IPv6 */
        }
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(port_owner_find(port, &owner), 0);
        assert_int_equal(owner.pid, getpid());
        assert_string_equal(owner.program, "unit_libs_ops_port_owner_test");
        close(fd);
    }
}

/* The owner is nearly always another process. */
static void port_owner_describe_other_process_has_its_pid(void **state)
{
    char text[PORT_OWNER_TEXT_BYTES_MAX], expected[PORT_OWNER_TEXT_BYTES_MAX];
    uint16_t port;
    (void)state;
    int fd = bind_any(AF_INET, &port);
    assert_true(fd >= 0 && listen(fd, 1) == 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    close(fd);
    port_owner_describe("127.0.0.1:80", port, text);
    snprintf(expected, sizeof(expected),
             "127.0.0.1:80 is taken by unit_libs_ops_port_owner_test (pid %d)", (int)child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_string_equal(text, expected);
}

/* A socket that does not listen owns no port; and who cannot be found must still be said clearly.
 */
static void port_owner_find_nobody_listens_is_enoent(void **state)
{
    struct port_owner owner = {.pid = 1};
    char text[PORT_OWNER_TEXT_BYTES_MAX];
    uint16_t port;
    (void)state;
    int fd = bind_any(AF_INET, &port);
    assert_true(fd >= 0);
    assert_int_equal(port_owner_find(port, &owner), -ENOENT);
    assert_int_equal(owner.pid, 1);
    port_owner_describe("127.0.0.1:80", port, text);
    assert_string_equal(text, "127.0.0.1:80 is taken by a process that cannot be seen from here");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port_owner_find_listening_process_is_named),
        cmocka_unit_test(port_owner_describe_other_process_has_its_pid),
        cmocka_unit_test(port_owner_find_nobody_listens_is_enoent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
