#include "config/setting_mask.h"

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A longer name of a parameter counts as secret. */
#define NAME_BYTES_MAX 64

/* Text being copied with parts of it replaced; out has room for any result. */
struct masking {
    const char *at;
    char *out;
};

static void copy(struct masking *masking, size_t length)
{
    memcpy(masking->out, masking->at, length);
    masking->at += length;
    masking->out += length;
}

static void mask(struct masking *masking, size_t length)
{
    memcpy(masking->out, SETTING_MASK, sizeof(SETTING_MASK) - 1);
    masking->at += length;
    masking->out += sizeof(SETTING_MASK) - 1;
}

/* A percent sign may hide any letter of the name, so such a parameter counts as secret. */
static bool is_secret_name(const char *name, size_t length)
{
    static const char *const words[] = {"pass", "secret", "token", "%"};
    char copy_of_name[NAME_BYTES_MAX];
    if (length >= sizeof(copy_of_name)) {
        return true;
    }
    memcpy(copy_of_name, name, length);
    copy_of_name[length] = '\0';
    if (strcasecmp(copy_of_name, "passfile") == 0) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasestr(copy_of_name, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* The length of "scheme://" at the start, or 0. */
static size_t scheme_length(const char *text)
{
    size_t letters =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return letters > 0 && strncmp(text + letters, "://", 3) == 0 ? letters + 3 : 0;
}

/* user:password@ at the current place; up to the last @, for a password may hold one unescaped. */
static void mask_userinfo(struct masking *masking)
{
    const char *colon = strchr(masking->at, ':');
    const char *last_at = strrchr(masking->at, '@');
    if (colon == NULL || last_at == NULL || last_at < colon) {
        return;
    }
    copy(masking, (size_t)(colon - masking->at) + 1);
    mask(masking, (size_t)(last_at - colon) - 1);
}

/* ?name=value&name=value, to the end of the text; the ? may have been masked with a password. */
static void mask_query(struct masking *masking)
{
    copy(masking, strcspn(masking->at, "?&"));
    while (*masking->at != '\0') {
        copy(masking, 1); /* the ? or & before a parameter */
        const char *name = masking->at;
        size_t length = strcspn(name, "=&");
        copy(masking, length);
        if (*masking->at == '=') {
            copy(masking, 1);
            size_t value_length = strcspn(masking->at, "&");
            if (is_secret_name(name, length)) {
                mask(masking, value_length);
            } else {
                copy(masking, value_length);
            }
        }
    }
}

/* The length of a value of a connection string: quoted or up to white space, \ takes one along. */
static size_t pair_value_length(const char *value)
{
    bool is_quoted = value[0] == '\'';
    size_t i = is_quoted ? 1 : 0;
    for (; value[i] != '\0'; i++) {
        if (value[i] == '\\' && value[i + 1] != '\0') {
            i++;
        } else if (is_quoted && value[i] == '\'') {
            return i + 1;
        } else if (!is_quoted && strchr(" \t\n\r\f\v", value[i]) != NULL) {
            break;
        }
    }
    return i;
}

/* name=value pairs between white space, also around the =, to the end of the text. */
static void mask_pairs(struct masking *masking)
{
    static const char spaces[] = " \t\n\r\f\v";
    while (*masking->at != '\0') {
        copy(masking, strspn(masking->at, spaces));
        const char *name = masking->at;
        size_t length = strcspn(name, "= \t\n\r\f\v");
        copy(masking, length);
        copy(masking, strspn(masking->at, spaces));
        if (*masking->at != '=') {
            continue;
        }
        copy(masking, 1);
        copy(masking, strspn(masking->at, spaces));
        size_t value_length = pair_value_length(masking->at);
        if (is_secret_name(name, length)) {
            mask(masking, value_length);
        } else {
            copy(masking, value_length);
        }
    }
}

/* Whether a text without a scheme is name=value pairs and not user:password@host. */
static bool is_pairs(const char *text)
{
    size_t before = strcspn(text, "=:@");
    return text[before] == '=';
}

char *setting_mask_url(struct arena *arena, const char *text)
{
    /* Every replacement stands for at least the "=" or ":" before it. */
    size_t room = strlen(text) * sizeof(SETTING_MASK) + 1;
    char *result = arena_alloc(arena, room);
    if (result == NULL) {
        return NULL;
    }
    struct masking masking = {.at = text, .out = result};
    if (scheme_length(text) == 0 && is_pairs(text)) {
        mask_pairs(&masking);
    } else {
        copy(&masking, scheme_length(text));
        mask_userinfo(&masking);
        mask_query(&masking);
    }
    *masking.out = '\0';
    CHECK((size_t)(masking.out - result) < room);
    return result;
}
