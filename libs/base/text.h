/* Checks of text that came from outside. Any thread; nothing is kept. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether every byte is a printable ASCII character, space (0x20) to tilde (0x7e). */
bool text_is_printable_ascii(const char *text, size_t length);

/* Whether the bytes are well-formed UTF-8 (RFC 3629: no overlong form, no surrogate, <= U+10FFFF).
 */
bool text_is_utf8(const char *text, size_t length);

/* The number of code points in well-formed UTF-8. */
size_t text_utf8_count(const char *text, size_t length);

#endif
