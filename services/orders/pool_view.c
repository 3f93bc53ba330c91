#include "pool_view.h"

#include "base/clock.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "observe.h"
#include "orders/lanes/lanes.h"
#include "waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors while connected are told of one by one, but not a thousand at a time. */
#define LOG_EVERY_MS 1000

int pool_view_init(struct pool_view *view, struct lanes *lanes, const struct observe *observe,
                   struct waits *waits, size_t size, void (*on_change)(void *data), void *data)
{
    *view = (struct pool_view){
        ._lanes = lanes,
        ._observe = observe,
        ._waits = waits,
        ._size = size,
        ._on_change = on_change,
        ._data = data,
        ._stores = calloc(size, sizeof(*view->_stores)),
    };
    if (view->_stores == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < size; i++) {
        view->_stores[i].view = view;
    }
    pthread_mutex_init(&view->_shared.lock, NULL);
    view->_shared.down_since_ns = clock_monotonic_ns();
    return 0;
}

void pool_view_fini(struct pool_view *view)
{
    if (view->_stores == NULL) {
        return;
    }
    free(view->_stores);
    pthread_mutex_destroy(&view->_shared.lock);
    *view = (struct pool_view){0};
}

/* --- Reports of the stores ------------------------------------------------------------------- */

void *pool_view_store_data(struct pool_view *view, size_t index)
{
    CHECK(index < view->_size);
    return &view->_stores[index];
}

/* Whether nobody is connected and this kind of trouble was not told yet. */
static bool is_news(struct pool_view *view, const char *kind, bool *ret_waiting)
{
    pthread_mutex_lock(&view->_shared.lock);
    const char *told = view->_shared.waiting_kind;
    bool waiting = view->_shared.connected == 0;
    bool news = waiting && (told == NULL || strcmp(told, kind) != 0);
    if (waiting) {
        view->_shared.waiting_kind = kind;
    }
    pthread_mutex_unlock(&view->_shared.lock);
    *ret_waiting = waiting;
    return news;
}

void pool_view_on_error(void *data, const char *kind, const char *sqlstate, const char *message)
{
    static struct log_limit limit = LOG_LIMIT_EVERY_MS(LOG_EVERY_MS);
    const struct pool_view_store *store = data;
    bool waiting;

    observe_db_error(store->view->_observe, sqlstate);
    if (is_news(store->view, kind, &waiting)) {
        log_event(LOG_WARN, "database_waited_for", LOG_STR("kind", kind),
                  LOG_STR("sqlstate", sqlstate), LOG_STR("message", message));
    } else if (!waiting) {
        log_event_limited(&limit, LOG_WARN, "database_error", LOG_STR("kind", kind),
                          LOG_STR("sqlstate", sqlstate), LOG_STR("message", message));
    }
}

void pool_view_on_connected(void *data)
{
    struct pool_view_store *store = data;
    if (store->connected_before) {
        observe_db_reconnect(store->view->_observe);
    }
    store->connected_before = true;
}

void pool_view_on_loaded(void *data, const struct uuid *sale_id, int64_t duration_ns, bool loaded)
{
    const struct pool_view_store *store = data;
    waits_on_loaded(store->view->_waits, sale_id, duration_ns, loaded);
}

/* --- Reports of the workers ------------------------------------------------------------------ */

static void log_pool(const struct pool_view *view)
{
    struct lanes_stats stats = lanes_stats(view->_lanes);
    struct metrics_histogram_reading waits;
    waits_read(view->_waits, &waits);
    log_event(
        LOG_INFO, "pool", LOG_UINT("size", view->_size), LOG_UINT("active", stats.workers_busy),
        LOG_UINT("idle", view->_size - stats.workers_busy), LOG_UINT("connecting", 0),
        LOG_UINT("waiting", stats.lanes_ready + stats.jobs_waiting + (stats.lobby_waits ? 1 : 0)),
        LOG_UINT("waits", waits.count), LOG_UINT("wait_timeouts", stats.late));
}

void pool_view_on_connection(void *data, size_t worker, bool connected)
{
    struct pool_view *view = data;
    (void)worker;

    pthread_mutex_lock(&view->_shared.lock);
    bool serving = pool_view_is_serving(view); /* in here, so that reports cannot overtake */
    view->_shared.connected += connected ? 1 : (size_t)-1;
    size_t count = view->_shared.connected;
    CHECK(count <= view->_size);
    bool changed = serving != view->_shared.was_serving;
    view->_shared.was_serving = serving;
    if (changed && !serving) {
        view->_shared.down_since_ns = clock_monotonic_ns();
    }
    if (connected) {
        view->_shared.waiting_kind = NULL;
    }
    pthread_mutex_unlock(&view->_shared.lock);
    if (connected && count == view->_size) {
        log_pool(view);
    } else if (count == 0 && !lanes_is_stopping(view->_lanes)) {
        log_event(LOG_WARN, "database_lost");
    }
    if (changed) {
        view->_on_change(view->_data);
    }
}

/* --- Questions ------------------------------------------------------------------------------- */

bool pool_view_is_serving(struct pool_view *view)
{
    struct lanes_stats stats = lanes_stats(view->_lanes);
    return stats.orders_served && stats.reads_served;
}

bool pool_view_explain(struct pool_view *view, char *ret_reason, size_t reason_bytes)
{
    if (pool_view_is_serving(view)) {
        return true;
    }
    pthread_mutex_lock(&view->_shared.lock);
    int64_t down_ns = clock_monotonic_ns() - view->_shared.down_since_ns;
    const char *kind = view->_shared.waiting_kind;
    size_t connected = view->_shared.connected;
    pthread_mutex_unlock(&view->_shared.lock);
    snprintf(ret_reason, reason_bytes, "%zu of %zu connections for %" PRId64 " s%s%s", connected,
             view->_size, down_ns / CLOCK_NS_PER_SECOND, kind == NULL ? "" : ": ",
             kind == NULL ? "" : kind);
    return false;
}
