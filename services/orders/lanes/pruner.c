#include "orders/lanes/pruner.h"

static void run_slice(struct lane_job *job, const struct store *store, struct arena *arena);
static void refuse_slice(struct lane_job *job, enum verdict verdict);

void pruner_init(struct pruner *pruner, const struct pruner_config *config)
{
    *pruner = (struct pruner){.config = *config, ._next_ns = INT64_MIN};
    atomic_init(&pruner->_is_pruning, false);
}

static void submit_slice(struct pruner *pruner)
{
    const struct system_port *system = pruner->config.system;
    pruner->_job = (struct lane_job){
        .deadline_ns = system->monotonic_ns(system->data) + pruner->config.transaction_ns_max,
        .run = run_slice,
        .refuse = refuse_slice,
    };
    lanes_submit_job(pruner->config.lanes, &pruner->_job);
}

static void run_slice(struct lane_job *job, const struct store *store, struct arena *arena)
{
    struct pruner *pruner = LIST_OBJECT(job, struct pruner, _job);
    size_t count = 0;
    bool more = false;

    enum store_result result = store->prune_events(store->data, pruner->config.age_us,
                                                   job->deadline_ns, arena, &count, &more);
    if (result == STORE_OK) {
        pruner->config.on_pruned(pruner->config.data, count);
    }
    if (result == STORE_OK && more) {
        submit_slice(pruner);
    } else {
        atomic_store(&pruner->_is_pruning, false);
    }
}

static void refuse_slice(struct lane_job *job, enum verdict verdict)
{
    (void)verdict;
    atomic_store(&LIST_OBJECT(job, struct pruner, _job)->_is_pruning, false);
}

int64_t pruner_tick(void *data, int64_t now_ns)
{
    struct pruner *pruner = data;
    if (pruner->_next_ns <= now_ns) {
        pruner->_next_ns = now_ns + pruner->config.interval_ns;
        if (!atomic_exchange(&pruner->_is_pruning, true)) {
            submit_slice(pruner);
        }
    }
    return pruner->_next_ns;
}
