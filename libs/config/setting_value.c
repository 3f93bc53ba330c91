#include "config/setting_value.h"

#include "base/arena.h"
#include "base/text.h"
#include "config/config.h"
#include "config/setting_mask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define QUOTE_CHARS_MAX 80
#define PORT_DIGITS_MAX 5

/* A suffix of a number and what it multiplies by. */
struct suffix {
    const char *text;
    int64_t factor;
};

static const struct suffix no_suffixes[] = {{"", 1}, {NULL, 0}};
static const struct suffix duration_suffixes[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {NULL, 0}};
static const struct suffix byte_suffixes[] = {
    {"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};

static void *member_of(const struct config_setting *setting, void *settings)
{
    return (char *)settings + setting->offset;
}

static const void *const_member_of(const struct config_setting *setting, const void *settings)
{
    return (const char *)settings + setting->offset;
}

static const struct suffix *suffix_find(const struct suffix *suffixes, const char *text)
{
    for (; suffixes->text != NULL; suffixes++) {
        if (strcmp(suffixes->text, text) == 0) {
            return suffixes;
        }
    }
    return NULL;
}

/* An optional minus, digits, a suffix. Returns NULL or a problem. */
static const char *parse_number(const struct config_setting *setting, const char *text,
                                const struct suffix *suffixes, const char *problem, int64_t *ret)
{
    bool is_negative = *text == '-';
    const char *digit = text + is_negative;
    int64_t value = 0;
    bool overflow = false;
    if (*digit < '0' || *digit > '9') {
        return problem;
    }
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        int64_t next = is_negative ? '0' - *digit : *digit - '0';
        overflow |= __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, next, &value);
    }
    const struct suffix *suffix = suffix_find(suffixes, digit);
    if (suffix == NULL) {
        return problem;
    }
    overflow |= __builtin_mul_overflow(value, suffix->factor, &value);
    if (overflow || value < setting->min || value > setting->max) {
        return "out of range";
    }
    *ret = value;
    return NULL;
}

static const char *parse_integer(const struct config_setting *setting, const char *text,
                                 int64_t *ret)
{
    switch (setting->type) {
    case CONFIG_TYPE_DURATION_MS:
        return parse_number(setting, text, duration_suffixes, "not a duration", ret);
    case CONFIG_TYPE_BYTES:
        return parse_number(setting, text, byte_suffixes, "not a number of bytes", ret);
    default:
        return parse_number(setting, text, no_suffixes, "not a whole number", ret);
    }
}

static const char *check_text(const struct config_setting *setting, const char *text)
{
    size_t length = strlen(text);
    if (!text_is_utf8(text, length)) {
        return "not valid UTF-8";
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return "control characters are not allowed";
        }
    }
    if ((int64_t)length < setting->min) {
        return "too short";
    }
    return (int64_t)length > setting->max ? "too long" : NULL;
}

/* Splits host:port or [ipv6]:port without judging the parts. */
static const char *split_address(const char *text, const char **ret_host, size_t *ret_host_length,
                                 const char **ret_port)
{
    bool has_brackets = text[0] == '[';
    const char *end = has_brackets ? strchr(text, ']') : strchr(text, ':');
    if (end == NULL || end[has_brackets] != ':') {
        return "no port";
    }
    if (!has_brackets && strchr(end + 1, ':') != NULL) {
        return "an IPv6 address needs brackets";
    }
    *ret_host = text + has_brackets;
    *ret_host_length = (size_t)(end - *ret_host);
    *ret_port = end + has_brackets + 1;
    return NULL;
}

static const char *parse_port(const char *text, uint16_t *ret_port)
{
    size_t length = strlen(text);
    unsigned value = 0;
    if (length == 0 || length > PORT_DIGITS_MAX || strspn(text, "0123456789") != length) {
        return "the port is not a number from 0 to 65535";
    }
    for (; *text != '\0'; text++) {
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > UINT16_MAX) {
        return "the port is not a number from 0 to 65535";
    }
    *ret_port = (uint16_t)value;
    return NULL;
}

static bool is_host(const char *host, bool is_ipv6)
{
    struct in6_addr address;
    if (is_ipv6) {
        return inet_pton(AF_INET6, host, &address) == 1;
    }
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_";
    return *host != '\0' && host[strspn(host, allowed)] == '\0';
}

static const char *parse_address(const char *text, struct config_address *ret_address)
{
    struct config_address address;
    const char *host, *port;
    size_t host_length;
    memset(&address, 0, sizeof(address));
    const char *problem = split_address(text, &host, &host_length, &port);
    if (problem != NULL) {
        return problem;
    }
    if (host_length > CONFIG_HOST_CHARS_MAX) {
        return "the host is too long";
    }
    memcpy(address.host, host, host_length);
    bool is_ipv6 = text[0] == '[';
    if (!is_host(address.host, is_ipv6)) {
        return "the host is neither a name nor an address";
    }
    problem = parse_port(port, &address.port);
    if (problem != NULL) {
        return problem;
    }
    snprintf(address.text, sizeof(address.text), is_ipv6 ? "[%s]:%u" : "%s:%u", address.host,
             address.port);
    *ret_address = address;
    return NULL;
}

static const char *parse_choice(const struct config_setting *setting, const char *text, int *ret)
{
    for (int i = 0; setting->choices[i] != NULL; i++) {
        if (strcmp(setting->choices[i], text) == 0) {
            *ret = i;
            return NULL;
        }
    }
    return "not one of the choices";
}

static const char *parse_bool(const char *text, bool *ret)
{
    static const char *const words[][2] = {
        {"false", "true"}, {"off", "on"}, {"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        for (int truth = 0; truth < 2; truth++) {
            if (strcasecmp(text, words[i][truth]) == 0) {
                *ret = truth == 1;
                return NULL;
            }
        }
    }
    return "neither true nor false";
}

static int parse_text(const struct config_setting *setting, const char *text, struct arena *arena,
                      const char **ret_copy, const char **ret_problem)
{
    *ret_problem = check_text(setting, text);
    if (*ret_problem != NULL) {
        return 0;
    }
    const char *copy = arena_strndup(arena, text, strlen(text));
    if (copy == NULL) {
        return -ENOMEM;
    }
    *ret_copy = copy;
    return 0;
}

int setting_value_parse(const struct config_setting *setting, const char *text, struct arena *arena,
                        void *settings, const char **ret_problem)
{
    void *member = member_of(setting, settings);
    const char *problem = NULL;
    int error = 0;
    switch (setting->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_DURATION_MS:
    case CONFIG_TYPE_BYTES:
        problem = parse_integer(setting, text, member);
        break;
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_SECRET:
    case CONFIG_TYPE_URL:
        error = parse_text(setting, text, arena, member, &problem);
        break;
    case CONFIG_TYPE_ADDRESS:
        problem = parse_address(text, member);
        break;
    case CONFIG_TYPE_CHOICE:
        problem = parse_choice(setting, text, member);
        break;
    case CONFIG_TYPE_BOOL:
        problem = parse_bool(text, member);
        break;
    }
    if (problem != NULL) {
        *ret_problem = problem;
        return -EINVAL;
    }
    return error;
}

/* A text of the row's type, masked as that type is. */
static const char *mask_by_type(const struct config_setting *setting, const char *text,
                                struct arena *arena)
{
    if (setting->type == CONFIG_TYPE_SECRET) {
        return SETTING_MASK;
    }
    return setting->type == CONFIG_TYPE_URL ? setting_mask_url(arena, text) : text;
}

static const char *show_text(const struct config_setting *setting, const char *text,
                             struct arena *arena)
{
    return text == NULL ? "" : mask_by_type(setting, text, arena);
}

const char *setting_value_show(const struct config_setting *setting, const void *settings,
                               struct arena *arena)
{
    const void *member = const_member_of(setting, settings);
    switch (setting->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_DURATION_MS:
    case CONFIG_TYPE_BYTES:
        return arena_printf(arena, "%" PRId64, *(const int64_t *)member);
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_SECRET:
    case CONFIG_TYPE_URL:
        return show_text(setting, *(const char *const *)member, arena);
    case CONFIG_TYPE_ADDRESS:
        return ((const struct config_address *)member)->text;
    case CONFIG_TYPE_CHOICE:
        return setting->choices[*(const int *)member];
    case CONFIG_TYPE_BOOL:
        return *(const bool *)member ? "true" : "false";
    }
    UNREACHABLE("every type is handled above");
}

const char *setting_value_quote(const struct config_setting *setting, const char *text,
                                struct arena *arena)
{
    const char *masked = mask_by_type(setting, text, arena);
    if (masked == NULL) {
        return NULL;
    }
    size_t length = strlen(masked);
    bool is_cut = length > QUOTE_CHARS_MAX;
    char *quoted = arena_printf(arena, "%.*s%s", QUOTE_CHARS_MAX, masked, is_cut ? "..." : "");
    if (quoted == NULL) {
        return NULL;
    }
    for (char *at = quoted; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~') {
            *at = '?';
        }
    }
    return quoted;
}

const char *setting_value_type_name(const struct config_setting *setting)
{
    static const char *const names[] = {
        [CONFIG_TYPE_INT] = "whole number", [CONFIG_TYPE_DURATION_MS] = "duration",
        [CONFIG_TYPE_BYTES] = "size",       [CONFIG_TYPE_STRING] = "text",
        [CONFIG_TYPE_SECRET] = "secret",    [CONFIG_TYPE_URL] = "URL",
        [CONFIG_TYPE_ADDRESS] = "address",  [CONFIG_TYPE_CHOICE] = "choice",
        [CONFIG_TYPE_BOOL] = "switch",
    };
    CHECK((size_t)setting->type < COUNT_OF(names));
    return names[setting->type];
}

const char *setting_value_unit(const struct config_setting *setting)
{
    switch (setting->type) {
    case CONFIG_TYPE_INT:
        return setting->unit;
    case CONFIG_TYPE_DURATION_MS:
        return "ms";
    case CONFIG_TYPE_BYTES:
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_SECRET:
    case CONFIG_TYPE_URL:
        return "bytes";
    default:
        return NULL;
    }
}

void setting_value_write_range(const struct config_setting *setting, FILE *out)
{
    switch (setting->type) {
    case CONFIG_TYPE_ADDRESS:
        fputs("host:port or [ipv6]:port, port 0 to 65535", out);
        return;
    case CONFIG_TYPE_BOOL:
        fputs("true or false", out);
        return;
    case CONFIG_TYPE_CHOICE:
        fputs("one of ", out);
        for (int i = 0; setting->choices[i] != NULL; i++) {
            fprintf(out, "%s%s", i > 0 ? ", " : "", setting->choices[i]);
        }
        return;
    default:
        fprintf(out, "%" PRId64 " to %" PRId64, setting->min, setting->max);
    }
}
