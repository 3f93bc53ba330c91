#include "typedsql/schema_check.h"

#include "base/arena.h"
#include "typedsql/binding.h"
#include "typedsql/drift.h"
#include "typedsql/inference.h"
#include "typedsql/query_file.h"
#include "typedsql/server.h"
#include "typedsql/text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREPARE_ADVICE "./dev sql prepare writes it anew; commit it with the query"
#define CACHE_MODE     0755

struct run {
    struct server *server;
    struct arena *arena;
    struct report *report;
    bool writing;
    struct schema_check_account *account;
    size_t path_count;
    const char **paths; /* of the queries that were seen, for their names */
};

/* The query's file name without its folder. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void check_duplicate(struct run *run, const struct query_file *file)
{
    for (size_t i = 0; i < run->path_count; i++) {
        if (strcmp(base_name(run->paths[i]), base_name(file->source.path)) == 0) {
            report_at(run->report, &file->source, file->name_at, "there are two queries named %s",
                      file->name);
            report_note(run->report, "the other one is %s", run->paths[i]);
        }
    }
    run->paths[run->path_count++] = file->source.path;
}

static int write_entry(struct run *run, const struct folder *folder, const char *path,
                       const struct description *now)
{
    const char *text = description_to_json(run->arena, now);
    const char *before;
    size_t before_length;
    if (text == NULL) {
        return -ENOMEM;
    }
    if (text_file_read(run->arena, path, &before, &before_length) == 0 &&
        strcmp(before, text) == 0) {
        return 0;
    }
    if (mkdir(folder->cache, CACHE_MODE) < 0 && errno != EEXIST) {
        report_file(run->report, folder->cache, "%s", strerror(errno));
        return -errno;
    }
    int status = text_file_write(path, text, strlen(text));
    if (status < 0) {
        report_file(run->report, path, "%s", strerror(-status));
        return status;
    }
    run->account->written++;
    return 0;
}

static int compare_entry(struct run *run, const struct query_file *file, const char *path,
                         const struct description *now)
{
    const char *text;
    size_t length;
    struct description *was = arena_alloc(run->arena, sizeof(*was));
    if (was == NULL) {
        return -ENOMEM;
    }
    int status = text_file_read(run->arena, path, &text, &length);
    if (status == -ENOENT) {
        report_file(run->report, path, "missing: the query was never prepared");
        report_note(run->report, "it is %s; " PREPARE_ADVICE, file->source.path);
        return 0;
    }
    if (status < 0) {
        report_file(run->report, path, "%s", strerror(-status));
        return 0;
    }
    status = description_from_json(run->arena, run->report, path, text, length, was);
    if (status < 0) {
        return status == -EINVAL ? 0 : status;
    }
    const char *fresh = description_to_json(run->arena, now);
    if (fresh == NULL) {
        return -ENOMEM;
    }
    if (strcmp(text, fresh) == 0) {
        return 0;
    }
    bool is_stale = strcmp(was->hash, now->hash) != 0;
    report_file(run->report, path,
                is_stale ? "stale: the query's text has changed since"
                         : "different: schema and cache do not agree");
    if (drift_write(run->report->out, file, was, now) == 0 && !is_stale) {
        report_note(run->report, "the entry was edited by hand or written by another version");
    }
    report_note(run->report, "the query is %s; " PREPARE_ADVICE, file->source.path);
    return 0;
}

static int check_query(struct run *run, const struct folder *folder, size_t index)
{
    const char *sql_path = folder_sql_path(run->arena, folder, index);
    struct query_file *file = arena_alloc(run->arena, sizeof(*file));
    struct description *now = arena_alloc(run->arena, sizeof(*now));
    struct binding *binding = arena_alloc(run->arena, sizeof(*binding));
    if (sql_path == NULL || file == NULL || now == NULL || binding == NULL) {
        return -ENOMEM;
    }
    run->account->queries++;
    int status = query_file_read(run->arena, run->report, sql_path, file);
    if (status < 0) {
        return status;
    }
    check_duplicate(run, file);
    status = inference_describe(run->server, run->arena, run->report, file, now);
    if (status < 0) {
        return status;
    }
    const char *json_path = folder_json_path(run->arena, folder, file->name);
    if (json_path == NULL) {
        return -ENOMEM;
    }
    if (!run->writing) {
        status = compare_entry(run, file, json_path, now);
        if (status < 0) {
            return status;
        }
    }
    status = binding_make(run->arena, run->report, file, now, binding);
    if (status < 0 || !run->writing) {
        return status;
    }
    return write_entry(run, folder, json_path, now);
}

/* Whether the folder has the query of a cache entry. */
static bool has_query(const struct folder *folder, const char *json_name)
{
    size_t length = strlen(json_name) - strlen(".json");
    for (size_t i = 0; i < folder->sql_count; i++) {
        if (strlen(folder->sql_names[i]) == length + strlen(".sql") &&
            memcmp(folder->sql_names[i], json_name, length) == 0) {
            return true;
        }
    }
    return false;
}

static int check_orphans(struct run *run, const struct folder *folder)
{
    for (size_t i = 0; i < folder->json_count; i++) {
        if (has_query(folder, folder->json_names[i])) {
            continue;
        }
        const char *path = arena_printf(run->arena, "%s/%s", folder->cache, folder->json_names[i]);
        if (path == NULL) {
            return -ENOMEM;
        }
        if (!run->writing) {
            report_file(run->report, path, "unused: %s has no query of this name", folder->queries);
        } else if (unlink(path) < 0) {
            report_file(run->report, path, "%s", strerror(errno));
            return -errno;
        } else {
            run->account->deleted++;
        }
    }
    return 0;
}

static int check_folder(struct run *run, const struct folder *folder)
{
    for (size_t i = 0; i < folder->sql_count; i++) {
        int status = check_query(run, folder, i);
        if (status == -EIO || status == -ENOMEM) {
            return status;
        }
    }
    return check_orphans(run, folder);
}

int schema_check_run(struct server *server, struct arena *arena, struct report *report,
                     const struct folder *folders, size_t folder_count, bool writing,
                     struct schema_check_account *ret)
{
    struct run run = {
        .server = server, .arena = arena, .report = report, .writing = writing, .account = ret};
    size_t query_count = 0;
    size_t errors_before = report->error_count;
    for (size_t i = 0; i < folder_count; i++) {
        query_count += folders[i].sql_count;
    }
    *ret = (struct schema_check_account){0};
    run.paths = arena_calloc(arena, query_count, sizeof(*run.paths));
    int status = run.paths == NULL ? -ENOMEM : 0;
    for (size_t i = 0; status == 0 && i < folder_count; i++) {
        status = check_folder(&run, &folders[i]);
    }
    if (status == -ENOMEM) {
        report_file(report, "typedsql", "no memory is left");
    }
    return status < 0 || report->error_count == errors_before ? status : -EINVAL;
}
