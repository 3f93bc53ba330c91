#include "metrics/metrics.h"

#include "base/list.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE_BYTES 64

/* Threads are dealt out over so many copies of a counter, so that cores rarely write to the same
 * cache line. A power of two, as many as cores that a small machine has. */
#define SHARDS 8

/* The longest double: %.17g of a denormal. */
#define DOUBLE_BYTES_MAX 32

enum metric_type { TYPE_COUNTER, TYPE_GAUGE, TYPE_HISTOGRAM };

static const char *const type_names[] = {"counter", "gauge", "histogram"};

struct cell {
    alignas(CACHE_LINE_BYTES) atomic_uint_fast64_t value;
};

struct metrics_counter {
    struct cell cells[SHARDS];
};

struct metrics_gauge {
    alignas(CACHE_LINE_BYTES) atomic_int_fast64_t value;
};

struct histogram_shard {
    alignas(CACHE_LINE_BYTES) atomic_uint_fast64_t sum_bits; /* of a double */
    atomic_uint_fast64_t buckets[METRICS_BOUNDS_MAX + 1];    /* the last one is +Inf */
};

struct metrics_histogram {
    size_t bounds_count;
    double bounds[METRICS_BOUNDS_MAX];
    struct histogram_shard shards[SHARDS];
};

/* All series of one name. */
struct family {
    struct list_link link; /* on metrics.families */
    enum metric_type type;
    char *name, *help;
    struct list series;
};

struct series {
    struct list_link link; /* on family.series */
    char *labels;          /* as in the text, without braces: a="b",c="d" */
    metrics_read_fn read;  /* a callback's, else NULL and one of the three is set */
    void *data;
    struct metrics_counter *counter;
    struct metrics_gauge *gauge;
    struct metrics_histogram *histogram;
};

struct metrics {
    pthread_mutex_t mutex; /* guards the lists; values are atomics */
    struct list families;
    size_t series_count;
    atomic_bool is_incomplete;
    /* What a registration returns that could not be listed. */
    struct metrics_counter spare_counter;
    struct metrics_gauge spare_gauge;
    struct metrics_histogram spare_histogram;
};

/* What a registration asks for. */
struct request {
    enum metric_type type;
    const char *name, *help;
    const struct metrics_label *labels;
    const struct metrics_bounds *bounds;
    metrics_read_fn read;
    void *data;
};

static const double seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static const double sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

const struct metrics_bounds metrics_bounds_seconds = {COUNT_OF(seconds), seconds};
const struct metrics_bounds metrics_bounds_sizes = {COUNT_OF(sizes), sizes};

/* Life */

/* Zeroed memory for a type that is aligned to cache lines. */
static void *allocate(size_t size)
{
    void *memory = aligned_alloc(CACHE_LINE_BYTES, size);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

struct metrics *metrics_create(void)
{
    struct metrics *metrics = allocate(sizeof(*metrics));
    if (metrics != NULL) {
        CHECK(pthread_mutex_init(&metrics->mutex, NULL) == 0);
        list_init(&metrics->families);
    }
    return metrics;
}

static void series_destroy(struct series *series)
{
    if (series != NULL) {
        free(series->labels);
        free(series->counter);
        free(series->gauge);
        free(series->histogram);
        free(series);
    }
}

static void family_destroy(struct family *family)
{
    if (family != NULL) {
        LIST_FOREACH_SAFE (&family->series, link, next) {
            series_destroy(LIST_OBJECT(link, struct series, link));
        }
        free(family->name);
        free(family->help);
        free(family);
    }
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics != NULL) {
        LIST_FOREACH_SAFE (&metrics->families, link, next) {
            family_destroy(LIST_OBJECT(link, struct family, link));
        }
        pthread_mutex_destroy(&metrics->mutex);
        free(metrics);
    }
}

bool metrics_is_complete(const struct metrics *metrics)
{
    return !atomic_load_explicit(&metrics->is_incomplete, memory_order_relaxed);
}

/* Checks of what the programmer wrote */

static bool is_identifier(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return *name != '\0' && (*name < '0' || *name > '9') && name[strspn(name, allowed)] == '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

static void check_labels(const struct metrics_label *labels)
{
    size_t count = 0;
    for (const struct metrics_label *label = labels; label != NULL && label->name != NULL;
         label++) {
        CHECK(is_identifier(label->name) && strncmp(label->name, "__", 2) != 0);
        CHECK(strcmp(label->name, "le") != 0);
        CHECK(text_is_utf8(label->value, strlen(label->value)));
        for (const struct metrics_label *before = labels; before < label; before++) {
            CHECK(strcmp(before->name, label->name) != 0);
        }
        CHECK(++count <= METRICS_LABELS_MAX);
    }
}

static void check_bounds(const struct metrics_bounds *bounds)
{
    CHECK(bounds->count >= 1 && bounds->count <= METRICS_BOUNDS_MAX);
    for (size_t i = 0; i < bounds->count; i++) {
        CHECK(isfinite(bounds->values[i]));
        CHECK_IMPLIES(i > 0, bounds->values[i - 1] < bounds->values[i]);
    }
}

static void check_request(const struct request *request)
{
    CHECK(is_identifier(request->name));
    CHECK(ends_with(request->name, "_total") == (request->type == TYPE_COUNTER));
    CHECK(text_is_utf8(request->help, strlen(request->help)));
    check_labels(request->labels);
    if (request->type == TYPE_HISTOGRAM) {
        check_bounds(request->bounds);
    }
}

/* Registering */

/* text with \ and newline, and the quote of a label's value, escaped. */
static void write_escaped(FILE *out, const char *text, bool is_value)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
        } else if (*text == '\\' || (is_value && *text == '"')) {
            fprintf(out, "\\%c", *text);
        } else {
            fputc(*text, out);
        }
    }
}

static char *render_labels(const struct metrics_label *labels)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; labels != NULL && labels[i].name != NULL; i++) {
        fprintf(out, "%s%s=\"", i > 0 ? "," : "", labels[i].name);
        write_escaped(out, labels[i].value, true);
        fputc('"', out);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static struct family *family_create(const struct request *request)
{
    struct family *family = calloc(1, sizeof(*family));
    if (family == NULL) {
        return NULL;
    }
    list_init(&family->series);
    family->type = request->type;
    family->name = strdup(request->name);
    family->help = strdup(request->help);
    if (family->name == NULL || family->help == NULL) {
        family_destroy(family);
        return NULL;
    }
    return family;
}

/* The family of that name, made if it is new. */
static struct family *family_locked(struct metrics *metrics, const struct request *request)
{
    LIST_FOREACH_SAFE (&metrics->families, link, next) {
        struct family *family = LIST_OBJECT(link, struct family, link);
        if (strcmp(family->name, request->name) == 0) {
            CHECK(family->type == request->type && strcmp(family->help, request->help) == 0);
            return family;
        }
    }
    struct family *family = family_create(request);
    if (family != NULL) {
        list_push_back(&metrics->families, &family->link);
    }
    return family;
}

/* The memory behind a series that has no callback. */
static bool allocate_value(struct series *series, const struct request *request)
{
    switch (request->type) {
    case TYPE_COUNTER:
        series->counter = allocate(sizeof(*series->counter));
        return series->counter != NULL;
    case TYPE_GAUGE:
        series->gauge = allocate(sizeof(*series->gauge));
        return series->gauge != NULL;
    case TYPE_HISTOGRAM:
        series->histogram = allocate(sizeof(*series->histogram));
        if (series->histogram != NULL) {
            series->histogram->bounds_count = request->bounds->count;
            memcpy(series->histogram->bounds, request->bounds->values,
                   request->bounds->count * sizeof(double));
        }
        return series->histogram != NULL;
    }
    UNREACHABLE("every type is handled above");
}

static struct series *series_create(const struct request *request)
{
    struct series *series = calloc(1, sizeof(*series));
    if (series == NULL) {
        return NULL;
    }
    series->read = request->read;
    series->data = request->data;
    series->labels = render_labels(request->labels);
    if (series->labels == NULL || (series->read == NULL && !allocate_value(series, request))) {
        series_destroy(series);
        return NULL;
    }
    return series;
}

static bool list_series_locked(struct metrics *metrics, const struct request *request,
                               struct series *series)
{
    if (metrics->series_count == METRICS_SERIES_MAX) {
        return false;
    }
    struct family *family = family_locked(metrics, request);
    if (family == NULL) {
        return false;
    }
    LIST_FOREACH_SAFE (&family->series, link, next) {
        CHECK(strcmp(LIST_OBJECT(link, struct series, link)->labels, series->labels) != 0);
    }
    list_push_back(&family->series, &series->link);
    metrics->series_count++;
    return true;
}

/* The new series, or NULL when it could not be listed. */
static const struct series *add_series(struct metrics *metrics, const struct request *request)
{
    check_request(request);
    struct series *series = series_create(request);
    bool is_listed = false;
    if (series != NULL) {
        pthread_mutex_lock(&metrics->mutex);
        is_listed = list_series_locked(metrics, request, series);
        pthread_mutex_unlock(&metrics->mutex);
    }
    if (!is_listed) {
        atomic_store_explicit(&metrics->is_incomplete, true, memory_order_relaxed);
        series_destroy(series);
        return NULL;
    }
    return series;
}

struct metrics_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                                        const struct metrics_label *labels)
{
    struct request request = {.type = TYPE_COUNTER, .name = name, .help = help, .labels = labels};
    const struct series *series = add_series(metrics, &request);
    return series == NULL ? &metrics->spare_counter : series->counter;
}

struct metrics_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                                    const struct metrics_label *labels)
{
    struct request request = {.type = TYPE_GAUGE, .name = name, .help = help, .labels = labels};
    const struct series *series = add_series(metrics, &request);
    return series == NULL ? &metrics->spare_gauge : series->gauge;
}

struct metrics_histogram *metrics_histogram(struct metrics *metrics, const char *name,
                                            const char *help, const struct metrics_label *labels,
                                            const struct metrics_bounds *bounds)
{
    struct request request = {
        .type = TYPE_HISTOGRAM, .name = name, .help = help, .labels = labels, .bounds = bounds};
    const struct series *series = add_series(metrics, &request);
    return series == NULL ? &metrics->spare_histogram : series->histogram;
}

void metrics_counter_callback(struct metrics *metrics, const char *name, const char *help,
                              const struct metrics_label *labels, metrics_read_fn read, void *data)
{
    struct request request = {.type = TYPE_COUNTER,
                              .name = name,
                              .help = help,
                              .labels = labels,
                              .read = read,
                              .data = data};
    CHECK(read != NULL);
    add_series(metrics, &request);
}

void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help,
                            const struct metrics_label *labels, metrics_read_fn read, void *data)
{
    struct request request = {.type = TYPE_GAUGE,
                              .name = name,
                              .help = help,
                              .labels = labels,
                              .read = read,
                              .data = data};
    CHECK(read != NULL);
    add_series(metrics, &request);
}

/* Hot paths */

/* This thread's shard, dealt out at its first update. */
static unsigned shard_index(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned index_plus_one;
    if (index_plus_one == 0) {
        index_plus_one = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SHARDS + 1;
    }
    return index_plus_one - 1;
}

void metrics_counter_add(struct metrics_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->cells[shard_index()].value, amount, memory_order_relaxed);
}

void metrics_gauge_set(struct metrics_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void metrics_gauge_add(struct metrics_gauge *gauge, int64_t amount)
{
    atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Repeats only if another thread of the same shard came in between. */
static void add_double(atomic_uint_fast64_t *sum_bits, double amount)
{
    uint_fast64_t before = atomic_load_explicit(sum_bits, memory_order_relaxed);
    uint_fast64_t after;
    do {
        after = bits_of(double_of(before) + amount);
    } while (!atomic_compare_exchange_weak_explicit(sum_bits, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void metrics_histogram_observe(struct metrics_histogram *histogram, double value)
{
    if (isnan(value)) {
        return; /* it belongs to no bucket and would make the sum useless for good */
    }
    struct histogram_shard *shard = &histogram->shards[shard_index()];
    size_t bucket = 0;
    while (bucket < histogram->bounds_count && value > histogram->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&shard->buckets[bucket], 1, memory_order_relaxed);
    add_double(&shard->sum_bits, value);
}

uint64_t metrics_counter_value(const struct metrics_counter *counter)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        sum += atomic_load_explicit(&counter->cells[i].value, memory_order_relaxed);
    }
    return sum;
}

int64_t metrics_gauge_value(const struct metrics_gauge *gauge)
{
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

static uint64_t bucket_value(const struct metrics_histogram *histogram, size_t bucket)
{
    uint64_t count = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        count += atomic_load_explicit(&histogram->shards[i].buckets[bucket], memory_order_relaxed);
    }
    return count;
}

void metrics_histogram_read(const struct metrics_histogram *histogram,
                            struct metrics_histogram_reading *ret)
{
    ret->bounds_count = histogram->bounds_count;
    ret->bounds = histogram->bounds;
    ret->count = 0;
    ret->sum = 0;
    for (size_t bucket = 0; bucket < histogram->bounds_count; bucket++) {
        ret->count += bucket_value(histogram, bucket);
        ret->up_to[bucket] = ret->count;
    }
    ret->count += bucket_value(histogram, histogram->bounds_count);
    for (size_t i = 0; i < SHARDS; i++) {
        ret->sum +=
            double_of(atomic_load_explicit(&histogram->shards[i].sum_bits, memory_order_relaxed));
    }
}

/* Rendering */

/* The shortest text that reads back as the same double. */
static void format_double(double value, char ret_text[DOUBLE_BYTES_MAX])
{
    if (isnan(value) || isinf(value)) {
        const char *text = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
        snprintf(ret_text, DOUBLE_BYTES_MAX, "%s", text);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(ret_text, DOUBLE_BYTES_MAX, "%.*g", digits, value);
        if (bits_of(strtod(ret_text, NULL)) == bits_of(value)) {
            return;
        }
    }
}

/* A sample's name and labels; le is a histogram's own label or NULL. */
static void write_sample_name(FILE *out, const struct family *family, const char *suffix,
                              const struct series *series, const char *le)
{
    bool has_labels = series->labels[0] != '\0';
    fprintf(out, "%s%s", family->name, suffix);
    if (has_labels || le != NULL) {
        fprintf(out, "{%s%s", series->labels, has_labels && le != NULL ? "," : "");
        if (le != NULL) {
            fprintf(out, "le=\"%s\"", le);
        }
        fputc('}', out);
    }
    fputc(' ', out);
}

static void write_bucket(FILE *out, const struct family *family, const struct series *series,
                         double bound, uint64_t count)
{
    char text[DOUBLE_BYTES_MAX];
    format_double(bound, text);
    write_sample_name(out, family, "_bucket", series, text);
    fprintf(out, "%" PRIu64 "\n", count);
}

static void write_histogram(FILE *out, const struct family *family, const struct series *series)
{
    struct metrics_histogram_reading reading;
    char text[DOUBLE_BYTES_MAX];
    metrics_histogram_read(series->histogram, &reading);
    for (size_t i = 0; i < reading.bounds_count; i++) {
        write_bucket(out, family, series, reading.bounds[i], reading.up_to[i]);
    }
    write_bucket(out, family, series, HUGE_VAL, reading.count);
    format_double(reading.sum, text);
    write_sample_name(out, family, "_sum", series, NULL);
    fprintf(out, "%s\n", text);
    write_sample_name(out, family, "_count", series, NULL);
    fprintf(out, "%" PRIu64 "\n", reading.count);
}

static void write_series(FILE *out, const struct family *family, const struct series *series)
{
    char text[DOUBLE_BYTES_MAX];
    if (series->histogram != NULL) {
        write_histogram(out, family, series);
        return;
    }
    write_sample_name(out, family, "", series, NULL);
    if (series->counter != NULL) {
        fprintf(out, "%" PRIu64 "\n", metrics_counter_value(series->counter));
    } else if (series->gauge != NULL) {
        fprintf(out, "%" PRId64 "\n", metrics_gauge_value(series->gauge));
    } else {
        format_double(series->read(series->data), text);
        fprintf(out, "%s\n", text);
    }
}

static void write_family(FILE *out, const struct family *family)
{
    fprintf(out, "# HELP %s ", family->name);
    write_escaped(out, family->help, false);
    fprintf(out, "\n# TYPE %s %s\n", family->name, type_names[family->type]);
    LIST_FOREACH_SAFE (&family->series, link, next) {
        write_series(out, family, LIST_OBJECT(link, struct series, link));
    }
}

int metrics_render(struct metrics *metrics, char **ret_text, size_t *ret_length)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&metrics->mutex);
    LIST_FOREACH_SAFE (&metrics->families, link, next) {
        write_family(out, LIST_OBJECT(link, struct family, link));
    }
    pthread_mutex_unlock(&metrics->mutex);
    bool is_whole = ferror(out) == 0;
    is_whole &= fclose(out) == 0;
    if (!is_whole || length > METRICS_TEXT_BYTES_MAX) {
        free(text);
        return is_whole ? -EFBIG : -ENOMEM;
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}
