#include "ops/ops_limits.h"

#include "base/text.h"
#include "metrics/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define METRIC_NAME_BYTES_MAX 128
#define HELP_BYTES_MAX        512

void ops_limits_init(struct ops_limits *limits)
{
    *limits = (struct ops_limits){0};
}

/* Whether a text can stand in JSON as it is. */
static bool is_bare(const char *text)
{
    return text_is_printable_ascii(text, strlen(text)) && strpbrk(text, "\"\\") == NULL;
}

void ops_limits_add(struct ops_limits *limits, const struct ops_limit *limit)
{
    CHECK(limits->count < OPS_LIMITS_MAX);
    CHECK(is_bare(limit->name) && is_bare(limit->unit) && is_bare(limit->setting));
    for (size_t i = 0; i < limits->count; i++) {
        CHECK(strcmp(limits->items[i].name, limit->name) != 0);
    }
    limits->items[limits->count++] = *limit;
}

void ops_limits_add_detail(struct ops_limits *limits, const char *name, ops_detail_fn write,
                           void *data)
{
    size_t index = 0;
    while (index < limits->count && strcmp(limits->items[index].name, name) != 0) {
        index++;
    }
    CHECK(index < limits->count && limits->details[index].write == NULL);
    limits->details[index].write = write;
    limits->details[index].data = data;
}

int64_t ops_limits_in_use(const struct ops_limit *limit)
{
    return limit->in_use == NULL ? 0 : limit->in_use(limit->data);
}

static double read_in_use(void *data)
{
    const struct ops_limit *limit = data;
    return (double)ops_limits_in_use(limit);
}

static void register_limit(const struct ops_limit *limit, struct metrics *metrics)
{
    char name[METRIC_NAME_BYTES_MAX], help[HELP_BYTES_MAX];
    int length = snprintf(name, sizeof(name), "stampede_%s", limit->name);
    CHECK(length > 0 && (size_t)length < sizeof(name));
    if (limit->in_use != NULL && !limit->has_own_gauge) {
        /* The callback only reads, through a type that has no const. */
        metrics_gauge_callback(metrics, name, limit->help, NULL, read_in_use,
                               (void *)(uintptr_t)limit);
    }
    length = snprintf(name, sizeof(name), "stampede_%s_limit", limit->name);
    CHECK(length > 0 && (size_t)length < sizeof(name));
    snprintf(help, sizeof(help), "The most that is allowed, in %s. %s", limit->unit, limit->help);
    metrics_gauge_set(metrics_gauge(metrics, name, help, NULL), limit->limit);
}

void ops_limits_register(const struct ops_limits *limits, struct metrics *metrics)
{
    for (size_t i = 0; i < limits->count; i++) {
        register_limit(&limits->items[i], metrics);
    }
}

static void write_row(const struct ops_limits *limits, size_t index, FILE *out)
{
    const struct ops_limit *limit = &limits->items[index];
    fprintf(out,
            "{\"name\":\"%s\",\"limit\":%" PRId64 ",\"inUse\":%" PRId64
            ",\"unit\":\"%s\",\"setting\":\"%s\"",
            limit->name, limit->limit, ops_limits_in_use(limit), limit->unit, limit->setting);
    if (limits->details[index].write != NULL) {
        fputs(",\"detail\":", out);
        limits->details[index].write(out, limits->details[index].data);
    }
    fputc('}', out);
}

void ops_limits_write(const struct ops_limits *limits, FILE *out)
{
    fputc('[', out);
    for (size_t i = 0; i < limits->count; i++) {
        fputs(i > 0 ? "," : "", out);
        write_row(limits, i, out);
    }
    fputs("]\n", out);
}
