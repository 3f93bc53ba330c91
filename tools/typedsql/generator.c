#include "typedsql/generator.h"

#include "base/arena.h"
#include "typedsql/binding.h"
#include "typedsql/header_writer.h"
#include "typedsql/source_writer.h"
#include "typedsql/text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef void (*writer)(FILE *out, const struct binding *binding, const char *folder);

static int write_one(struct arena *arena, struct report *report, const struct generator_job *job,
                     const struct binding *binding, const char *ending, writer write)
{
    char *text = NULL;
    size_t length = 0;
    const char *path = arena_printf(arena, "%s/%s%s", job->out_folder, binding->file->name, ending);
    FILE *out = open_memstream(&text, &length);
    if (path == NULL || out == NULL) {
        if (out != NULL) {
            fclose(out);
        }
        free(text);
        return -ENOMEM;
    }
    write(out, binding, job->folder);
    int status = fclose(out) != 0 ? -ENOMEM : text_file_write(path, text, length);
    free(text);
    if (status < 0) {
        report_file(report, path, "%s", strerror(-status));
    }
    return status;
}

/* The cache entry, if it is that of the query as it stands. */
static int read_entry(struct arena *arena, struct report *report, const struct generator_job *job,
                      const struct query_file *file, struct description *ret)
{
    const char *text;
    size_t length;
    int status = text_file_read(arena, job->json_path, &text, &length);
    if (status == -ENOENT) {
        report_at(report, &file->source, file->name_at,
                  "the query was never prepared: run ./dev sql prepare and commit %s",
                  job->json_path);
        return -EINVAL;
    }
    if (status < 0) {
        report_file(report, job->json_path, "%s", strerror(-status));
        return status;
    }
    status = description_from_json(arena, report, job->json_path, text, length, ret);
    if (status == 0 &&
        (strcmp(ret->hash, file->hash) != 0 || strcmp(ret->query, file->name) != 0)) {
        report_at(report, &file->source, file->name_at,
                  "the query has changed since it was prepared: run ./dev sql prepare and commit "
                  "%s",
                  job->json_path);
        status = -EINVAL;
    }
    return status;
}

int generator_run(struct arena *arena, struct report *report, const struct generator_job *job)
{
    struct query_file *file = arena_alloc(arena, sizeof(*file));
    struct description *description = arena_alloc(arena, sizeof(*description));
    struct binding *binding = arena_alloc(arena, sizeof(*binding));
    int status;
    if (file == NULL || description == NULL || binding == NULL) {
        return -ENOMEM;
    }
    if ((status = query_file_read(arena, report, job->sql_path, file)) < 0 ||
        (status = read_entry(arena, report, job, file, description)) < 0 ||
        (status = binding_make(arena, report, file, description, binding)) < 0) {
        return status;
    }
    status = write_one(arena, report, job, binding, ".h", header_writer_write);
    if (status == 0) {
        status = write_one(arena, report, job, binding, ".c", source_writer_write);
    }
    return status;
}
