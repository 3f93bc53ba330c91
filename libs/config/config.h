/*
 * A program's settings from one table: the table parses the environment and a .env file into the
 * program's own struct, prints --help, --print-config and --version, and refuses to start with
 * every problem listed at once.
 *
 *     struct orders_settings { int64_t pool_size; const char *database_url; ... };
 *     static const struct config_setting table[] = {
 *         CONFIG_INT(struct orders_settings, pool_size, "ORDERS_POOL_SIZE", "5", 1, 1000,
 *                    "connections", "Connections to PostgreSQL."),
 *         CONFIG_URL_REQUIRED(struct orders_settings, database_url, "DATABASE_URL",
 *                             "Where PostgreSQL is: a URL or key=value pairs."),
 *     };
 *
 * The environment wins over .env; an empty value, in either, counts as not set. Names with the
 * program's prefix that are in no row refuse to start, except those that Kubernetes injects
 * (*_SERVICE_HOST, *_SERVICE_PORT, *_SERVICE_PORT_*, *_PORT, *_PORT_<n>_*).
 *
 * Nothing here logs; one thread at a time.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_TEXT_BYTES_MAX 8192 /* of one value, longer ones are refused */
#define CONFIG_HOST_CHARS_MAX 255  /* RFC 1035, 2.3.4 */

enum config_type {
    CONFIG_TYPE_INT,         /* int64_t: a whole number from min to max, of unit */
    CONFIG_TYPE_DURATION_MS, /* int64_t in ms: 250, 250ms, 5s, 2m, 1h */
    CONFIG_TYPE_BYTES,       /* int64_t in bytes: 65536, 64KiB, 1MiB, 1GiB */
    CONFIG_TYPE_STRING,      /* const char *: min to max bytes of UTF-8; NULL when not set */
    CONFIG_TYPE_SECRET,      /* like a string, never shown */
    CONFIG_TYPE_URL,         /* like a string, a password inside it is never shown */
    CONFIG_TYPE_ADDRESS,     /* struct config_address: host:port or [ipv6]:port, port 0 to 65535 */
    CONFIG_TYPE_CHOICE,      /* int: the index in choices */
    CONFIG_TYPE_BOOL,        /* bool: true, false, on, off, yes, no, 1, 0 */
};

/* Where to listen or to connect. Not set and without a default: all empty. */
struct config_address {
    char host[CONFIG_HOST_CHARS_MAX + 1];     /* a name or an address, without brackets */
    uint16_t port;                            /* 0 takes a free one */
    char text[CONFIG_HOST_CHARS_MAX + 1 + 9]; /* host:port, IPv6 in brackets: what gRPC takes */
};

/* One row. Use the macros below: they check the member's type. All pointers are to static data. */
struct config_setting {
    const char *name; /* [A-Z0-9_]+ */
    enum config_type type;
    bool required; /* not set and without a default is a problem */
    int64_t min, max;
    const char *unit;           /* of an int, plural ("connections"); NULL for other types */
    const char *const *choices; /* NULL-terminated; NULL for other types */
    const char *default_text;   /* parsed like a value (asserted to be valid); NULL for none */
    const char *help;           /* one sentence */
    size_t offset;              /* of the member in the settings struct */
};

/* The offset of a member; does not compile if the member is of another type. */
#define CONFIG_MEMBER(settings, member, member_type)                                               \
    (offsetof(settings, member) +                                                                  \
     0 * sizeof(                                                                                   \
             char[__builtin_types_compatible_p(__typeof__(((settings *)0)->member), member_type)   \
                      ? 1                                                                          \
                      : -1]))

#define CONFIG_INT(settings, member, name_, default_, min_, max_, unit_, help_)                    \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_INT, .min = (min_), .max = (max_), .unit = (unit_),   \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, int64_t)                                         \
    }

#define CONFIG_DURATION_MS(settings, member, name_, default_, min_, max_, help_)                   \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_DURATION_MS, .min = (min_), .max = (max_),            \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, int64_t)                                         \
    }

#define CONFIG_BYTES(settings, member, name_, default_, min_, max_, help_)                         \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_BYTES, .min = (min_), .max = (max_),                  \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, int64_t)                                         \
    }

#define CONFIG_STRING(settings, member, name_, default_, min_, max_, help_)                        \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_STRING, .min = (min_), .max = (max_),                 \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, const char *)                                    \
    }

#define CONFIG_SECRET(settings, member, name_, min_, max_, help_)                                  \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_SECRET, .min = (min_), .max = (max_),                 \
        .help = (help_), .offset = CONFIG_MEMBER(settings, member, const char *)                   \
    }

#define CONFIG_URL(settings, member, name_, default_, help_)                                       \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_URL, .min = 1, .max = CONFIG_TEXT_BYTES_MAX,          \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, const char *)                                    \
    }

/* The same, and it must be set. */
#define CONFIG_URL_REQUIRED(settings, member, name_, help_)                                        \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_URL, .required = true, .min = 1,                      \
        .max = CONFIG_TEXT_BYTES_MAX, .help = (help_),                                             \
        .offset = CONFIG_MEMBER(settings, member, const char *)                                    \
    }

#define CONFIG_ADDRESS(settings, member, name_, default_, help_)                                   \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_ADDRESS, .default_text = (default_), .help = (help_), \
        .offset = CONFIG_MEMBER(settings, member, struct config_address)                           \
    }

#define CONFIG_CHOICE(settings, member, name_, default_, choices_, help_)                          \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_CHOICE, .choices = (choices_),                        \
        .default_text = (default_), .help = (help_),                                               \
        .offset = CONFIG_MEMBER(settings, member, int)                                             \
    }

#define CONFIG_BOOL(settings, member, name_, default_, help_)                                      \
    {                                                                                              \
        .name = (name_), .type = CONFIG_TYPE_BOOL, .default_text = (default_), .help = (help_),    \
        .offset = CONFIG_MEMBER(settings, member, bool)                                            \
    }

/* What is wrong; grows while settings are read, printed all at once. */
struct config_problems;

/* Adds a problem of one setting from a check below: "must be below ORDERS_X_MS (500 ms)". The
 * library adds the name and where the value came from; never put a secret in it. */
void config_problems_add(struct config_problems *problems, const char *setting_name,
                         const char *format, ...) PRINTF_LIKE(3, 4);

struct config_program {
    const char *name;    /* "stampede-orders" */
    const char *version; /* what --version prints after the name */
    const char *summary; /* one sentence for --help */
    const char *prefix;  /* "ORDERS_": unknown names that begin so refuse to start */
    const struct config_setting *settings;
    size_t settings_count;
    /* Adds problems where settings that are each valid cannot go together. Called only when every
     * value could be read. May be NULL. */
    void (*check)(const void *settings, struct config_problems *problems);
};

/* Where settings come from and where text goes; config_source_of_process() is the usual one. */
struct config_source {
    int argc;
    char *const *argv;
    char *const *environment;  /* NULL-terminated NAME=value strings, read once */
    const char *env_file_path; /* a file that need not exist; NULL for none */
    FILE *out;                 /* --help, --print-config, --version */
    FILE *err;                 /* problems */
};

/* This process's environment, ".env" in the current folder, stdout and stderr. */
struct config_source config_source_of_process(int argc, char *const *argv);

enum config_verdict {
    CONFIG_RUN,     /* the settings are filled in: go on */
    CONFIG_DONE,    /* something was printed as asked: exit with CONFIG_EXIT_DONE */
    CONFIG_REFUSED, /* the problems were printed: exit with CONFIG_EXIT_REFUSED */
};

#define CONFIG_EXIT_DONE    0
#define CONFIG_EXIT_REFUSED 2

/* A setting as people may see it. */
struct config_value {
    const char *name;
    const char *text;   /* secrets masked; "" when not set */
    const char *origin; /* "default", "environment", "line 3 of .env" */
    bool is_default;
};

struct config;

/*
 * Reads everything and says what to do next. On CONFIG_RUN settings (the program's struct) is
 * filled and *ret_config owns every string that it points to: config_destroy frees it after their
 * last use. Else what had to be said has been printed, *ret_config is left alone and what is in
 * settings is of no use. Any argument but --help, --print-config and --version is refused. Out of
 * memory is reported as a problem too.
 */
enum config_verdict config_load(const struct config_program *program,
                                const struct config_source *source, void *settings,
                                struct config **ret_config) MUST_CHECK;

/* Takes NULL. */
void config_destroy(struct config *config);

/* The values in force, in the table's order, for the log at start; they live as long as config. */
const struct config_value *config_values(const struct config *config, size_t *ret_count);

#endif
