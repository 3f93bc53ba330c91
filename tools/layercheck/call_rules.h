/* Functions that nobody calls, each with what to call instead. */
#ifndef LAYERCHECK_CALL_RULES_H
#define LAYERCHECK_CALL_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

void call_rules_check(const struct source *source, struct findings *findings);

#endif
