#include "edge/board/board_entry.h"

#include "base/clock.h"
#include "edge/limits.h"

/* No sale that is refused for it opens later than this counts; keeps sums of times small. */
#define STARTS_IN_MS_MAX (INT64_C(3600) * 1000)

#define LEASE_NS  (CONTRACT_BOARD_LEASE_MS * CLOCK_NS_PER_MS)
#define MARGIN_NS (EDGE_BOARD_START_MARGIN_MS * CLOCK_NS_PER_MS)

bool board_entry_is_plausible(const struct board_news *news)
{
    return news->version >= 1 && news->sold_out_since >= 0 &&
           news->sold_out_since <= news->version && news->stock_remaining >= 0 &&
           news->stock_returning >= 0 && news->starts_in_ms >= 0 && news->age_ms >= 0;
}

/* When the database was read at the earliest. An age past the lease says no more than that. */
static int64_t read_ns_of(const struct board_news *news, int64_t asked_ns)
{
    int64_t age_ms =
        news->age_ms < CONTRACT_BOARD_LEASE_MS ? news->age_ms : CONTRACT_BOARD_LEASE_MS;
    return asked_ns - age_ms * CLOCK_NS_PER_MS;
}

static int64_t starts_at_ns_of(const struct board_news *news, int64_t read_ns)
{
    int64_t starts_in_ms =
        news->starts_in_ms < STARTS_IN_MS_MAX ? news->starts_in_ms : STARTS_IN_MS_MAX;
    return read_ns + starts_in_ms * CLOCK_NS_PER_MS;
}

/* A lower version neither replaces nor renews; of the same one the latest reading counts. */
void board_entry_take(struct board_entry *entry, const struct board_news *news, int64_t asked_ns)
{
    int64_t read_ns = read_ns_of(news, asked_ns);
    if (news->version < entry->version ||
        (news->version == entry->version && read_ns <= entry->read_ns)) {
        return;
    }
    *entry = (struct board_entry){
        .version = news->version,
        .sold_out_since = news->sold_out_since,
        .state = news->state,
        .has_stock = news->stock_remaining > 0 || news->stock_returning > 0,
        .read_ns = read_ns,
        .starts_at_ns = starts_at_ns_of(news, read_ns),
    };
}

static bool is_in_lease(const struct board_entry *entry, int64_t now_ns)
{
    return entry->version > 0 && now_ns < entry->read_ns + LEASE_NS;
}

bool board_entry_is_not_started(const struct board_entry *entry, int64_t now_ns)
{
    return is_in_lease(entry, now_ns) && entry->state == BOARD_STATE_SCHEDULED &&
           entry->starts_at_ns - now_ns > MARGIN_NS;
}

bool board_entry_is_sold_out(const struct board_entry *entry, int64_t now_ns)
{
    return is_in_lease(entry, now_ns) && entry->state == BOARD_STATE_SOLD_OUT && !entry->has_stock;
}
