#include "announcer.h"

#include "base/clock.h"
#include "drain.h"
#include "limits.h"
#include "pool_view.h"
#include "rpc/health.h"

/*
 * The services whose health is told. The whole server (the empty name) serves until it drains: what
 * balances calls looks at that, for without a database a refusal with its reason is still the best
 * answer. It begins when the database is there, so that a replica that is being restarted takes no
 * call from one that could answer it; or LIMITS_ANNOUNCE_MS after the start, for then nobody may
 * have a database. Who asks for a service by name hears whether its calls can do their work.
 */
static const struct {
    const char *name;
    enum { NEEDS_NOTHING, NEEDS_BEGINNING, NEEDS_DATABASE } needs;
} names[] = {
    {"", NEEDS_BEGINNING},
    {"stampede.ops.v1.OpsService", NEEDS_NOTHING},
    {"stampede.sales.v1.SaleService", NEEDS_DATABASE},
    {"stampede.orders.v1.OrderService", NEEDS_DATABASE},
};

int announcer_init(struct announcer *announcer, const struct drain *drain,
                   struct pool_view *pool_view)
{
    *announcer = (struct announcer){._drain = drain, ._pool_view = pool_view};
    int error = rpc_health_create(&announcer->health);
    for (size_t i = 0; error == 0 && i < COUNT_OF(names); i++) {
        error = rpc_health_set(announcer->health, names[i].name, names[i].needs == NEEDS_NOTHING);
    }
    if (error != 0) {
        rpc_health_destroy(announcer->health);
        *announcer = (struct announcer){0};
        return error;
    }
    pthread_mutex_init(&announcer->_lock, NULL);
    return 0;
}

void announcer_fini(struct announcer *announcer)
{
    if (announcer->health != NULL) {
        rpc_health_destroy(announcer->health);
        pthread_mutex_destroy(&announcer->_lock);
        *announcer = (struct announcer){0};
    }
}

void announcer_begin(struct announcer *announcer)
{
    announcer->_announce_ns = clock_deadline_in_ms(LIMITS_ANNOUNCE_MS);
}

void announcer_update(void *data)
{
    struct announcer *announcer = data;
    pthread_mutex_lock(&announcer->_lock);
    bool stays = !drain_has_begun(announcer->_drain);
    bool has_database = pool_view_is_serving(announcer->_pool_view);
    announcer->_announced =
        announcer->_announced || has_database || clock_monotonic_ns() >= announcer->_announce_ns;
    const bool is_met[] = {
        [NEEDS_NOTHING] = true,
        [NEEDS_BEGINNING] = announcer->_announced,
        [NEEDS_DATABASE] = has_database,
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        bool serves = stays && is_met[names[i].needs];
        /* Every name was set at the start, so there is nothing left to allocate. */
        CHECK(rpc_health_set(announcer->health, names[i].name, serves) == 0);
    }
    pthread_mutex_unlock(&announcer->_lock);
}

int64_t announcer_tick(void *data, int64_t now_ns)
{
    const struct announcer *announcer = data;
    if (now_ns < announcer->_announce_ns) {
        return announcer->_announce_ns;
    }
    announcer_update(data);
    return CLOCK_DEADLINE_NEVER;
}
