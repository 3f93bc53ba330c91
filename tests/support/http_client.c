#include "support/http_client.h"

#include "base/check.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 300000

static size_t append(char *buffer, size_t capacity, size_t used, const char *bytes, size_t count)
{
    size_t room = capacity - 1 - used;
    size_t taken = count < room ? count : room;
    memcpy(buffer + used, bytes, taken);
    buffer[used + taken] = '\0';
    return used + taken;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    struct http_answer *answer = data;
    answer->body_length =
        append(answer->body, sizeof(answer->body), answer->body_length, bytes, size * count);
    return size * count;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data)
{
    struct http_answer *answer = data;
    append(answer->headers, sizeof(answer->headers), strlen(answer->headers), bytes, size * count);
    return size * count;
}

static void set_options(CURL *curl, const struct http_call *call, struct curl_slist *headers,
                        struct http_answer *ret)
{
    const char *method = call->method != NULL ? call->method : "GET";
    curl_easy_setopt(curl, CURLOPT_URL, call->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     call->timeout_ms != 0 ? call->timeout_ms : TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret);
    if (call->body != NULL) {
        size_t length = call->body_length != 0 ? call->body_length : strlen(call->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    }
}

void http_client_call(const struct http_call *call, struct http_answer *ret)
{
    CURL *curl = curl_easy_init();
    /* Without it libcurl waits a second for "100 Continue" before a large body. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

    CHECK(curl != NULL);
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        headers = curl_slist_append(headers, call->headers[i]);
    }
    ret->status = 0;
    ret->body_length = 0;
    ret->body[0] = ret->headers[0] = '\0';
    set_options(curl, call, headers, ret);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    } else {
        snprintf(ret->body, sizeof(ret->body), "%s", curl_easy_strerror(code));
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

void http_client_header(const struct http_answer *answer, const char *name, char *ret_value,
                        size_t value_bytes)
{
    size_t name_length = strlen(name);

    ret_value[0] = '\0';
    for (const char *line = answer->headers; *line != '\0';) {
        const char *end = strpbrk(line, "\r\n");
        size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
        if (length > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            const char *value = line + name_length + 1;
            value += strspn(value, " ");
            snprintf(ret_value, value_bytes, "%.*s", (int)(line + length - value), value);
            return;
        }
        line += length;
        line += strspn(line, "\r\n");
    }
}

static void print_value(const json_t *value, char *ret_value, size_t value_bytes)
{
    if (json_is_string(value)) {
        snprintf(ret_value, value_bytes, "%s", json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text != NULL) {
        snprintf(ret_value, value_bytes, "%s", text);
    }
    free(text);
}

void http_client_json(const struct http_answer *answer, const char *path, char *ret_value,
                      size_t value_bytes)
{
    json_t *root = json_loadb(answer->body, answer->body_length, 0, NULL);
    const json_t *value = root;
    char name[64];

    ret_value[0] = '\0';
    while (value != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10))
                                     : json_object_get(value, name);
        path += length;
        path += *path == '.';
    }
    if (value != NULL) {
        print_value(value, ret_value, value_bytes);
    }
    json_decref(root);
}
