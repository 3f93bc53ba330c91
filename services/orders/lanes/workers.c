#include "orders/lanes/workers.h"

#include "base/arena.h"
#include "base/clock.h"
#include "orders/logic/sweep_sale.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Scratch of one task: rows, requests and parameters of a full batch take about 300 KiB. */
#define ARENA_BLOCK_BYTES ((size_t)256 * 1024)
#define ARENA_BYTES_MAX   ((size_t)8 * 1024 * 1024)

/* A worker without a connection looks up this often whether it should stop. It is also how long one
 * attempt to connect may take, so it must cover a distant or busy server. */
#define CONNECT_SLICE_NS CLOCK_NS_PER_SECOND

/* A lost connection that is back within this time was never gone, as far as others can tell: what
 * waits goes on waiting. */
#define RECONNECT_QUICK_NS (500 * CLOCK_NS_PER_MS)

enum worker_state {
    WORKER_CONNECTING,
    WORKER_IDLE,
    WORKER_ACTIVE,
};

struct worker {
    struct workers *workers;
    size_t index;
    enum lane_duty duty;
    struct store store; /* with this worker as its waiter */
    bool is_joined;
    pthread_t thread;
    _Atomic enum worker_state state;
    atomic_int_fast64_t turned_ns; /* when it last began something */
    struct arena arena;
    struct lane_task task;
};

struct workers {
    struct workers_config config;
    size_t started;
    struct worker all[];
};

static int64_t now_ns(const struct worker *worker)
{
    const struct system_port *system = worker->workers->config.system;
    return system->monotonic_ns(system->data);
}

/* Tries to connect until it works (true) or the lanes stop (false). */
static bool connect_or_stop(struct worker *worker)
{
    const struct store *store = &worker->store;
    while (!store->wait_connected(store->data, now_ns(worker) + CONNECT_SLICE_NS)) {
        if (lanes_is_stopping(worker->workers->config.lanes)) {
            return false;
        }
    }
    return true;
}

/* Says to the lanes, and to whoever watches, whether this worker takes part. */
static void set_joined(struct worker *worker, bool is_joined)
{
    const struct workers_config *config = &worker->workers->config;
    if (worker->is_joined == is_joined) {
        return;
    }
    worker->is_joined = is_joined;
    if (is_joined) {
        lanes_work_joined(config->lanes, worker->duty);
    } else {
        lanes_work_left(config->lanes, worker->duty);
    }
    config->observer.on_connection(config->observer.data, worker->index, is_joined);
}

static void note_turn(struct worker *worker, enum worker_state state)
{
    atomic_store(&worker->turned_ns, now_ns(worker));
    atomic_store(&worker->state, state);
}

/*
 * A task needs the connection again, to find out what became of its COMMIT, and may ask for
 * seconds. The worker takes no part meanwhile, once that takes longer than a quick reconnection:
 * nobody is to wait for it, nor to be told that there is a database.
 */
static bool wait_in_task(void *data, int64_t deadline_ns)
{
    struct worker *worker = data;
    const struct store *store = &worker->store;
    int64_t now = now_ns(worker);

    if (store->wait_connected(store->data, now)) {
        return true;
    }
    atomic_store(&worker->state, WORKER_CONNECTING);
    bool is_back =
        store->wait_connected(store->data, clock_earlier(deadline_ns, now + RECONNECT_QUICK_NS));
    if (!is_back && now_ns(worker) < deadline_ns) {
        set_joined(worker, false);
        is_back = store->wait_connected(store->data, deadline_ns);
    }
    if (is_back) {
        set_joined(worker, true);
        note_turn(worker, WORKER_ACTIVE);
    }
    return is_back;
}

static struct batch_means means_of(const struct worker *worker)
{
    const struct workers_config *config = &worker->workers->config;
    return (struct batch_means){
        .store = &worker->store,
        .system = config->system,
        .transaction_ns_max = config->transaction_ns_max,
        .decision_ns_max = config->decision_ns_max,
    };
}

static void work_on_orders(struct worker *worker)
{
    const struct workers_config *config = &worker->workers->config;
    struct place_orders_item *items[LANES_BATCH_MAX];
    struct lane_task *task = &worker->task;
    const struct batch_means means = means_of(worker);
    int64_t begun_ns = now_ns(worker);

    for (size_t i = 0; i < task->count; i++) {
        items[i] = &task->orders[i]->item;
    }
    place_orders_run(&means, &task->sale_id, items, task->count, &worker->arena);
    config->observer.on_batch(config->observer.data, task, now_ns(worker) - begun_ns);
    lanes_work_finish_turn(config->lanes, task);
}

static void work_on_changes(struct worker *worker)
{
    const struct workers_config *config = &worker->workers->config;
    struct settle_orders_item *items[LANES_BATCH_MAX];
    struct lane_task *task = &worker->task;
    const struct batch_means means = means_of(worker);
    int64_t begun_ns = now_ns(worker);

    for (size_t i = 0; i < task->count; i++) {
        items[i] = &task->changes[i]->item;
    }
    settle_orders_run(&means, &task->sale_id, items, task->count, &worker->arena);
    config->observer.on_settled(config->observer.data, task, now_ns(worker) - begun_ns);
    lanes_work_finish_turn(config->lanes, task);
}

/* A sweep that could not be done is found again by the next discovery. */
static void work_on_sweep(struct worker *worker)
{
    const struct workers_config *config = &worker->workers->config;
    struct lane_task *task = &worker->task;
    struct sweep_sale use_case = {
        .store = &worker->store,
        .deadline_ns = now_ns(worker) + config->transaction_ns_max,
    };
    size_t expired = 0;
    int32_t matured = 0;

    enum store_result result = sweep_sale_run(&use_case, &task->sale_id, task->mature_up_to,
                                              &worker->arena, &expired, &matured);
    if (result == STORE_OK) {
        config->observer.on_swept(config->observer.data, expired, matured);
        if (expired >= SETTLEMENT_EXPIRED_MAX) {
            lanes_want_sweep(config->lanes, &task->sale_id, 0); /* there may be more of them */
        }
    }
    lanes_work_finish_turn(config->lanes, task);
}

static enum store_result look_up(struct worker *worker)
{
    const struct store *store = &worker->store;
    struct lane_task *task = &worker->task;
    int64_t deadline_ns = now_ns(worker) + worker->workers->config.transaction_ns_max;
    return store->known_sales(store->data, task->sale_ids, task->sale_count, deadline_ns,
                              &worker->arena, task->sale_known);
}

static void work_on_lobby(struct worker *worker)
{
    const struct workers_config *config = &worker->workers->config;
    struct lane_task *task = &worker->task;

    enum store_result result = look_up(worker);
    if (result == STORE_UNAVAILABLE) {
        result = look_up(worker); /* on a new connection, where one can be had quickly */
    }
    if (result == STORE_OK) {
        lanes_work_finish_lobby(config->lanes, task);
    } else {
        lanes_work_fail_lobby(config->lanes, task, VERDICT_DATABASE_UNAVAILABLE);
    }
}

static void run_job(struct worker *worker)
{
    struct lane_job *job = worker->task.job;
    if (worker->task.is_late) {
        job->refuse(job, VERDICT_OVERLOADED);
    } else {
        job->run(job, &worker->store, &worker->arena);
    }
}

static void work_on_task(struct worker *worker)
{
    struct lanes *lanes = worker->workers->config.lanes;

    switch (worker->task.kind) {
    case LANE_TASK_ORDERS:
        work_on_orders(worker);
        return;
    case LANE_TASK_CHANGES:
        work_on_changes(worker);
        return;
    case LANE_TASK_SWEEP:
        work_on_sweep(worker);
        return;
    case LANE_TASK_LOBBY:
        work_on_lobby(worker);
        return;
    case LANE_TASK_ACT:
        run_job(worker);
        lanes_work_finish_turn(lanes, &worker->task);
        return;
    case LANE_TASK_JOB:
        run_job(worker);
        lanes_work_finish_job(lanes, &worker->task);
        return;
    case LANE_TASK_IDLE:
    case LANE_TASK_STOP:
        break;
    }
    UNREACHABLE("these two are no work");
}

/* Works while there is a connection; true when it was lost, false when the lanes stop. */
static bool work_until_lost(struct worker *worker)
{
    const struct workers_observer *observer = &worker->workers->config.observer;
    const struct store *store = &worker->store;
    set_joined(worker, true);
    do {
        note_turn(worker, WORKER_IDLE);
        lanes_work_take(worker->workers->config.lanes, worker->duty, &worker->task);
        if (worker->task.kind == LANE_TASK_STOP) {
            return false;
        }
        if (worker->task.kind == LANE_TASK_IDLE) {
            continue; /* a connection that was lost meanwhile ends the loop */
        }
        note_turn(worker, WORKER_ACTIVE);
        observer->on_taken(observer->data, &worker->task);
        arena_reset(&worker->arena);
        work_on_task(worker);
    } while (store->is_connected(store->data));
    return true;
}

/* Works until the connection is lost for longer than a quick reconnection takes (true) or the lanes
 * stop (false). */
static bool work_until_gone(struct worker *worker)
{
    const struct store *store = &worker->store;
    do {
        if (!work_until_lost(worker)) {
            return false;
        }
        atomic_store(&worker->state, WORKER_CONNECTING);
    } while (store->wait_connected(store->data, now_ns(worker) + RECONNECT_QUICK_NS));
    return true;
}

static void *worker_main(void *data)
{
    struct worker *worker = data;
    bool goes_on = true;

    while (goes_on && connect_or_stop(worker)) {
        goes_on = work_until_gone(worker);
        atomic_store(&worker->state, WORKER_CONNECTING);
        set_joined(worker, false);
    }
    return NULL;
}

static enum lane_duty duty_of(size_t index, size_t count)
{
    if (count == 1) {
        return LANE_DUTY_BOTH;
    }
    return index == 0 ? LANE_DUTY_READS : LANE_DUTY_ORDERS;
}

static int start_worker(struct workers *workers, size_t index)
{
    char name[16]; /* the kernel's bound, NUL included */
    struct worker *worker = &workers->all[index];

    worker->workers = workers;
    worker->index = index;
    worker->duty = duty_of(index, workers->config.count);
    worker->store = workers->config.stores[index];
    worker->store.waiter = (struct store_waiter){.wait = wait_in_task, .data = worker};
    atomic_init(&worker->state, WORKER_CONNECTING);
    atomic_init(&worker->turned_ns, now_ns(worker));
    arena_init(&worker->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    int error = pthread_create(&worker->thread, NULL, worker_main, worker);
    if (error != 0) {
        arena_fini(&worker->arena);
        return -error;
    }
    snprintf(name, sizeof(name), "worker-%zu", index % 10000);
    pthread_setname_np(worker->thread, name);
    return 0;
}

int workers_start(const struct workers_config *config, struct workers **ret)
{
    CHECK(config->count >= 1);
    struct workers *workers = calloc(1, sizeof(*workers) + config->count * sizeof(struct worker));
    if (workers == NULL) {
        return -ENOMEM;
    }
    workers->config = *config;
    for (size_t i = 0; i < config->count; i++) {
        int result = start_worker(workers, i);
        if (result < 0) {
            lanes_stop(config->lanes);
            workers_join(workers);
            return result;
        }
        workers->started++;
    }
    *ret = workers;
    return 0;
}

void workers_join(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    for (size_t i = 0; i < workers->started; i++) {
        pthread_join(workers->all[i].thread, NULL);
        arena_fini(&workers->all[i].arena);
    }
    free(workers);
}

static int64_t turn_ns(const struct worker *worker)
{
    int64_t turned_ns = atomic_load(&worker->turned_ns);
    int64_t now = now_ns(worker);
    return now > turned_ns ? now - turned_ns : 0;
}

struct workers_stats workers_stats(const struct workers *workers)
{
    struct workers_stats stats = {.size = workers->started};
    for (size_t i = 0; i < workers->started; i++) {
        enum worker_state state = atomic_load(&workers->all[i].state);
        int64_t turn = state == WORKER_CONNECTING ? 0 : turn_ns(&workers->all[i]);
        stats.longest_turn_ns = turn > stats.longest_turn_ns ? turn : stats.longest_turn_ns;
        switch (state) {
        case WORKER_CONNECTING:
            stats.connecting++;
            break;
        case WORKER_IDLE:
            stats.idle++;
            break;
        case WORKER_ACTIVE:
            stats.active++;
            break;
        }
    }
    return stats;
}
