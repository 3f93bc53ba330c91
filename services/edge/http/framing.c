#include "edge/http/framing.h"

#include "edge/routes/slice.h"

#include <ctype.h>
#include <stdbool.h>

/* A length of more digits cannot be meant. */
#define CONTENT_LENGTH_DIGITS_MAX 18

/* What the head says about framing, counted while its lines are read. */
struct head_counts {
    bool is_http_1_0;
    unsigned hosts, lengths, codings;
};

static struct framing_fault fault(const char *field, const char *description)
{
    return (struct framing_fault){field, description};
}

/* Takes the next line off, without its CRLF. False at a line that ends otherwise. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
    const char *end = memchr(rest->bytes, '\n', rest->length);
    if (end == NULL || end == rest->bytes || end[-1] != '\r') {
        return false;
    }
    size_t length = (size_t)(end - rest->bytes) - 1;
    if (memchr(rest->bytes, '\r', length) != NULL) {
        return false;
    }
    *ret_line = (struct slice){rest->bytes, length};
    rest->bytes = end + 1;
    rest->length -= length + 2;
    return true;
}

static bool is_number(struct slice value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (!isdigit((unsigned char)value.bytes[i])) {
            return false;
        }
    }
    return value.length > 0 && value.length <= CONTENT_LENGTH_DIGITS_MAX;
}

static struct framing_fault read_header_line(struct slice line, struct head_counts *counts)
{
    struct slice value = line;
    struct slice name = slice_cut(&value, ':');
    if (name.length == 0 || isspace((unsigned char)name.bytes[0]) ||
        isspace((unsigned char)name.bytes[name.length - 1])) {
        return fault("", "a header line is folded or its name is not followed by a colon");
    }
    if (slice_equals_ignoring_case(name, "host")) {
        counts->hosts++;
    } else if (slice_equals_ignoring_case(name, "content-length")) {
        counts->lengths++;
        if (!is_number(slice_trimmed(value))) {
            return fault("Content-Length", "must be a number of bytes, given once");
        }
    } else if (slice_equals_ignoring_case(name, "transfer-encoding")) {
        counts->codings++;
        if (!slice_equals_ignoring_case(slice_trimmed(value), "chunked")) {
            return fault("Transfer-Encoding", "must be chunked, given once");
        }
    }
    return fault("", NULL);
}

static struct framing_fault judge(const struct head_counts *counts)
{
    if (counts->lengths > 1) {
        return fault("Content-Length", "must be a number of bytes, given once");
    }
    if (counts->codings > 1 || (counts->codings == 1 && counts->is_http_1_0)) {
        return fault("Transfer-Encoding", "must be chunked, given once, in HTTP/1.1");
    }
    if (counts->codings == 1 && counts->lengths == 1) {
        return fault("Transfer-Encoding", "must not stand beside Content-Length");
    }
    if (counts->hosts > 1 || (counts->hosts == 0 && !counts->is_http_1_0)) {
        return fault("Host", "must be given once");
    }
    return fault("", NULL);
}

struct framing_fault framing_check(const char *bytes, size_t length)
{
    static const char line_end[] = "a line of the head does not end with CR LF";
    struct head_counts counts = {.is_http_1_0 = false};
    struct slice rest = {bytes, length};
    struct slice line = {NULL, 0};
    /* One empty line may precede a request (RFC 9112, 2.2). */
    if (length >= 2 && bytes[0] == '\r' && bytes[1] == '\n') {
        rest = (struct slice){bytes + 2, length - 2};
    }
    if (!take_line(&rest, &line)) {
        return fault("", line_end);
    }
    counts.is_http_1_0 =
        line.length >= 8 && memcmp(line.bytes + line.length - 8, "HTTP/1.0", 8) == 0;
    for (;;) {
        if (!take_line(&rest, &line)) {
            return fault("", line_end);
        }
        if (line.length == 0) {
            return judge(&counts);
        }
        struct framing_fault found = read_header_line(line, &counts);
        if (found.description != NULL) {
            return found;
        }
    }
}
