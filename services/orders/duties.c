#include "duties.h"

#include "announcer.h"
#include "base/clock.h"
#include "janitor.h"
#include "limits.h"
#include "orders/adapters/system/system_posix.h"
#include "orders/board/board.h"
#include "orders/lanes/sweeper.h"
#include "settings.h"

static int make_sweeper(struct duties *duties, struct lanes *lanes)
{
    const struct sweeper_config config = {
        .lanes = lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_SWEEP_INTERVAL_MS * CLOCK_NS_PER_MS,
        .lease_ns = (CONTRACT_BOARD_LEASE_MS + LIMITS_LEASE_MARGIN_MS) * CLOCK_NS_PER_MS,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
    };
    return sweeper_create(&config, &duties->_sweeper);
}

int duties_init(struct duties *duties, struct lanes *lanes, const struct duties_config *config)
{
    const struct pruner_config pruner = {
        .lanes = lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_PRUNE_INTERVAL_MS * CLOCK_NS_PER_MS,
        .age_us = config->settings->events_max_age_s * INT64_C(1000000),
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
        .data = config->data,
        .on_pruned = config->on_pruned,
    };
    const struct session_watch_config sessions = {
        .lanes = lanes,
        .system = &system_posix,
        .interval_ns = LIMITS_SESSIONS_INTERVAL_MS * CLOCK_NS_PER_MS,
        .transaction_ns_max = LIMITS_TRANSACTION_MS * CLOCK_NS_PER_MS,
    };
    *duties = (struct duties){0};
    int error = make_sweeper(duties, lanes);
    if (error < 0) {
        return error;
    }
    pruner_init(&duties->_pruner, &pruner);
    session_watch_init(&duties->session_watch, &sessions);
    duties->_is_made = true;
    return 0;
}

void duties_fini(struct duties *duties)
{
    if (duties->_is_made) {
        duties_stop(duties);
        session_watch_fini(&duties->session_watch);
        sweeper_destroy(duties->_sweeper);
        *duties = (struct duties){0};
    }
}

int duties_start(struct duties *duties, struct board *board, struct announcer *announcer)
{
    const struct janitor_duty all[] = {
        {.tick = sweeper_tick, .data = duties->_sweeper},
        {.tick = pruner_tick, .data = &duties->_pruner},
        {.tick = session_watch_tick, .data = &duties->session_watch},
        {.tick = board_tick, .data = board},
        {.tick = announcer_tick, .data = announcer},
    };
    announcer_begin(announcer);
    return janitor_start(all, COUNT_OF(all), &duties->_janitor);
}

void duties_stop(struct duties *duties)
{
    janitor_stop(duties->_janitor);
    duties->_janitor = NULL;
}

void duties_hurry(struct duties *duties)
{
    sweeper_hurry(duties->_sweeper);
    janitor_wake(duties->_janitor);
}

int64_t duties_turn_ns(const struct duties *duties)
{
    return janitor_turn_ns(duties->_janitor);
}
