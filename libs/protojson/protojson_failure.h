/* Puts a failure into words, within its bounds and without cutting a character in two. */
#ifndef PROTOJSON_PROTOJSON_FAILURE_H
#define PROTOJSON_PROTOJSON_FAILURE_H

#include "protojson/protojson.h"

/* Empties a failure. */
void protojson_failure_init(struct protojson_failure *failure);

/* Appends a field's name to the path, after a dot if the path has begun. */
void protojson_failure_add_field(struct protojson_failure *failure, const char *name,
                                 size_t length);

/* Appends "[index]" to the path. */
void protojson_failure_add_index(struct protojson_failure *failure, size_t index);

/* Makes the description: the path, if there is one, and what is to be said of it. */
void protojson_failure_say(struct protojson_failure *failure, const char *predicate);

#endif
