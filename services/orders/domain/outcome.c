#include "orders/domain/outcome.h"

#include "base/check.h"

static const struct {
    const char *name, *text;
} rows[OUTCOME_COUNT] = {
#define OUTCOME_ROW(name, text) [OUTCOME_##name] = {#name, text},
    OUTCOME_TABLE(OUTCOME_ROW)
#undef OUTCOME_ROW
};

const char *outcome_name(enum outcome outcome)
{
    CHECK(outcome < OUTCOME_COUNT);
    return rows[outcome].name;
}

const char *outcome_text(enum outcome outcome)
{
    CHECK(outcome < OUTCOME_COUNT);
    return rows[outcome].text;
}
