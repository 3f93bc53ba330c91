/*
 * Who may include what: each folder names the folders and the libraries that it may use, and
 * everything else is refused. Arrows point one way: adapters -> logic -> ports -> domain -> base.
 * The build says the same by include folders; this says it where a target was given too much. Tests
 * and the tools that make code may include what they like.
 */
#ifndef LAYERCHECK_INCLUDE_RULES_H
#define LAYERCHECK_INCLUDE_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

void include_rules_check(const struct source *source, struct findings *findings);

#endif
