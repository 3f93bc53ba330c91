#include "config/config.h"

#include "base/arena.h"
#include "config/config_problems.h"
#include "config/env_file.h"
#include "config/setting_name.h"
#include "config/setting_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BLOCK_BYTES (16 * 1024)
#define ARENA_BYTES_MAX   (4 * 1024 * 1024)

struct config {
    struct arena arena;
    struct config_value *values; /* of values_count rows, in the table's order */
    size_t values_count;
    const char **ignored; /* names that look injected, ignored_count of them */
    size_t ignored_count;
};

/* One reading of everything. */
struct reading {
    const struct config_program *program;
    const struct config_source *source;
    struct config *config;
    struct env_file env_file;
    struct config_problems problems;
    void *settings;
    bool is_readable; /* every value could be parsed */
};

/* A text that was given for a setting. */
struct given {
    const char *text;
    const char *origin;
};

enum command { COMMAND_RUN, COMMAND_HELP, COMMAND_PRINT_CONFIG, COMMAND_VERSION, COMMAND_UNKNOWN };

struct config_source config_source_of_process(int argc, char *const *argv)
{
    return (struct config_source){.argc = argc,
                                  .argv = argv,
                                  .environment = environ,
                                  .env_file_path = ".env",
                                  .out = stdout,
                                  .err = stderr};
}

/* --help, --print-config and --version */

static void print_usage(const struct config_program *program, FILE *out)
{
    fprintf(out, "usage: %s [--help | --print-config | --version]\n", program->name);
}

static void print_setting_help(const struct config_setting *setting, FILE *out)
{
    const char *unit = setting_value_unit(setting);
    fprintf(out, "\n  %s\n      %s\n      type: %s; range: ", setting->name, setting->help,
            setting_value_type_name(setting));
    setting_value_write_range(setting, out);
    if (unit != NULL) {
        fprintf(out, "; unit: %s", unit);
    }
    if (setting->default_text != NULL) {
        fprintf(out, "; default: %s\n", setting->default_text);
    } else {
        fputs(setting->required ? "; must be set\n" : "; default: not set\n", out);
    }
}

static void print_help(const struct config_program *program, FILE *out)
{
    fprintf(out, "%s: %s\n\n", program->name, program->summary);
    print_usage(program, out);
    fprintf(out,
            "\nSettings are environment variables, or NAME=value lines of a .env file in the "
            "current\nfolder. The environment wins; an empty value counts as not set. "
            "Durations also take\nms, s, m and h, sizes KiB, MiB and GiB. Unknown names that "
            "begin with %s are refused.\n",
            program->prefix);
    for (size_t i = 0; i < program->settings_count; i++) {
        print_setting_help(&program->settings[i], out);
    }
}

/* Prints what is in force in a form that can be kept as a .env file. */
static void print_config(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->values_count; i++) {
        const struct config_value *value = &config->values[i];
        bool needs_quotes = strpbrk(value->text, " \t#'\"\\$`") != NULL;
        fprintf(out, "%s=", value->name);
        if (needs_quotes) {
            fputc('"', out);
            for (const char *at = value->text; *at != '\0'; at++) {
                fprintf(out, strchr("\"\\$", *at) != NULL ? "\\%c" : "%c", *at);
            }
            fputc('"', out);
        } else {
            fputs(value->text, out);
        }
        fprintf(out, "  # %s\n", value->origin);
    }
    for (size_t i = 0; i < config->ignored_count; i++) {
        fprintf(out, "# ignored, Kubernetes injects such names: %s\n", config->ignored[i]);
    }
}

static enum command command_of(const char *argument)
{
    static const struct {
        const char *text;
        enum command command;
    } commands[] = {{"--help", COMMAND_HELP},
                    {"--print-config", COMMAND_PRINT_CONFIG},
                    {"--version", COMMAND_VERSION}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (strcmp(argument, commands[i].text) == 0) {
            return commands[i].command;
        }
    }
    return COMMAND_UNKNOWN;
}

/* One argument at most; *ret_argument is the one that is not understood. */
static enum command parse_arguments(const struct config_source *source, const char **ret_argument)
{
    enum command command = source->argc > 1 ? command_of(source->argv[1]) : COMMAND_RUN;
    if (command == COMMAND_UNKNOWN) {
        *ret_argument = source->argv[1];
    } else if (source->argc > 2) {
        *ret_argument = source->argv[2];
        command = COMMAND_UNKNOWN;
    }
    return command;
}

/* Reading */

static const struct config_setting *setting_find(const struct config_program *program,
                                                 const char *name)
{
    for (size_t i = 0; i < program->settings_count; i++) {
        if (strcmp(program->settings[i].name, name) == 0) {
            return &program->settings[i];
        }
    }
    return NULL;
}

/* The value after "NAME=", or NULL if the variable has another name. */
static const char *variable_value(const char *variable, const char *name)
{
    size_t length = strlen(name);
    bool is_it = strncmp(variable, name, length) == 0 && variable[length] == '=';
    return is_it ? variable + length + 1 : NULL;
}

/* What was given for a setting and where; the default, or text NULL, if nothing was. */
static struct given find_given(struct reading *reading, const struct config_setting *setting)
{
    for (char *const *at = reading->source->environment; *at != NULL; at++) {
        const char *text = variable_value(*at, setting->name);
        if (text != NULL && *text != '\0') {
            return (struct given){.text = text, .origin = "environment"};
        }
    }
    for (size_t i = 0; i < reading->env_file.count; i++) {
        const struct env_file_entry *entry = &reading->env_file.entries[i];
        if (strcmp(entry->name, setting->name) == 0 && *entry->value != '\0') {
            const char *origin = arena_printf(&reading->config->arena, "line %u of %s", entry->line,
                                              reading->source->env_file_path);
            return (struct given){.text = entry->value, .origin = origin};
        }
    }
    bool has_default = setting->default_text != NULL;
    return (struct given){.text = setting->default_text,
                          .origin = has_default ? "default" : "not set"};
}

/* Says what is wrong with a value, and what is allowed. */
static void refuse_value(struct reading *reading, const struct config_setting *setting,
                         const struct given *given, const char *problem)
{
    char *allowed = NULL;
    size_t allowed_length;
    const char *unit = setting_value_unit(setting);
    const char *quoted = setting_value_quote(setting, given->text, &reading->config->arena);
    FILE *stream = open_memstream(&allowed, &allowed_length);
    if (stream != NULL) {
        setting_value_write_range(setting, stream);
        fprintf(stream, "%s%s", unit == NULL ? "" : " ", unit == NULL ? "" : unit);
        fclose(stream);
    }
    config_problems_add_line(&reading->problems, "%s=%s (%s): %s; allowed: %s", setting->name,
                             quoted == NULL ? "" : quoted,
                             given->origin == NULL ? "" : given->origin, problem,
                             allowed == NULL ? "see --help" : allowed);
    free(allowed);
    reading->is_readable = false;
}

/* The members that stand for "not set"; only types that have such a value may lack a default. */
static void clear_member(const struct config_setting *setting, void *settings)
{
    void *member = (char *)settings + setting->offset;
    const char *no_text = NULL;
    switch (setting->type) {
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_SECRET:
    case CONFIG_TYPE_URL:
        memcpy(member, &no_text, sizeof(no_text));
        return;
    case CONFIG_TYPE_ADDRESS:
        memset(member, 0, sizeof(struct config_address));
        return;
    default:
        CHECK(setting->default_text != NULL || setting->required);
    }
}

static void read_default(struct reading *reading, const struct config_setting *setting)
{
    const char *problem = NULL;
    clear_member(setting, reading->settings);
    if (setting->default_text != NULL) {
        int error = setting_value_parse(setting, setting->default_text, &reading->config->arena,
                                        reading->settings, &problem);
        CHECK(error != -EINVAL);
    }
}

/* A value as people may see it; out of memory shows up as an overflow of the arena. */
static struct config_value describe_value(struct reading *reading,
                                          const struct config_setting *setting,
                                          const struct given *given)
{
    const char *text = "";
    if (given->text != NULL) {
        text = setting_value_show(setting, reading->settings, &reading->config->arena);
    }
    return (struct config_value){.name = setting->name,
                                 .text = text == NULL ? "" : text,
                                 .origin = given->origin,
                                 .is_default = given->text == setting->default_text};
}

static void read_setting(struct reading *reading, const struct config_setting *setting,
                         struct config_value *ret_value)
{
    const char *problem = NULL;
    struct given given = find_given(reading, setting);
    read_default(reading, setting);
    if (given.text == NULL && setting->required) {
        config_problems_add_line(&reading->problems, "%s (not set): must be set; %s", setting->name,
                                 setting->help);
        reading->is_readable = false;
    } else if (given.text != NULL && strlen(given.text) > CONFIG_TEXT_BYTES_MAX) {
        refuse_value(reading, setting, &given, "too long");
    } else if (given.text != NULL &&
               setting_value_parse(setting, given.text, &reading->config->arena, reading->settings,
                                   &problem) == -EINVAL) {
        refuse_value(reading, setting, &given, problem);
    } else {
        *ret_value = describe_value(reading, setting, &given);
    }
}

/* Judges one name that was found somewhere; names of other programs are none of our business. */
static void check_name(struct reading *reading, const char *name, const char *origin)
{
    const struct config_program *program = reading->program;
    if (strncmp(name, program->prefix, strlen(program->prefix)) != 0 ||
        setting_find(program, name) != NULL) {
        return;
    }
    if (setting_name_is_injected(name)) {
        reading->config->ignored[reading->config->ignored_count++] = name;
        return;
    }
    const char *nearest = setting_name_nearest(name, program->settings, program->settings_count);
    if (nearest != NULL) {
        config_problems_add_line(&reading->problems,
                                 "%s (%s): there is no such setting; did you mean %s?", name,
                                 origin, nearest);
    } else {
        config_problems_add_line(&reading->problems, "%s (%s): there is no such setting", name,
                                 origin);
    }
}

static void check_environment_names(struct reading *reading)
{
    for (char *const *at = reading->source->environment; *at != NULL; at++) {
        const char *name = arena_strndup(&reading->config->arena, *at, strcspn(*at, "="));
        if (name != NULL) {
            check_name(reading, name, "environment");
        }
    }
}

/* The first line that gives a name is the one in force, so a second one would be lost silently. */
static const struct env_file_entry *entry_before(const struct env_file *file, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(file->entries[i].name, file->entries[index].name) == 0) {
            return &file->entries[i];
        }
    }
    return NULL;
}

static void check_env_file_names(struct reading *reading)
{
    for (size_t i = 0; i < reading->env_file.count; i++) {
        const struct env_file_entry *entry = &reading->env_file.entries[i];
        const struct env_file_entry *before = entry_before(&reading->env_file, i);
        const char *origin = arena_printf(&reading->config->arena, "line %u of %s", entry->line,
                                          reading->source->env_file_path);
        if (origin == NULL) {
            return;
        }
        if (before == NULL) {
            check_name(reading, entry->name, origin);
        } else if (setting_find(reading->program, entry->name) != NULL) {
            config_problems_add_line(&reading->problems, "%s (%s): set on line %u already",
                                     entry->name, origin, before->line);
        }
    }
}

static void on_env_file_problem(unsigned line, const char *problem, void *data)
{
    struct reading *reading = data;
    config_problems_add_line(&reading->problems, "line %u of %s: %s", line,
                             reading->source->env_file_path, problem);
}

static void read_env_file(struct reading *reading)
{
    const char *path = reading->source->env_file_path;
    if (path == NULL) {
        return;
    }
    int error = env_file_read(&reading->config->arena, path, &reading->env_file,
                              on_env_file_problem, reading);
    if (error == -EFBIG) {
        config_problems_add_line(&reading->problems, "%s: longer than %d bytes", path,
                                 ENV_FILE_BYTES_MAX);
    } else if (error != 0) {
        config_problems_add_line(&reading->problems, "%s cannot be read: %s", path,
                                 strerror(-error));
    }
}

/* Introduces a problem of a setting: NAME=value (origin). */
static const char *subject_of(const char *setting_name, void *data)
{
    struct reading *reading = data;
    CHECK(setting_find(reading->program, setting_name) != NULL);
    for (size_t i = 0; i < reading->config->values_count; i++) {
        const struct config_value *value = &reading->config->values[i];
        if (strcmp(value->name, setting_name) == 0) {
            return arena_printf(&reading->config->arena, "%s=%.80s (%s)", setting_name, value->text,
                                value->origin);
        }
    }
    return NULL;
}

static size_t count_variables(char *const *environment)
{
    size_t count = 0;
    while (environment[count] != NULL) {
        count++;
    }
    return count;
}

static int allocate_tables(struct reading *reading)
{
    struct config *config = reading->config;
    size_t names_max = count_variables(reading->source->environment) + reading->env_file.count;
    config->values_count = reading->program->settings_count;
    config->values = arena_calloc(&config->arena, config->values_count, sizeof(*config->values));
    config->ignored = arena_calloc(&config->arena, names_max, sizeof(*config->ignored));
    return config->values == NULL || config->ignored == NULL ? -ENOMEM : 0;
}

/* Reads and checks everything; what is wrong is in the problems afterwards. */
static void read_all(struct reading *reading)
{
    const struct config_program *program = reading->program;
    read_env_file(reading);
    if (allocate_tables(reading) == 0) {
        for (size_t i = 0; i < program->settings_count; i++) {
            read_setting(reading, &program->settings[i], &reading->config->values[i]);
        }
        check_environment_names(reading);
        check_env_file_names(reading);
        if (reading->is_readable && program->check != NULL) {
            program->check(reading->settings, &reading->problems);
        }
    }
    if (arena_overflowed(&reading->config->arena)) {
        reading->problems.count++;
    }
}

static enum config_verdict run(const struct config_program *program,
                               const struct config_source *source, bool print_only, void *settings,
                               struct config **ret_config)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        fprintf(source->err, "%s: out of memory\n", program->name);
        return CONFIG_REFUSED;
    }
    arena_init(&config->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    struct reading reading = {.program = program,
                              .source = source,
                              .config = config,
                              .settings = settings,
                              .is_readable = true,
                              .problems = {.arena = &config->arena, .subject = subject_of}};
    reading.problems.data = &reading;
    read_all(&reading);
    enum config_verdict verdict = CONFIG_RUN;
    if (reading.problems.count > 0) {
        config_problems_print(&reading.problems, program->name, source->err);
        verdict = CONFIG_REFUSED;
    } else if (print_only) {
        print_config(config, source->out);
        verdict = CONFIG_DONE;
    }
    if (verdict != CONFIG_RUN) {
        config_destroy(config);
        return verdict;
    }
    *ret_config = config;
    return CONFIG_RUN;
}

enum config_verdict config_load(const struct config_program *program,
                                const struct config_source *source, void *settings,
                                struct config **ret_config)
{
    const char *argument = NULL;
    enum command command = parse_arguments(source, &argument);
    switch (command) {
    case COMMAND_HELP:
        print_help(program, source->out);
        return CONFIG_DONE;
    case COMMAND_VERSION:
        fprintf(source->out, "%s %s\n", program->name, program->version);
        return CONFIG_DONE;
    case COMMAND_UNKNOWN:
        fprintf(source->err, "%s: unexpected argument: %.80s\n", program->name, argument);
        print_usage(program, source->err);
        return CONFIG_REFUSED;
    case COMMAND_RUN:
    case COMMAND_PRINT_CONFIG:
        break;
    }
    return run(program, source, command == COMMAND_PRINT_CONFIG, settings, ret_config);
}

void config_destroy(struct config *config)
{
    if (config != NULL) {
        arena_fini(&config->arena);
        free(config);
    }
}

const struct config_value *config_values(const struct config *config, size_t *ret_count)
{
    *ret_count = config->values_count;
    return config->values;
}
