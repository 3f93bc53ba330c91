/*
 * Histories for as long as one likes: in memory, on a PostgreSQL of its own, and with rivals, turn
 * about with fresh seeds, until time is up, one fails, or SIGINT or SIGTERM. The last line sums up;
 * the exit status is 0 unless something failed. Run by ./dev soak.
 */
#include "base/clock.h"
#include "campaign.h"
#include "memory_stage.h"
#include "postgres_stage.h"
#include "rivals.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTES_DEFAULT 10
#define MINUTES_MAX     (7 * 24 * 60)

/* One round of each. */
#define MEMORY_MS    3000
#define POSTGRES_MS  6000
#define RIVALS_STEPS 200

#define REPORT_EVERY_MS 60000

struct soak {
    uint64_t seed;
    int64_t begun_ns, deadline_ns, reported_ns;
    struct scratch_postgres server;
    struct memory_stage *memory;
    struct postgres_stage *postgres;
    uint64_t memory_histories, postgres_histories, matches, transactions;
};

static volatile sig_atomic_t is_told_to_end;

static void on_signal(int signal_number)
{
    (void)signal_number;
    is_told_to_end = 1;
}

static bool is_over(void)
{
    return is_told_to_end != 0;
}

/* --- A round ----------------------------------------------------------------------------------*/

/* One stage's share of a round; counts what it did. */
static bool run_campaign(struct soak *soak, const char *name, const struct history_shape *shape,
                         struct stage *stage, int64_t time_ms, uint64_t *histories)
{
    struct campaign campaign = {
        .name = name,
        .shape = *shape,
        .first_seed = soak->seed + *histories,
        .histories_max = SIZE_MAX,
        .deadline_ns = clock_earlier(soak->deadline_ns, clock_deadline_in_ms(time_ms)),
        .is_over = is_over,
        .shrink_runs_max = 20000,
        .report = stdout,
    };
    bool is_good = campaign_run(&campaign, stage);
    *histories += campaign.histories;
    soak->transactions += campaign.tally.transactions;
    return is_good;
}

/* Seeds decide how many rivals there are, and what goes wrong. */
static bool run_rivals(struct soak *soak)
{
    struct rivals rivals = {.seed = soak->seed + soak->matches, .steps = RIVALS_STEPS};

    rivals.count = 2 + (size_t)(rivals.seed % (RIVALS_MAX - 1));
    rivals.has_faults = rivals.seed / 3 % 2 == 0;
    rivals.loses_connections = rivals.seed / 6 % 3 == 0;
    bool is_good = rivals_run(&rivals, &soak->server);
    soak->matches++;
    soak->transactions += rivals.transactions;
    if (!is_good) {
        printf("%zu rivals of seed %" PRIu64 "%s%s: %s\nto run them again: ./dev soak --seed "
               "%" PRIu64 "; who comes first is not the seed's to say\n",
               rivals.count, rivals.seed, rivals.has_faults ? ", with faults" : "",
               rivals.loses_connections ? ", losing connections" : "", rivals.problem, rivals.seed);
    }
    return is_good;
}

static bool run_round(struct soak *soak)
{
    return run_campaign(soak, "in memory", &campaign_memory_shape, memory_stage_of(soak->memory),
                        MEMORY_MS, &soak->memory_histories) &&
           run_campaign(soak, "on PostgreSQL", &campaign_postgres_shape,
                        postgres_stage_of(soak->postgres), POSTGRES_MS,
                        &soak->postgres_histories) &&
           (is_over() || run_rivals(soak));
}

/* --- From beginning to end --------------------------------------------------------------------*/

static void report(const struct soak *soak, const char *end)
{
    printf("soak: seed=%" PRIu64 " seconds=%" PRId64 " histories_memory=%" PRIu64
           " histories_postgres=%" PRIu64 " matches=%" PRIu64 " transactions=%" PRIu64 " %s\n",
           soak->seed, (clock_monotonic_ns() - soak->begun_ns) / CLOCK_NS_PER_SECOND,
           soak->memory_histories, soak->postgres_histories, soak->matches, soak->transactions,
           end);
    fflush(stdout);
}

static bool run(struct soak *soak)
{
    bool is_good = true;
    while (is_good && !is_over() && clock_monotonic_ns() < soak->deadline_ns) {
        is_good = run_round(soak);
        if (clock_monotonic_ns() - soak->reported_ns > REPORT_EVERY_MS * CLOCK_NS_PER_MS) {
            soak->reported_ns = clock_monotonic_ns();
            report(soak, "so far");
        }
    }
    if (is_good && !postgres_stage_audit(&soak->server)) {
        printf("the audit finds violations\n");
        is_good = false;
    }
    return is_good;
}

static int usage(void)
{
    fprintf(stderr, "usage: history-soak [--minutes <1-%d>] [--seed <number>]\n", MINUTES_MAX);
    return 2;
}

static bool take_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < min ||
        number > max) {
        return false;
    }
    *ret = number;
    return true;
}

static bool take_arguments(int count, char **arguments, uint64_t *ret_minutes, uint64_t *ret_seed)
{
    for (int i = 1; i < count; i += 2) {
        bool is_minutes = strcmp(arguments[i], "--minutes") == 0;
        bool is_seed = strcmp(arguments[i], "--seed") == 0;
        if (i + 1 == count || (!is_minutes && !is_seed) ||
            !take_number(arguments[i + 1], is_minutes, is_minutes ? MINUTES_MAX : UINT64_MAX,
                         is_minutes ? ret_minutes : ret_seed)) {
            return false;
        }
    }
    return true;
}

int main(int count, char **arguments)
{
    uint64_t minutes = MINUTES_DEFAULT;
    struct soak soak = {.seed = (uint64_t)clock_wall_us(), .begun_ns = clock_monotonic_ns()};
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (!take_arguments(count, arguments, &minutes, &soak.seed)) {
        return usage();
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (scratch_postgres_start(&soak.server, true, false) < 0) {
        return 1;
    }
    soak.begun_ns = soak.reported_ns = clock_monotonic_ns();
    soak.deadline_ns = soak.begun_ns + (int64_t)minutes * 60 * CLOCK_NS_PER_SECOND;
    soak.memory = memory_stage_create();
    soak.postgres = postgres_stage_create(&soak.server);
    bool is_good = soak.postgres != NULL && run(&soak);
    postgres_stage_destroy(soak.postgres);
    memory_stage_destroy(soak.memory);
    scratch_postgres_stop(&soak.server);
    report(&soak, is_good ? (is_over() ? "ended early, ok" : "ok") : "FAILED");
    return is_good ? 0 : 1;
}
