#include "edge/http/framing.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct framing_fault check(const char *head)
{
    return framing_check(head, strlen(head));
}

/* What every client sends must pass, whatever follows it in the buffer. */
static void framing_ordinary_heads_pass(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\nGET / HTTP/1.1\n\n",
        "\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:  Chunked \r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        assert_null(check(heads[i]).description);
    }
}

/* Heads that two servers may read as different requests: each smuggles something past one of them.
 */
static void framing_ambiguous_heads_are_refused(void **state)
{
    static const struct {
        const char *head, *field;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", ""},
        {"GET / HTTP/1.1\r\n\r\n", "Host"},
        {"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "Host"},
        {"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "Host"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
         "Content-Length"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "Content-Length"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", "Content-Length"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\nx",
         "Content-Length"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "Transfer-Encoding"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         "Transfer-Encoding"},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct framing_fault fault = check(cases[i].head);
        assert_non_null(fault.description);
        assert_string_equal(fault.field, cases[i].field);
    }
}

/* A buffer that ends early must not be read beyond its end. */
static void framing_cut_heads_are_refused(void **state)
{
    const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    for (size_t length = 0; length < sizeof(head) - 1; length++) {
        assert_non_null(framing_check(head, length).description);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_ordinary_heads_pass),
        cmocka_unit_test(framing_ambiguous_heads_are_refused),
        cmocka_unit_test(framing_cut_heads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
