/* Room in an output, for those who write digits and keys straight into it. */
#ifndef PROTOJSON_PROTOJSON_APPEND_H
#define PROTOJSON_PROTOJSON_APPEND_H

#include "protojson/protojson.h"

/*
 * Room for length more bytes behind what is written; the writer adds what it used to
 * output->length. NULL, and overflowed set, when the bound or the allocator is exhausted.
 */
char *protojson_append_reserve(struct protojson_output *output, size_t length) MUST_CHECK;

#endif
