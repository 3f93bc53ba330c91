/*
 * A function's body has at most 70 lines. It is found by its braces in the first column, where
 * clang-format puts those of functions and of nothing else.
 */
#ifndef LAYERCHECK_FUNCTION_RULES_H
#define LAYERCHECK_FUNCTION_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

#define FUNCTION_RULES_LINES_MAX 70 /* between the braces */

void function_rules_check(const struct source *source, struct findings *findings);

#endif
