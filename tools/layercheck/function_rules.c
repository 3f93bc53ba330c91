#include "layercheck/function_rules.h"

void function_rules_check(const struct source *source, struct findings *findings)
{
    struct source_line line = {0};
    size_t opened_at = 0;

    while (source_next_line(source, &line)) {
        char first = source->code[line.begin];
        size_t body;

        if (first == '{') {
            opened_at = line.number;
        }
        if (first != '}' || opened_at == 0) {
            continue;
        }
        body = line.number - opened_at - 1;
        if (body > FUNCTION_RULES_LINES_MAX) {
            findings_add(findings, source->path, opened_at, "a function of %zu lines, at most %d",
                         body, FUNCTION_RULES_LINES_MAX);
        }
        opened_at = 0;
    }
}
