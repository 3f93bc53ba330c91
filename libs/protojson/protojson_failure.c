#include "protojson/protojson_failure.h"

#include "protojson/utf8.h"

#include <stdio.h>
#include <string.h>

void protojson_failure_init(struct protojson_failure *failure)
{
    failure->field[0] = '\0';
    failure->description[0] = '\0';
    failure->offset = 0;
}

/*
 * Appends characters while there is room for them. Names come from outside: a NUL would end the
 * text early and a line feed would make two lines of one, so control characters become '?'.
 */
static void append(char *text, size_t size, const char *more, size_t length)
{
    size_t used = strlen(text);
    while (length > 0) {
        /* Field names are ASCII, and every value that is set has one. */
        if (more[0] >= 0x20 && more[0] < 0x7f && used + 1 < size) {
            text[used++] = *more++;
            length--;
            continue;
        }
        size_t taken = utf8_sequence_length(more, length);
        size_t bytes = taken == 0 ? 1 : taken;
        if (used + bytes >= size) {
            break;
        }
        if (taken == 0 || (unsigned char)more[0] < 0x20 || more[0] == 0x7f) {
            text[used] = '?';
        } else {
            memcpy(text + used, more, bytes);
        }
        used += bytes;
        more += bytes;
        length -= bytes;
    }
    text[used] = '\0';
}

void protojson_failure_add_field(struct protojson_failure *failure, const char *name, size_t length)
{
    if (failure->field[0] != '\0') {
        append(failure->field, sizeof(failure->field), ".", 1);
    }
    append(failure->field, sizeof(failure->field), name, length);
}

void protojson_failure_add_index(struct protojson_failure *failure, size_t index)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "[%zu]", index);
    append(failure->field, sizeof(failure->field), text, (size_t)length);
}

void protojson_failure_say(struct protojson_failure *failure, const char *predicate)
{
    size_t size = sizeof(failure->description);
    failure->description[0] = '\0';
    if (failure->field[0] != '\0') {
        append(failure->description, size, failure->field, strlen(failure->field));
        append(failure->description, size, " ", 1);
    }
    append(failure->description, size, predicate, strlen(predicate));
}
