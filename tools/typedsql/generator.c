#include "typedsql/generator.h"

#include "base/arena.h"
#include "typedsql/binding.h"
#include "typedsql/header_writer.h"
#include "typedsql/list_writer.h"
#include "typedsql/source_writer.h"
#include "typedsql/text_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One file in the making, in memory until it is complete. */
struct output {
    struct report *report;
    const char *path;
    FILE *out;
    char *text;
    size_t length;
};

/* 0, and output->out is to be written to; -ENOMEM. */
static int output_open(struct output *output, struct arena *arena, struct report *report,
                       const char *folder, const char *name, const char *ending)
{
    *output = (struct output){.report = report};
    output->path = arena_printf(arena, "%s/%s%s", folder, name, ending);
    if (output->path == NULL) {
        return -ENOMEM;
    }
    output->out = open_memstream(&output->text, &output->length);
    return output->out != NULL ? 0 : -ENOMEM;
}

static int output_close(struct output *output)
{
    int status = fclose(output->out) != 0
                     ? -ENOMEM
                     : text_file_write(output->path, output->text, output->length);
    free(output->text);
    if (status < 0) {
        report_file(output->report, output->path, "%s", strerror(-status));
    }
    return status;
}

static int write_both(struct arena *arena, struct report *report, const struct generator_job *job,
                      const struct binding *binding)
{
    struct output output;
    const char *name = binding->file->name;
    int status = output_open(&output, arena, report, job->out_folder, name, ".h");
    if (status == 0) {
        header_writer_write(output.out, binding, job->folder);
        status = output_close(&output);
    }
    if (status == 0) {
        status = output_open(&output, arena, report, job->out_folder, name, ".c");
    }
    if (status == 0) {
        source_writer_write(output.out, binding, job->folder);
        status = output_close(&output);
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
    return write_both(arena, report, job, binding);
}

int generator_run_list(struct arena *arena, struct report *report,
                       const struct list_writer_job *job, const char *out_folder)
{
    struct output output;
    int status = output_open(&output, arena, report, out_folder, job->name, ".h");
    if (status == 0) {
        list_writer_write_header(output.out, job);
        status = output_close(&output);
    }
    if (status == 0) {
        status = output_open(&output, arena, report, out_folder, job->name, ".c");
    }
    if (status == 0) {
        list_writer_write_source(output.out, job);
        status = output_close(&output);
    }
    return status;
}
