/*
 * Every file is in a target: a source is compiled (compile_commands.json says so), a header is
 * named by a CMakeLists.txt, which has it compiled alone. What is compiled only on demand, fuzz
 * drivers and benchmarks, is named there too.
 */
#ifndef LAYERCHECK_TARGET_RULES_H
#define LAYERCHECK_TARGET_RULES_H

#include "layercheck/findings.h"
#include "layercheck/source.h"

#include <stddef.h>

/* The files that are compiled, as real paths. */
struct target_rules {
    char **files; /* sorted */
    size_t count;
};

/* From the text of a compile_commands.json, NUL-terminated. 0 or -ENOMEM; end with fini. */
int target_rules_init(struct target_rules *rules, const char *json);

void target_rules_fini(struct target_rules *rules);

/* root is the real path of the checkout. */
void target_rules_check(const struct target_rules *rules, const char *root,
                        const struct source *source, struct findings *findings);

#endif
