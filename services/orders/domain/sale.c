#include "orders/domain/sale.h"

#include "base/text.h"

#include <string.h>

enum sale_state sale_state_at(const struct sale *sale, int64_t now_us)
{
    if (now_us >= sale->end_us) {
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
           sale->version >= 1 && sale->orders_count >= 0;
}

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
    if (!text_fits(draft->title)) {
        violations_add(violations, "title", "must be 1 to 200 characters");
    }
    validate_price(&draft->unit_price, violations);
    validate_window(draft, violations);
    if (draft->stock_total < 1 || draft->stock_total > SALE_STOCK_MAX) {
        violations_add(violations, "stock_total", "must be 1 to 10000000");
    }
    if (draft->per_customer_limit < 0 || draft->per_customer_limit > SALE_PER_CUSTOMER_LIMIT_MAX) {
        violations_add(violations, "per_customer_limit", "must be 0 (no limit) to 1000000");
    }
    if (draft->hold_seconds < 0 || draft->hold_seconds > SALE_HOLD_SECONDS_MAX) {
        violations_add(violations, "hold_seconds", "must be 0 (confirmed at once) to 86400");
    }
}
