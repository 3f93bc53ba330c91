#include "orders/lanes/session_watch.h"

void session_watch_init(struct session_watch *watch, const struct session_watch_config *config)
{
    *watch = (struct session_watch){.config = *config, ._next_ns = INT64_MIN};
    atomic_init(&watch->_is_asking, false);
    pthread_mutex_init(&watch->_shared.lock, NULL);
    watch->_shared.read_ns = INT64_MIN;
}

void session_watch_fini(struct session_watch *watch)
{
    pthread_mutex_destroy(&watch->_shared.lock);
}

static int64_t now_of(const struct session_watch *watch)
{
    const struct system_port *system = watch->config.system;
    return system->monotonic_ns(system->data);
}

static void run_question(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct session_watch *watch = LIST_OBJECT(job, struct session_watch, _job);
    struct store_sessions sessions;

    (void)arena;
    if (store->read_sessions(store->data, job->deadline_ns, &sessions) == STORE_OK) {
        pthread_mutex_lock(&watch->_shared.lock);
        watch->_shared.sessions = sessions;
        watch->_shared.read_ns = now_of(watch);
        pthread_mutex_unlock(&watch->_shared.lock);
    }
    atomic_store(&watch->_is_asking, false);
}

static void refuse_question(struct lane_job *job, enum verdict verdict)
{
    (void)verdict;
    atomic_store(&LIST_OBJECT(job, struct session_watch, _job)->_is_asking, false);
}

int64_t session_watch_tick(void *data, int64_t now_ns)
{
    struct session_watch *watch = data;
    if (watch->_next_ns <= now_ns) {
        watch->_next_ns = now_ns + watch->config.interval_ns;
        if (!atomic_exchange(&watch->_is_asking, true)) {
            watch->_job = (struct lane_job){
                .deadline_ns = now_ns + watch->config.transaction_ns_max,
                .run = run_question,
                .refuse = refuse_question,
            };
            lanes_submit_urgent_job(watch->config.lanes, &watch->_job);
        }
    }
    return watch->_next_ns;
}

bool session_watch_read(struct session_watch *watch, struct store_sessions *ret,
                        int64_t *ret_age_ns)
{
    pthread_mutex_lock(&watch->_shared.lock);
    int64_t read_ns = watch->_shared.read_ns;
    *ret = watch->_shared.sessions;
    pthread_mutex_unlock(&watch->_shared.lock);
    if (read_ns == INT64_MIN) {
        return false;
    }
    *ret_age_ns = now_of(watch) - read_ns;
    return true;
}
