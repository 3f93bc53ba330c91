/*
 * A header's guard is its path, without the folder at the top that no #include names:
 * libs/base/check.h has BASE_CHECK_H. In tests, whose headers are included by shorter paths too,
 * any end of the path will do. File names that say nothing are refused here as well.
 */
#ifndef LAYERCHECK_GUARD_RULES_H
#define LAYERCHECK_GUARD_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

void guard_rules_check(const struct source *source, struct findings *findings);

#endif
