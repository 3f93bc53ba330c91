/* A real HTTP client (libcurl) for tests: one request, one answer, everything to look at. */
#ifndef SUPPORT_HTTP_CLIENT_H
#define SUPPORT_HTTP_CLIENT_H

#include <stddef.h>

#define HTTP_CLIENT_BODY_BYTES    (256 * 1024)
#define HTTP_CLIENT_HEADERS_BYTES 16384

struct http_answer {
    long status; /* 0: no answer; body then says why */
    size_t body_length;
    char body[HTTP_CLIENT_BODY_BYTES];       /* NUL-terminated */
    char headers[HTTP_CLIENT_HEADERS_BYTES]; /* as received, NUL-terminated */
};

struct http_call {
    const char *method;         /* NULL: GET */
    const char *url;            /* its path is sent as it is */
    const char *const *headers; /* "Name: value", NULL-ended; may be NULL */
    const char *body;           /* NULL: none */
    size_t body_length;         /* 0: up to the NUL */
    long timeout_ms;            /* 0: 300,000 */
};

/* Makes the call on a connection of its own. */
void http_client_call(const struct http_call *call, struct http_answer *ret);

/* The value of a header (any case), copied into ret_value; "" when there is none. */
void http_client_header(const struct http_answer *answer, const char *name, char *ret_value,
                        size_t value_bytes);

/*
 * The value of a top-level or dotted member of the JSON body as text ("unitPrice.amountMinor"), ""
 * when it is not there. Strings come without quotes.
 */
void http_client_json(const struct http_answer *answer, const char *path, char *ret_value,
                      size_t value_bytes);

#endif
