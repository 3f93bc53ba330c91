/*
 * JSON to a message, in one pass without a tree: the parser calls back for each token, and each
 * token goes straight to its field. A frame stands for each object that is open, innermost last; a
 * list is a state of its object's frame, because in proto3 JSON a list holds no lists. The first
 * thing that is wrong stops the parser.
 */
#include "protojson/field_slot.h"
#include "protojson/field_value.h"
#include "protojson/json_parser.h"
#include "protojson/protojson_failure.h"
#include "protojson/protojson_schema.h"

#include <stdio.h>
#include <string.h>

#define SEEN_WORD_BITS 64

struct frame {
    const struct protojson_message *type;
    ProtobufCMessage *message;
    uint64_t seen[PROTOJSON_FIELDS_MAX / SEEN_WORD_BITS]; /* fields that were given, by index */
    /* The field whose value comes next, or is being read; NULL before the first key. */
    const struct protojson_field *field;
    const char *spelling; /* of field, as read */
    bool in_list;
    size_t list_index;    /* of the element that comes next, counted in the text */
    size_t list_capacity; /* of the array in message */
};

struct reader {
    const struct protojson_schema *schema;
    const ProtobufCFieldDescriptor *const *sealed;
    size_t sealed_count;
    ProtobufCAllocator *allocator;
    ProtobufCMessage *root;
    struct protojson_failure *failure;
    enum protojson_error error; /* set when a callback stops the parser */
    size_t depth;               /* objects and lists that are open */
    size_t frame_count;
    struct frame frames[PROTOJSON_DEPTH_MAX];
};

/* What the callbacks of yajl return. */
enum { STOP = 0, CONTINUE = 1 };

static struct frame *top(struct reader *reader)
{
    return &reader->frames[reader->frame_count - 1];
}

/* The path of the value that is being read. */
static void describe_path(const struct reader *reader, struct protojson_failure *failure)
{
    protojson_failure_init(failure);
    for (size_t i = 0; i < reader->frame_count; i++) {
        const struct frame *frame = &reader->frames[i];
        if (frame->field != NULL) {
            protojson_failure_add_field(failure, frame->spelling, strlen(frame->spelling));
        }
        if (frame->in_list) {
            protojson_failure_add_index(failure, frame->list_index);
        }
    }
}

static int fail(struct reader *reader, const char *predicate)
{
    describe_path(reader, reader->failure);
    protojson_failure_say(reader->failure, predicate);
    reader->error = PROTOJSON_INVALID_FIELD;
    return STOP;
}

static int fail_without_memory(struct reader *reader)
{
    reader->error = PROTOJSON_NO_MEMORY;
    return STOP;
}

static int fail_unexpected(struct reader *reader)
{
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    const struct frame *frame = top(reader);
    if (frame->field->descriptor->label == PROTOBUF_C_LABEL_REPEATED && !frame->in_list) {
        snprintf(predicate, sizeof(predicate), "must be a list");
    } else {
        field_value_expectation(frame->field, predicate);
    }
    return fail(reader, predicate);
}

static int fail_not_object(struct reader *reader)
{
    protojson_failure_init(reader->failure);
    protojson_failure_say(reader->failure, "The JSON text must be an object");
    reader->error = PROTOJSON_MALFORMED;
    return STOP;
}

static bool is_sealed(const struct reader *reader, const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < reader->sealed_count; i++) {
        if (reader->sealed[i] == field) {
            return true;
        }
    }
    return false;
}

/* Lists the fields that could have been meant, as many as there is room for. */
static int fail_unknown(struct reader *reader, const char *name, size_t length)
{
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    struct frame *frame = top(reader);
    size_t used = (size_t)snprintf(predicate, sizeof(predicate), "is not known here; known are");
    bool any = false;
    for (unsigned i = 0; i < frame->type->descriptor->n_fields; i++) {
        const struct protojson_field *field = &frame->type->fields[i];
        if (is_sealed(reader, field->descriptor)) {
            continue;
        }
        if (used + strlen(field->json_name) + sizeof(", ...") > sizeof(predicate)) {
            snprintf(predicate + used, sizeof(predicate) - used, ", ...");
            any = true;
            break;
        }
        used += (size_t)snprintf(predicate + used, sizeof(predicate) - used, "%s %s",
                                 any ? "," : "", field->json_name);
        any = true;
    }
    frame->field = NULL;
    describe_path(reader, reader->failure);
    protojson_failure_add_field(reader->failure, name, length);
    protojson_failure_say(reader->failure, any ? predicate : "is not known here; nothing is");
    reader->error = PROTOJSON_INVALID_FIELD;
    return STOP;
}

/* Whether the next value of field may be stored; fails if another member of its oneof is set. */
static bool is_free_of_rivals(struct reader *reader, const struct frame *frame)
{
    const ProtobufCFieldDescriptor *rival =
        field_slot_rival(frame->message, frame->field->descriptor);
    if (rival == NULL) {
        return true;
    }
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    const char *name = frame->type->fields[rival - frame->type->descriptor->fields].json_name;
    snprintf(predicate, sizeof(predicate), "must not be set together with %.64s", name);
    fail(reader, predicate);
    return false;
}

static int on_value(struct reader *reader, const struct field_value *value)
{
    if (reader->frame_count == 0) {
        return fail_not_object(reader);
    }
    struct frame *frame = top(reader);
    const ProtobufCFieldDescriptor *field = frame->field->descriptor;
    if (field->label == PROTOBUF_C_LABEL_REPEATED && !frame->in_list) {
        return fail_unexpected(reader);
    }
    if (!is_free_of_rivals(reader, frame)) {
        return STOP;
    }
    char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
    enum protojson_error error =
        field_value_store(reader->schema, frame->field, value, frame->message,
                          &frame->list_capacity, reader->allocator, predicate);
    if (error != PROTOJSON_OK) {
        return error == PROTOJSON_NO_MEMORY ? fail_without_memory(reader) : fail(reader, predicate);
    }
    frame->list_index += frame->in_list;
    return CONTINUE;
}

static int on_null(void *context)
{
    struct reader *reader = context;
    if (reader->frame_count == 0) {
        return fail_not_object(reader);
    }
    /* null leaves a field out; a list has no place to leave out. */
    return top(reader)->in_list ? fail_unexpected(reader) : CONTINUE;
}

static int on_boolean(void *context, int boolean)
{
    struct field_value value = {.kind = FIELD_VALUE_BOOL, .boolean = boolean != 0};
    return on_value(context, &value);
}

static int on_number(void *context, const char *text, size_t length)
{
    struct field_value value = {.kind = FIELD_VALUE_NUMBER, .text = text, .length = length};
    return on_value(context, &value);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    struct field_value value = {
        .kind = FIELD_VALUE_STRING, .text = (const char *)text, .length = length};
    return on_value(context, &value);
}

static bool enter(struct reader *reader)
{
    if (reader->depth == PROTOJSON_DEPTH_MAX) {
        char predicate[FIELD_VALUE_PREDICATE_CHARS_MAX];
        snprintf(predicate, sizeof(predicate), "is nested too deeply; %d levels are read",
                 PROTOJSON_DEPTH_MAX);
        fail(reader, predicate);
        return false;
    }
    reader->depth++;
    return true;
}

static void push_frame(struct reader *reader, const struct protojson_message *type,
                       ProtobufCMessage *message)
{
    CHECK(reader->frame_count < PROTOJSON_DEPTH_MAX);
    reader->frames[reader->frame_count++] = (struct frame){.type = type, .message = message};
}

/* The message that an object goes into: the list's next, the one that is there, or a new one. */
static ProtobufCMessage *message_for_object(struct reader *reader, struct frame *frame)
{
    const ProtobufCFieldDescriptor *field = frame->field->descriptor;
    ProtobufCMessage **slot = field_slot_at(frame->message, field->offset);
    if (frame->in_list) {
        slot = field_slot_append(frame->message, field, &frame->list_capacity, reader->allocator);
        if (slot == NULL) {
            return NULL;
        }
    } else if (field_slot_message(frame->message, field) != NULL) {
        return field_slot_message(frame->message, field);
    }
    ProtobufCMessage *message =
        field_slot_new_message(frame->field->message->descriptor, reader->allocator);
    if (message != NULL) {
        *slot = message;
        field_slot_commit(frame->message, field);
    }
    return message;
}

static int on_start_object(void *context)
{
    struct reader *reader = context;
    if (reader->frame_count == 0) {
        reader->depth = 1;
        push_frame(reader, protojson_schema_message(reader->schema, reader->root->descriptor),
                   reader->root);
        return CONTINUE;
    }
    struct frame *frame = top(reader);
    const struct protojson_field *field = frame->field;
    bool is_list = field->descriptor->label == PROTOBUF_C_LABEL_REPEATED;
    if (field->message == NULL || field->message->kind != PROTOJSON_KIND_OBJECT ||
        (is_list && !frame->in_list)) {
        return fail_unexpected(reader);
    }
    if (!is_free_of_rivals(reader, frame) || !enter(reader)) {
        return STOP;
    }
    ProtobufCMessage *message = message_for_object(reader, frame);
    if (message == NULL) {
        return fail_without_memory(reader);
    }
    push_frame(reader, field->message, message);
    return CONTINUE;
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    struct reader *reader = context;
    struct frame *frame = top(reader);
    const char *name = (const char *)text;
    const struct protojson_spelling *spelling =
        protojson_schema_spelling(frame->type, name, length);
    if (spelling == NULL) {
        return fail_unknown(reader, name, length);
    }
    frame->field = &frame->type->fields[spelling->field];
    frame->spelling = spelling->name;
    uint64_t *word = &frame->seen[spelling->field / SEEN_WORD_BITS];
    uint64_t bit = UINT64_C(1) << (spelling->field % SEEN_WORD_BITS);
    if ((*word & bit) != 0) {
        return fail(reader, "is given twice; once is allowed");
    }
    *word |= bit;
    if (reader->sealed_count > 0 && is_sealed(reader, frame->field->descriptor)) {
        return fail(reader, "is taken from the path, the query or a header and is not allowed in "
                            "the body");
    }
    return CONTINUE;
}

static int on_end_object(void *context)
{
    struct reader *reader = context;
    reader->frame_count--;
    reader->depth--;
    if (reader->frame_count > 0) {
        struct frame *frame = top(reader);
        frame->list_index += frame->in_list;
    }
    return CONTINUE;
}

static int on_start_list(void *context)
{
    struct reader *reader = context;
    if (reader->frame_count == 0) {
        return fail_not_object(reader);
    }
    struct frame *frame = top(reader);
    const ProtobufCFieldDescriptor *field = frame->field->descriptor;
    if (field->label != PROTOBUF_C_LABEL_REPEATED || frame->in_list) {
        return fail_unexpected(reader);
    }
    if (!enter(reader)) {
        return STOP;
    }
    frame->in_list = true;
    frame->list_index = 0;
    frame->list_capacity = field_slot_count(frame->message, field);
    return CONTINUE;
}

static int on_end_list(void *context)
{
    struct reader *reader = context;
    top(reader)->in_list = false;
    reader->depth--;
    return CONTINUE;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_object,
    .yajl_start_array = on_start_list,
    .yajl_end_array = on_end_list,
};

enum protojson_error protojson_read(const struct protojson_schema *schema, const char *json,
                                    size_t length, ProtobufCMessage *message,
                                    const ProtobufCFieldDescriptor *const *sealed,
                                    size_t sealed_count, ProtobufCAllocator *allocator,
                                    struct protojson_failure *ret_failure)
{
    CHECK(protojson_schema_message(schema, message->descriptor)->kind == PROTOJSON_KIND_OBJECT);
    struct reader reader; /* its frames are set when pushed */
    reader.schema = schema;
    reader.sealed = sealed;
    reader.sealed_count = sealed_count;
    reader.allocator = allocator;
    reader.root = message;
    reader.failure = ret_failure;
    reader.error = PROTOJSON_OK;
    reader.depth = 0;
    reader.frame_count = 0;
    struct json_parser_problem problem;
    enum json_parser_result result =
        json_parser_parse(json, length, &callbacks, &reader, allocator, &problem);
    if (result == JSON_PARSER_OK) {
        return PROTOJSON_OK;
    }
    if (result == JSON_PARSER_MALFORMED) {
        reader.error = PROTOJSON_MALFORMED;
        protojson_failure_init(ret_failure);
        snprintf(ret_failure->description, sizeof(ret_failure->description),
                 "The text is not JSON: %s", problem.text);
    } else if (result == JSON_PARSER_NO_MEMORY || reader.error == PROTOJSON_NO_MEMORY) {
        reader.error = PROTOJSON_NO_MEMORY;
        protojson_failure_init(ret_failure);
    }
    ret_failure->offset = problem.offset;
    return reader.error;
}
