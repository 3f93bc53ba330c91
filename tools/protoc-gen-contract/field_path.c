#include "protoc-gen-contract/field_path.h"

#include "base/check.h"
#include "protoc-gen-contract/proto_index.h"

#include <string.h>

/* The enum's own names are seventy characters long. */
#define TYPE_GROUP     GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP
#define TYPE_MESSAGE   GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE
#define TYPE_BYTES     GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES
#define LABEL_REPEATED GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED

static const Google__Protobuf__FieldDescriptorProto *proto_of(struct model_field field)
{
    CHECK(field.message != NULL);
    return field.message->fields[field.index];
}

static bool is_single_message(struct model_field field)
{
    return proto_of(field)->type == TYPE_MESSAGE && proto_of(field)->label != LABEL_REPEATED;
}

bool field_path_is_single_scalar(struct model_field field)
{
    const Google__Protobuf__FieldDescriptorProto *proto = proto_of(field);
    return proto->label != LABEL_REPEATED && proto->type != TYPE_MESSAGE &&
           proto->type != TYPE_GROUP && proto->type != TYPE_BYTES;
}

bool field_path_is_single_object(struct model_field field)
{
    /* The well-known types have JSON forms of their own, which are no objects. */
    static const char well_known[] = ".google.protobuf.";
    return is_single_message(field) &&
           strncmp(proto_of(field)->type_name, well_known, sizeof(well_known) - 1) != 0;
}

static int resolve(const struct proto_index *index, const struct proto_message *message,
                   const char *what, const char *name, size_t length, struct problem *problem,
                   struct model_field *ret)
{
    unsigned position;
    if (!proto_index_field(message, name, length, &position)) {
        return problem_report(problem, "%s \"%.*s\" is not a field of %s; allowed: %s", what,
                              (int)length, name, message->full_name,
                              proto_index_field_names(index, message));
    }
    *ret = (struct model_field){message, position};
    return 0;
}

int field_path_resolve_one(const struct proto_index *index, const struct proto_message *message,
                           const char *what, const char *name, struct problem *problem,
                           struct model_field *ret)
{
    return resolve(index, message, what, name, strlen(name), problem, ret);
}

/* The message that a field holds, for the step after it. */
static int step_into(const struct proto_index *index, const char *what, struct model_field field,
                     struct problem *problem, const struct proto_message **ret)
{
    if (!is_single_message(field)) {
        return problem_report(problem,
                              "%s \"%s\" of %s has no fields of its own; "
                              "allowed before a dot: a message field, not repeated",
                              what, proto_of(field)->name, field.message->full_name);
    }
    *ret = proto_index_message(index, proto_of(field)->type_name);
    CHECK(*ret != NULL); /* protoc resolved the type and sent its file */
    return 0;
}

int field_path_resolve(const struct proto_index *index, const struct proto_message *message,
                       const char *what, const char *text, size_t length, struct problem *problem,
                       struct model_path *ret)
{
    struct model_path path = {.count = 0};
    const char *end = text + length;
    for (const char *name = text;;) {
        if (path.count == MODEL_PATH_MAX) {
            return problem_report(problem, "%s \"%.*s\" is nested too deeply; allowed: %d fields",
                                  what, (int)length, text, MODEL_PATH_MAX);
        }
        const char *dot = memchr(name, '.', (size_t)(end - name));
        const char *name_end = dot != NULL ? dot : end;
        struct model_field *field = &path.fields[path.count++];
        int error = resolve(index, message, what, name, (size_t)(name_end - name), problem, field);
        if (error == 0 && dot != NULL) {
            error = step_into(index, what, *field, problem, &message);
        }
        if (error != 0) {
            return error;
        }
        if (dot == NULL) {
            break;
        }
        name = dot + 1;
    }
    if (!field_path_is_single_scalar(path.fields[path.count - 1])) {
        return problem_report(problem,
                              "%s \"%.*s\" cannot be text; "
                              "allowed: one string, bool, number or enum, not repeated",
                              what, (int)length, text);
    }
    *ret = path;
    return 0;
}

bool field_path_equal(const struct model_path *a, const struct model_path *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->fields[i].message != b->fields[i].message ||
            a->fields[i].index != b->fields[i].index) {
            return false;
        }
    }
    return true;
}
