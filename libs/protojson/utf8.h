/* UTF-8, a character at a time (RFC 3629). Any thread. */
#ifndef PROTOJSON_UTF8_H
#define PROTOJSON_UTF8_H

#include <stddef.h>

/* The bytes of the well-formed character that text begins with, 1 to 4; 0 if it begins with none.
 */
size_t utf8_sequence_length(const char *text, size_t length);

#endif
