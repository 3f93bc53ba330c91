#include "protoc-gen-contract/json_name.h"

#include "protoc-gen-contract/problem.h"
#include "protoc-gen-contract/proto_index.h"

#include <stdbool.h>

/* Whether json_name is name with its underscores gone and the letters behind them raised. */
static bool is_derived(const char *json_name, const char *name)
{
    bool raise = false;
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            raise = true;
            continue;
        }
        char wanted = raise && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        if (*json_name++ != wanted) {
            return false;
        }
        raise = false;
    }
    return *json_name == '\0';
}

int json_name_check_all(const struct proto_index *index, struct problem *problem)
{
    for (const struct proto_message *message = index->messages; message != NULL;
         message = message->next) {
        problem_locate(problem, message->file->name, message->full_name);
        for (size_t i = 0; i < message->proto->n_field; i++) {
            const Google__Protobuf__FieldDescriptorProto *field = message->fields[i];
            if (field->json_name != NULL && !is_derived(field->json_name, field->name)) {
                return problem_report(problem,
                                      "field %s has the json_name \"%s\"; allowed: none, for "
                                      "nobody knows it at run time",
                                      field->name, field->json_name);
            }
        }
    }
    return 0;
}
