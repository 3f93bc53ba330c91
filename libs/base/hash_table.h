/*
 * uthash with this project's choices; include it instead of uthash.h.
 *
 * FNV reads a key byte by byte and compiles without warnings under both compilers. When memory runs
 * out an element is left out of its table and its handle's tbl stays NULL, instead of ending the
 * process: look at it after HASH_ADD. Keys that strangers choose freely belong into no table.
 */
#ifndef BASE_HASH_TABLE_H
#define BASE_HASH_TABLE_H

#define HASH_FUNCTION(key, length, ret) HASH_FNV(key, length, ret)
#define HASH_NONFATAL_OOM               1

#include <uthash.h> /* IWYU pragma: export */

#endif
