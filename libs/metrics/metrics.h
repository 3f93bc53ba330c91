/*
 * Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4).
 *
 * A series (a name and one constant set of labels) is registered at start and its pointer kept, so
 * that a hot path touches nothing but a preallocated atomic; counters and histograms are spread
 * over cache lines by thread. Values are read with relaxed order: a scrape sees each number as it
 * is or was a moment ago.
 *
 * Names, labels and bounds are the programmer's and are asserted. When memory runs out, or a
 * registry is full, registering returns a working series that is not listed, and
 * metrics_is_complete() is false from then on: register everything, then ask once.
 *
 * Registering, updating and rendering may happen on any thread; destroying only when nobody else
 * uses the registry or its series any more. The registry owns every series.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_SERIES_MAX     1024              /* of one registry */
#define METRICS_LABELS_MAX     4                 /* of one series */
#define METRICS_BOUNDS_MAX     32                /* of one histogram, without +Inf */
#define METRICS_TEXT_BYTES_MAX (8 * 1024 * 1024) /* of one rendering */

struct metrics;
struct metrics_counter;
struct metrics_gauge;
struct metrics_histogram;

struct metrics_label {
    const char *name, *value; /* copied; the value is any UTF-8 */
};

/* A label set: METRICS_LABELS({"outcome", "placed"}, {"sale", "x"}), or NULL for none. */
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})

/* Upper bounds of buckets, ascending; +Inf is added by the registry. */
struct metrics_bounds {
    size_t count;
    const double *values;
};

extern const struct metrics_bounds metrics_bounds_seconds; /* 0.0005 to 10, three a decade */
extern const struct metrics_bounds metrics_bounds_sizes;   /* 1, 2, 4 … 1024 */

/* Returns NULL when memory is exhausted. */
struct metrics *metrics_create(void) MUST_CHECK;

/* Frees every series too. Takes NULL. */
void metrics_destroy(struct metrics *metrics);

/* False once a registration was not listed; see above. */
bool metrics_is_complete(const struct metrics *metrics);

/*
 * Registers a series. Series of one name share help and type (asserted), differ in their labels
 * (asserted), and are rendered together. A counter's name ends in _total.
 */
struct metrics_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                                        const struct metrics_label *labels);
struct metrics_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                                    const struct metrics_label *labels);
struct metrics_histogram *metrics_histogram(struct metrics *metrics, const char *name,
                                            const char *help, const struct metrics_label *labels,
                                            const struct metrics_bounds *bounds);

/* Read at each scrape, on the scraping thread; must not block long nor register. */
typedef double (*metrics_read_fn)(void *data);

/* A series whose value somebody else keeps. A counter's may never fall. */
void metrics_counter_callback(struct metrics *metrics, const char *name, const char *help,
                              const struct metrics_label *labels, metrics_read_fn read, void *data);
void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help,
                            const struct metrics_label *labels, metrics_read_fn read, void *data);

/* Hot paths: lock-free, any thread. */
void metrics_counter_add(struct metrics_counter *counter, uint64_t amount);
void metrics_gauge_set(struct metrics_gauge *gauge, int64_t value);
void metrics_gauge_add(struct metrics_gauge *gauge, int64_t amount);
void metrics_histogram_observe(struct metrics_histogram *histogram, double value);

/* The sum over all threads, for tests and accounts. */
uint64_t metrics_counter_value(const struct metrics_counter *counter);
int64_t metrics_gauge_value(const struct metrics_gauge *gauge);

/* What a histogram holds, as it is rendered. */
struct metrics_histogram_reading {
    size_t bounds_count;
    const double *bounds;               /* ascending; lives as long as the histogram */
    uint64_t up_to[METRICS_BOUNDS_MAX]; /* how many values were no larger than each bound */
    uint64_t count;                     /* of all values: what was read never contradicts it */
    double sum;
};

/* For whoever tells the same figures elsewhere. Any thread. */
void metrics_histogram_read(const struct metrics_histogram *histogram,
                            struct metrics_histogram_reading *ret);

/*
 * Writes everything registered as text, families in the order they were registered. *ret_text is
 * the caller's to free() and NUL-terminated. Errors: -ENOMEM, -EFBIG past METRICS_TEXT_BYTES_MAX.
 */
int metrics_render(struct metrics *metrics, char **ret_text, size_t *ret_length) MUST_CHECK;

#endif
