/* Small pieces of C source. */
#ifndef PROTOC_GEN_CONTRACT_C_TEXT_H
#define PROTOC_GEN_CONTRACT_C_TEXT_H

#include <google/protobuf/compiler/plugin.pb-c.h>
#include <stdio.h>

/* Writes text as a C string literal; NULL becomes NULL. */
void c_text_string(FILE *out, const char *text);

/* Writes "<indent>.name = <literal>,". */
void c_text_member(FILE *out, const char *indent, const char *name, const char *text);

/* Writes the head of a generated file: where it comes from, and its includes but ours. */
void c_text_head(FILE *out, const char *purpose);

#endif
