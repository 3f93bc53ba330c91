#include "orders/domain/sale.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

enum sale_state sale_state_at(const struct sale *sale, int64_t now_us)
{
    if (sale->ended || now_us >= sale->end_us) {
        return SALE_ENDED;
    }
    if (now_us < sale->start_us) {
        return SALE_SCHEDULED;
    }
    if (sale->paused) {
        return SALE_PAUSED;
    }
    return sale->stock_remaining == 0 ? SALE_SOLD_OUT : SALE_LIVE;
}

bool sale_is_consistent(const struct sale *sale)
{
    return sale->stock_remaining >= 0 && sale->stock_returning >= 0 &&
           sale->stock_remaining <= sale->stock_total - sale->stock_returning &&
           sale->version >= 1 && sale->orders_count >= 0 &&
           sale->stock_returned >= sale->stock_returning && sale->sold_out_since >= 0 &&
           sale->sold_out_since <= sale->version &&
           (sale->sold_out_since > 0) == (sale->stock_remaining == 0);
}

/* --- Changing ------------------------------------------------------------------------------------
 */

/* Units that some order holds; the sale may be in the middle of a change. */
static int32_t units_out(const struct sale *sale)
{
    return sale->stock_total - sale->stock_remaining - sale->stock_returning;
}

static bool stock_is_sound(const struct sale *sale)
{
    return sale->stock_remaining >= 0 && sale->stock_returning >= 0 && units_out(sale) >= 0 &&
           sale->stock_returned >= sale->stock_returning;
}

bool sale_may_give_back(const struct sale *sale, int64_t units)
{
    return units >= 0 && units <= units_out(sale);
}

void sale_take(struct sale *sale, int32_t units)
{
    CHECK(units > 0 && units <= sale->stock_remaining);
    sale->stock_remaining -= units;
    CHECK(stock_is_sound(sale));
}

void sale_give_back(struct sale *sale, int32_t units)
{
    CHECK(units > 0 && sale_may_give_back(sale, units));
    if (sale->stock_remaining > 0) {
        sale->stock_remaining += units;
    } else {
        sale->stock_returning += units;
        sale->stock_returned += units;
    }
    CHECK(stock_is_sound(sale));
}

int32_t sale_mature(struct sale *sale, int64_t returned)
{
    CHECK(stock_is_sound(sale) && returned >= 0);
    int64_t since = sale->stock_returned - returned; /* came back after it was read */
    int64_t units = since < 0 ? sale->stock_returning : sale->stock_returning - since;
    if (units <= 0) {
        return 0;
    }
    sale->stock_returning -= (int32_t)units;
    sale->stock_remaining += (int32_t)units;
    CHECK(stock_is_sound(sale));
    return (int32_t)units;
}

void sale_seal(const struct sale *before, struct sale *after)
{
    CHECK(after->version == before->version && sale_is_consistent(before));
    after->version++;
    if (after->stock_remaining > 0) {
        after->sold_out_since = 0;
    } else if (before->sold_out_since == 0) {
        after->sold_out_since = after->version;
    }
    CHECK(sale_is_consistent(after));
}

/* --- Validation ----------------------------------------------------------------------------------
 */

static bool text_fits(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > SALE_TEXT_CHARS_MAX * 4) {
        return false;
    }
    return text_utf8_count(text, length) <= SALE_TEXT_CHARS_MAX;
}

static bool currency_is_valid(const char *code)
{
    for (size_t i = 0; i < 3; i++) {
        if (code[i] < 'A' || code[i] > 'Z') {
            return false;
        }
    }
    return code[3] == '\0';
}

static void validate_price(const struct money *price, struct violations *violations)
{
    if (!currency_is_valid(price->currency_code)) {
        violations_add(violations, "unit_price.currency_code",
                       "must be three upper-case letters (ISO 4217), e.g. EUR");
    }
    if (price->amount_minor < 0 || price->amount_minor > SALE_AMOUNT_MINOR_MAX) {
        violations_add(violations, "unit_price.amount_minor", "must be 0 to 9007199254740991");
    }
}

static void validate_title(const char *title, struct violations *violations)
{
    if (!text_fits(title)) {
        violations_add(violations, "title", "must be 1 to 200 characters");
    }
}

static void validate_limit(int32_t limit, struct violations *violations)
{
    if (limit < 0 || limit > SALE_PER_CUSTOMER_LIMIT_MAX) {
        violations_add(violations, "per_customer_limit", "must be 0 (no limit) to 1000000");
    }
}

static void validate_window(const struct sale_draft *draft, struct violations *violations)
{
    if (draft->has_start && (draft->start_us < 0 || draft->start_us > SALE_TIME_US_MAX)) {
        violations_add(violations, "start_time", "must lie between 1970 and 9999");
    }
    if (draft->end_us <= 0 || draft->end_us > SALE_TIME_US_MAX) {
        violations_add(violations, "end_time", "is required and must lie between 1970 and 9999");
    } else if (draft->has_start && draft->end_us <= draft->start_us) {
        violations_add(violations, "end_time", "must be after start_time");
    }
}

void sale_draft_validate(const struct sale_draft *draft, struct violations *violations)
{
    if (!text_fits(draft->sku)) {
        violations_add(violations, "sku", "must be 1 to 200 characters");
    }
    validate_title(draft->title, violations);
    validate_price(&draft->unit_price, violations);
    validate_window(draft, violations);
    if (draft->stock_total < 1 || draft->stock_total > SALE_STOCK_MAX) {
        violations_add(violations, "stock_total", "must be 1 to 10000000");
    }
    validate_limit(draft->per_customer_limit, violations);
    if (draft->hold_seconds < 0 || draft->hold_seconds > SALE_HOLD_SECONDS_MAX) {
        violations_add(violations, "hold_seconds", "must be 0 (confirmed at once) to 86400");
    }
}

void sale_update_validate(const struct sale_update *update, struct violations *violations)
{
    if (update->title != NULL) {
        validate_title(update->title, violations);
    }
    if (update->has_end && (update->end_us <= 0 || update->end_us > SALE_TIME_US_MAX)) {
        violations_add(violations, "end_time", "must lie between 1970 and 9999");
    }
    if (update->has_limit) {
        validate_limit(update->per_customer_limit, violations);
    }
}

void sale_update_validate_at(const struct sale *sale, int64_t now_us,
                             const struct sale_update *update, struct violations *violations)
{
    if (update->has_end && update->end_us != sale->end_us &&
        (update->end_us <= sale->start_us || update->end_us < now_us)) {
        violations_add(violations, "end_time", "must be after start_time and not in the past");
    }
}

void sale_restock_validate(int32_t quantity, struct violations *violations)
{
    if (quantity < 1 || quantity > SALE_STOCK_MAX) {
        violations_add(violations, "quantity", "must be 1 to 10000000");
    }
}

void sale_restock_validate_for(const struct sale *sale, int32_t quantity,
                               struct violations *violations)
{
    if (quantity > SALE_STOCK_MAX - sale->stock_total) {
        violations_add(violations, "quantity", "must leave stock_total at most 10000000");
    }
}
