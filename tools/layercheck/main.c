/*
 * layercheck <root> [<compile_commands.json>]
 *
 * Checks the C files below libs, services, tools and tests against what STYLE.md asks and no
 * compiler sees: who includes what, guards, banned calls, lengths, leftovers, and, given the
 * compile commands, files in no target. Prints a line for each finding; exit status 1 if there are
 * any, 2 if the checks could not be made.
 */
#include "layercheck/call_rules.h"
#include "layercheck/findings.h"
#include "layercheck/function_rules.h"
#include "layercheck/guard_rules.h"
#include "layercheck/include_rules.h"
#include "layercheck/source.h"
#include "layercheck/target_rules.h"
#include "layercheck/text_rules.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const folders[] = {"libs", "services", "tools", "tests"};

struct run {
    char root[PATH_MAX];
    bool has_targets;
    struct target_rules targets;
    struct findings findings;
    size_t files;
};

static int check_file(struct run *run, const char *path)
{
    struct source *source = NULL;
    int rc = source_load(run->root, path, &source);

    if (rc < 0) {
        fprintf(stderr, "layercheck: %s: %s\n", path, strerror(-rc));
        return rc;
    }
    text_rules_check(source, &run->findings);
    guard_rules_check(source, &run->findings);
    call_rules_check(source, &run->findings);
    function_rules_check(source, &run->findings);
    include_rules_check(source, &run->findings);
    if (run->has_targets) {
        target_rules_check(&run->targets, run->root, source, &run->findings);
    }
    run->files++;
    source_destroy(source);
    return 0;
}

static int compare_entries(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_c_file(const FTSENT *entry)
{
    const char *dot = strrchr(entry->fts_name, '.');

    return entry->fts_info == FTS_F && dot != NULL &&
           (strcmp(dot, ".c") == 0 || strcmp(dot, ".h") == 0);
}

static int check_folder(struct run *run, const char *folder)
{
    char top[PATH_MAX];
    char *paths[] = {top, NULL};
    FTSENT *entry;
    FTS *fts;
    int rc = 0;

    if (snprintf(top, sizeof(top), "%s/%s", run->root, folder) >= (int)sizeof(top)) {
        return -ENAMETOOLONG;
    }
    fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, compare_entries);
    if (fts == NULL) {
        return -errno;
    }
    while (rc == 0 && (entry = fts_read(fts)) != NULL) {
        if (is_c_file(entry)) {
            rc = check_file(run, entry->fts_path + strlen(run->root) + 1);
        }
    }
    fts_close(fts);
    return rc;
}

static int load_targets(struct run *run, const char *path)
{
    struct source *json = NULL;
    char full[PATH_MAX];
    int rc;

    if (realpath(path, full) == NULL) {
        return -errno;
    }
    rc = source_load("", full, &json);
    if (rc == 0) {
        rc = target_rules_init(&run->targets, json->text);
        run->has_targets = rc == 0;
    }
    source_destroy(json);
    return rc;
}

static int check_all(struct run *run)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
        rc = check_folder(run, folders[i]);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct run run = {.findings = {.stream = stdout}};
    int rc = 0;

    if (argc < 2 || argc > 3 || realpath(argv[1], run.root) == NULL) {
        fprintf(stderr, "usage: layercheck <root> [<compile_commands.json>]\n");
        return 2;
    }
    if (argc == 3) {
        rc = load_targets(&run, argv[2]);
    }
    if (rc == 0) {
        rc = check_all(&run);
    }
    if (run.has_targets) {
        target_rules_fini(&run.targets);
    }
    if (rc < 0) {
        fprintf(stderr, "layercheck: %s\n", strerror(-rc));
        return 2;
    }
    printf("layercheck: %zu files, %zu findings\n", run.files, run.findings.count);
    return run.findings.count > 0 ? 1 : 0;
}
