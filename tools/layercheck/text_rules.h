/* What holds for every line: its length, no tabs, no leftovers, a newline at the end. */
#ifndef LAYERCHECK_TEXT_RULES_H
#define LAYERCHECK_TEXT_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

#define TEXT_RULES_COLUMNS_MAX 100 /* characters, not bytes */

void text_rules_check(const struct source *source, struct findings *findings);

#endif
