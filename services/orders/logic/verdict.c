#include "orders/logic/verdict.h"

#include "base/check.h"

static const struct {
    const char *name, *text;
} rows[VERDICT_COUNT] = {
#define VERDICT_ROW(name, text) [VERDICT_##name] = {#name, text},
    OUTCOME_TABLE(VERDICT_ROW) VERDICT_FAILURE_TABLE(VERDICT_ROW)
#undef VERDICT_ROW
};

_Static_assert((int)VERDICT_SALE_NOT_FOUND == (int)OUTCOME_SALE_NOT_FOUND,
               "verdicts begin with the outcomes");

const char *verdict_name(enum verdict verdict)
{
    CHECK(verdict < VERDICT_COUNT);
    return rows[verdict].name;
}

const char *verdict_text(enum verdict verdict)
{
    CHECK(verdict < VERDICT_COUNT);
    return rows[verdict].text;
}
