#include "layercheck/include_rules.h"

#include <string.h>

#define INCLUDE_CHARS_MAX 255

/* Room for whatever a program's own folder may hold: its main function sees everything. */
#define EVERY_LIBRARY "grpc h2o jansson libpq openssl protobuf-c uthash yajl"
#define EVERY_LIB     "base config contract log metrics ops postgres protojson rpc"

struct layer {
    const char *folder; /* the longest one that matches a path is its layer */
    const char *uses;   /* of ours, by include path */
    const char *links;  /* foreign libraries, named as below */
};

static const struct layer layers[] = {
    {"libs/base/", "base", "openssl uthash"},
    {"libs/config/", "config base", ""},
    {"libs/log/", "log base", ""},
    {"libs/metrics/", "metrics base", ""},
    {"libs/contract/", "contract base", "protobuf-c"},
    {"libs/rpc/", "rpc base", "grpc protobuf-c"},
    {"libs/rpc/reflection", "rpc base contract", "protobuf-c"},
    {"libs/protojson/", "protojson base contract", "yajl jansson protobuf-c"},
    {"libs/postgres/", "postgres base", "libpq openssl"},
    {"libs/ops/", "ops base metrics", "h2o"},
    {"services/orders/", EVERY_LIB " orders", "protobuf-c"},
    {"services/orders/domain/", "orders/domain base", ""},
    {"services/orders/ports/", "orders/ports orders/domain base", ""},
    {"services/orders/logic/", "orders/logic orders/ports orders/domain base", ""},
    {"services/orders/lanes/",
     "orders/lanes orders/limits.h orders/logic orders/ports orders/domain base metrics", ""},
    {"services/orders/board/",
     "orders/board orders/lanes orders/limits.h orders/ports orders/domain base", ""},
    {"services/orders/adapters/grpc/",
     "orders/adapters/grpc orders/board orders/lanes orders/limits.h orders/logic orders/ports "
     "orders/domain base contract log metrics ops rpc",
     "protobuf-c openssl"},
    {"services/orders/adapters/postgres/",
     "orders/adapters/postgres orders/limits.h orders/ports orders/domain base log metrics "
     "postgres",
     ""},
    {"services/orders/adapters/system/", "orders/adapters/system orders/ports orders/domain base",
     ""},
    {"services/edge/", EVERY_LIB " edge", "protobuf-c h2o"},
    {"services/edge/routes/", "edge/routes edge/limits.h base contract", ""},
    {"services/edge/transcode/",
     "edge/transcode edge/routes edge/limits.h base contract protojson rpc", "protobuf-c"},
    {"services/edge/upstream/", "edge/upstream edge/limits.h base contract log metrics rpc",
     "protobuf-c"},
    {"services/edge/board/", "edge/board edge/limits.h base contract log metrics rpc",
     "protobuf-c"},
    {"services/edge/http/", "edge base contract log metrics ops protojson rpc",
     "protobuf-c h2o openssl"},
    {"tools/layercheck/", "layercheck", ""},
};

/* How foreign headers are told from one another: by a beginning or by an end. */
struct foreign_header {
    const char *prefix, *suffix; /* either may be NULL */
    const char *library;
};

static const struct foreign_header foreign_headers[] = {
    {NULL, ".pb-c.h", "protobuf-c"},
    {"protobuf-c/", NULL, "protobuf-c"},
    {"grpc/", NULL, "grpc"},
    {"libpq", NULL, "libpq"},
    {"pg_config", NULL, "libpq"},
    {"postgres_ext", NULL, "libpq"},
    {"h2o", NULL, "h2o"},
    {"picohttpparser", NULL, "h2o"},
    {"yajl/", NULL, "yajl"},
    {"jansson", NULL, "jansson"},
    {"openssl/", NULL, "openssl"},
    {"curl/", NULL, "curl"},
    {"cmocka", NULL, "cmocka"},
    {"uthash", NULL, "uthash"},
    {"utlist", NULL, "uthash"},
    {"utarray", NULL, "uthash"},
};

static bool has_ending(const char *text, const char *ending)
{
    size_t length = strlen(text), ending_length = strlen(ending);

    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

/* The foreign library that a header belongs to, NULL for the C library's and our own. */
static const char *find_library(const char *header)
{
    for (size_t i = 0; i < sizeof(foreign_headers) / sizeof(foreign_headers[0]); i++) {
        const struct foreign_header *foreign = &foreign_headers[i];

        if ((foreign->prefix == NULL ||
             strncmp(header, foreign->prefix, strlen(foreign->prefix)) == 0) &&
            (foreign->suffix == NULL || has_ending(header, foreign->suffix))) {
            return foreign->library;
        }
    }
    return NULL;
}

static const struct layer *find_layer(const struct source *source)
{
    const struct layer *found = NULL;

    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        if (source_is_below(source, layers[i].folder) &&
            (found == NULL || strlen(layers[i].folder) > strlen(found->folder))) {
            found = &layers[i];
        }
    }
    return found;
}

/* Whether one of the words of `list` is `text` or a folder that `text` lies in. */
static bool list_covers(const char *list, const char *text)
{
    while (*list != '\0') {
        size_t length = strcspn(list, " ");

        if (strncmp(list, text, length) == 0 && (text[length] == '\0' || text[length] == '/')) {
            return true;
        }
        list += length + strspn(list + length, " ");
    }
    return false;
}

/* The header named by a line, without its quotes; false if the line is no #include. */
static bool read_include(const struct source *source, const struct source_line *line,
                         char header[INCLUDE_CHARS_MAX + 1], bool *ret_quoted)
{
    const char *code = source->code + line->begin, *text = source->text + line->begin;
    size_t begin = 0, length;

    /* The code tells that it stands in no comment; the name is blank there if it is quoted. */
    if (strncmp(code, "#include", 8) != 0) {
        return false;
    }
    begin = 8 + strspn(text + 8, " ");
    if (text[begin] != '"' && text[begin] != '<') {
        return false;
    }
    *ret_quoted = text[begin] == '"';
    length = strcspn(text + begin + 1, "\">\n");
    if (length > INCLUDE_CHARS_MAX) {
        return false;
    }
    memcpy(header, text + begin + 1, length);
    header[length] = '\0';
    return true;
}

/* A file beside a program's main function: what it includes without a folder lies there too. */
static bool is_beside_main(const struct source *source, const struct layer *layer)
{
    return strncmp(layer->folder, "services/", 9) == 0 &&
           strchr(source->path + strlen(layer->folder), '/') == NULL;
}

static void check_ours(const struct source *source, const struct layer *layer, size_t line,
                       const char *header, struct findings *findings)
{
    if (strchr(header, '/') == NULL && is_beside_main(source, layer)) {
        return;
    }
    if (strchr(header, '/') == NULL || strncmp(header, "../", 3) == 0) {
        findings_add(findings, source->path, line, "includes \"%s\"; name it by its whole path",
                     header);
    } else if (!list_covers(layer->uses, header)) {
        findings_add(findings, source->path, line, "includes \"%s\"; %s may use of ours: %s",
                     header, layer->folder, layer->uses);
    }
}

static void check_include(const struct source *source, const struct layer *layer, size_t line,
                          const char *header, bool quoted, struct findings *findings)
{
    const char *library = find_library(header);

    if (library == NULL && quoted) {
        check_ours(source, layer, line, header, findings);
    } else if (library != NULL && !list_covers(layer->links, library)) {
        findings_add(findings, source->path, line, "includes <%s> of %s; %s may use: %s", header,
                     library, layer->folder, layer->links[0] == '\0' ? "libc" : layer->links);
    }
}

static bool is_library_or_service(const struct source *source)
{
    return source_is_below(source, "libs/") || source_is_below(source, "services/");
}

void include_rules_check(const struct source *source, struct findings *findings)
{
    const struct layer *layer = find_layer(source);
    struct source_line line = {0};
    char header[INCLUDE_CHARS_MAX + 1];
    bool quoted;

    if (layer == NULL && is_library_or_service(source)) {
        findings_add(findings, source->path, 0,
                     "lies in no layer; give its folder a row in tools/layercheck/include_rules.c");
        return;
    }
    while (layer != NULL && source_next_line(source, &line)) {
        if (read_include(source, &line, header, &quoted)) {
            check_include(source, layer, line.number, header, quoted, findings);
        }
    }
}
