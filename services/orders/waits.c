#include "waits.h"

#include "base/clock.h"
#include "log/log.h"
#include "metrics/metrics.h"

/* A pool that is too small makes every wait long; one line a second of each kind is enough. */
#define LOG_EVERY_MS 1000

static const double per_ns = 1.0 / (double)CLOCK_NS_PER_SECOND;

/* What waits, in the words of operators. */
static const char *const work_names[WAITS_KINDS] = {
    [LANE_TASK_ORDERS] = "orders", [LANE_TASK_CHANGES] = "changes", [LANE_TASK_ACT] = "act",
    [LANE_TASK_SWEEP] = "sweep",   [LANE_TASK_JOB] = "read",        [LANE_TASK_LOBBY] = "lookup",
};

void waits_init(struct waits *waits, struct metrics *metrics, int64_t slow_ms)
{
    *waits = (struct waits){._slow_ns = slow_ms * CLOCK_NS_PER_MS};
    for (size_t kind = 0; kind < WAITS_KINDS; kind++) {
        waits->_seconds[kind] = metrics_histogram(
            metrics, "stampede_pool_wait_seconds",
            "How long work waited for a connection, from when one could have taken it.",
            METRICS_LABELS({"work", work_names[kind]}), &metrics_bounds_seconds);
    }
    waits->_load_seconds =
        metrics_histogram(metrics, "stampede_sale_load_seconds",
                          "The first round trip of a transaction on a sale: the wait for the "
                          "sale's lock, what is read under it, and the network.",
                          NULL, &metrics_bounds_seconds);
}

static void log_slow_wait(const struct lane_task *task)
{
    static struct log_limit limits[WAITS_KINDS] = {
        LOG_LIMIT_EVERY_MS(LOG_EVERY_MS), LOG_LIMIT_EVERY_MS(LOG_EVERY_MS),
        LOG_LIMIT_EVERY_MS(LOG_EVERY_MS), LOG_LIMIT_EVERY_MS(LOG_EVERY_MS),
        LOG_LIMIT_EVERY_MS(LOG_EVERY_MS), LOG_LIMIT_EVERY_MS(LOG_EVERY_MS),
    };
    char sale_id[UUID_TEXT_CHARS + 1];
    bool has_sale = task->kind != LANE_TASK_JOB && task->kind != LANE_TASK_LOBBY;

    if (has_sale) {
        uuid_format(&task->sale_id, sale_id);
    }
    log_event_limited(&limits[task->kind], LOG_WARN, "slow_wait",
                      LOG_STR("work", work_names[task->kind]), LOG_STR("for", "connection"),
                      LOG_INT("waited_ms", task->waited_ns / CLOCK_NS_PER_MS),
                      LOG_STR("sale_id", has_sale ? sale_id : NULL));
}

void waits_on_taken(struct waits *waits, const struct lane_task *task)
{
    CHECK(task->kind < WAITS_KINDS && task->waited_ns >= 0);
    metrics_histogram_observe(waits->_seconds[task->kind], (double)task->waited_ns * per_ns);
    if (task->waited_ns > waits->_slow_ns) {
        log_slow_wait(task);
    }
}

void waits_on_loaded(struct waits *waits, const struct uuid *sale_id, int64_t duration_ns,
                     bool loaded)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOG_EVERY_MS);
    char text[UUID_TEXT_CHARS + 1];

    metrics_histogram_observe(waits->_load_seconds, (double)duration_ns * per_ns);
    if (duration_ns > waits->_slow_ns) {
        uuid_format(sale_id, text);
        log_event_limited(&limit, LOG_WARN, "slow_lock", LOG_STR("sale_id", text),
                          LOG_INT("load_ms", duration_ns / CLOCK_NS_PER_MS),
                          LOG_BOOL("loaded", loaded));
    }
}

void waits_read(const struct waits *waits, struct metrics_histogram_reading *ret)
{
    struct metrics_histogram_reading of_kind;
    metrics_histogram_read(waits->_seconds[0], ret);
    for (size_t kind = 1; kind < WAITS_KINDS; kind++) {
        metrics_histogram_read(waits->_seconds[kind], &of_kind);
        CHECK(of_kind.bounds_count == ret->bounds_count);
        for (size_t i = 0; i < ret->bounds_count; i++) {
            ret->up_to[i] += of_kind.up_to[i];
        }
        ret->count += of_kind.count;
        ret->sum += of_kind.sum;
    }
}
